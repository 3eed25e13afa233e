"""The dead-letter queue as an operator has it: a real engine and PostgreSQL, and queues that redrive as SQS's do."""

from __future__ import annotations

import json
from contextlib import contextmanager
from copy import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from local.aws import AwsStandIn, sqs_client
from local.ports import free_port
from local.sandbox.effects import Status
from local.sandbox.faults import Fault
from mono_pipeline.adapters.dead_letter_queue import DeadLetterQueue
from mono_pipeline.adapters.queue import FetchRequested, WorkQueue, read_fetch_requested
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import QueueUnavailable
from mono_pipeline.core.replay import Action, Asked, LetterFilter
from mono_pipeline.usecases.dead_letters import DeadLetters
from mono_pipeline.usecases.wake_up import WakeUp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_sqs import SQSClient

    from mono_pipeline.core.dead_letter import QueuedMessage
    from mono_pipeline.usecases.collaborators import Collaborators
    from mono_pipeline.usecases.dead_letters import Progress
    from tests.harness import Pipeline

RECEIVES = 5


@pytest.fixture(scope="session")
def sqs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsStandIn]:
    """The AWS stand-in of a test session."""
    started = AwsStandIn.start(port=free_port(), log=tmp_path_factory.mktemp("sqs") / "sqs.log")
    yield started
    started.stop()


@pytest.fixture
def desk(pipeline: Pipeline, sqs_server: AwsStandIn) -> DeadLetterDesk:
    """Queues of a test's own."""
    return DeadLetterDesk(pipeline, sqs_client(sqs_server.url))


class DeadLetterDesk:
    """Two work queues that give up after five receives, and the queue that they give up to."""

    def __init__(self, pipeline: Pipeline, sqs: SQSClient) -> None:
        self.pipeline = pipeline
        self.sqs = sqs
        name = uuid4().hex[:12]
        self.dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES})
        self.daily, self.backfill = (
            sqs.create_queue(QueueName=f"{name}-{kind}", Attributes={"RedrivePolicy": redrive})["QueueUrl"]
            for kind in ("daily", "backfill")
        )
        self.waited: list[float] = []
        self.worker = self.connected(pipeline.worker)

    def connected(self, worker: Collaborators, *, dead: Any = None) -> Collaborators:
        """A worker's collaborators, with these queues in place of memory."""
        return replace(
            worker,
            daily=WorkQueue(self.daily, self.sqs),
            backfill=WorkQueue(self.backfill, self.sqs),
            dead_letters=dead or DeadLetterQueue(self.dead, self.sqs, look_seconds=0),
            settings=replace(
                worker.settings,
                queue_url=self.daily,
                backfill_queue_url=self.backfill,
                dead_letter_queue_url=self.dead,
            ),
        )

    def put(self, body: str | dict[str, Any], **attributes: str) -> str:
        """A message on the dead-letter queue; its id."""
        told = {name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()}
        text = body if isinstance(body, str) else json.dumps(body)
        return self.sqs.send_message(QueueUrl=self.dead, MessageBody=text, MessageAttributes=told)["MessageId"]  # type: ignore[arg-type]

    def put_wake_up(self, account: str, *, correlation_id: str = "c-lost") -> str:
        """A wake-up that no worker could finish, as SQS's redrive leaves it."""
        wake = FetchRequested(account_id=account, correlation_id=correlation_id, requested_by="webhook")
        return self.put(wake.body())

    def ask(
        self,
        action: Action = Action.INSPECT,
        *,
        worker: Collaborators | None = None,
        seconds: float = 30.0,
        **asked: Any,
    ) -> Progress:
        """One invocation; `type`, `account_id`, `reason` and `older_than` make the filter."""
        words = {name: asked.pop(name) for name in ("type", "account_id", "reason", "older_than") if name in asked}
        question = Asked(
            action_id=asked.pop("action_id", None) or uuid4(),
            action=action,
            filter=LetterFilter(**words),
            asked_by="ada",
            correlation_id="c-desk",
            **asked,
        )
        return DeadLetters(worker or self.worker, pause=self.waited.append).act(question, Deadline.after(seconds))

    def replay(self, **asked: Any) -> Progress:
        """Replay, in earnest."""
        return self.ask(Action.REPLAY, dry_run=False, **asked)

    def purge(self, **asked: Any) -> Progress:
        """Purge, in earnest."""
        return self.ask(Action.PURGE, dry_run=False, **asked)

    def on(self, queue: str) -> list[str]:
        """The bodies that anybody could receive now; they stay there."""
        bodies, receipts = [], []
        while received := self.sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=60, MessageAttributeNames=["All"]
        ).get("Messages", []):
            bodies += [message["Body"] for message in received]
            receipts += [message["ReceiptHandle"] for message in received]
        for receipt in receipts:
            self.sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=receipt, VisibilityTimeout=0)
        return sorted(bodies)

    def work(self) -> list[str]:
        """Deliver everything on the work queues once, as Lambda would; what became of each message."""
        served: list[str] = []
        for url, queue in ((self.daily, self.worker.daily), (self.backfill, self.worker.backfill)):
            while received := self.sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=60,
                MessageSystemAttributeNames=["SentTimestamp"],
            ).get("Messages", []):
                for message in received:
                    served.append(
                        WakeUp(self.worker, queue=queue).serve(
                            read_fetch_requested(message["Body"]),
                            sent_at=int(message["Attributes"]["SentTimestamp"]) / 1000,
                            deadline=Deadline.after(60),
                        )
                    )
                    self.sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return served

    def die_at_work(self, queue: str) -> None:
        """Receive everything that a queue gives, five times and once more, and never answer: SQS gives it up."""
        for _ in range(RECEIVES + 1):
            while self.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=0).get("Messages"):
                pass

    def fail(self, account: str, times: int = 1) -> None:
        """Let runs of an account fail at Mono, as a worker's would."""
        with self.mono_down():
            for _ in range(times):
                self.pipeline.sync(account, worker=self.worker)

    @contextmanager
    def mono_down(self) -> Iterator[None]:
        """Mono answers everything about accounts with 500, while accounts that are not here have their answers."""
        self.pipeline.sandbox.inject(Fault(effect=Status(status=500), path="/v2/accounts/*", times=None))
        yield
        self.pipeline.sandbox.clear_faults()
        self.pipeline.rows("UPDATE provider_budget SET failing_accounts = '{}'")

    def standing(self, account: str) -> dict[str, Any]:
        """What the tables say of an account as a dead letter."""
        return self.pipeline.rows(
            """SELECT failure_streak, dead_lettered_at, dead_letter_run, dead_letter_sent_at, dead_letter_replays,
                      next_attempt_at FROM bank_accounts WHERE mono_account_id = :id""",
            id=account,
        )[0]

    def action_row(self, action_id: UUID) -> dict[str, Any]:
        """An action as the books have it."""
        return self.pipeline.rows("SELECT * FROM dead_letter_actions WHERE action_id = :id", id=action_id)[0]

    def counted(self, progress: Progress) -> dict[str, int]:
        """Messages by outcome."""
        return {outcome: counts["messages"] for outcome, counts in progress.outcomes.items()}


class Dies(Exception):
    """A worker that was killed."""


class FaultyQueue:
    """The dead-letter queue of an invocation that comes to grief at some calls; it remembers what it received."""

    def __init__(self, desk: DeadLetterDesk) -> None:
        self._desk = desk
        self._queue = DeadLetterQueue(desk.dead, desk.sqs, look_seconds=0)
        self._received: list[QueuedMessage] = []

    def strike(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call, or come to grief instead, or after it."""
        raise NotImplementedError

    def __getattr__(self, name: str) -> Callable[..., Any]:
        real: Callable[..., Any] = getattr(self._queue, name)

        def call(*arguments: Any) -> Any:
            answer = real(*arguments)
            if name == "receive":
                self._received += answer
            return answer

        return lambda *arguments: self.strike(name, lambda: call(*arguments))

    def two_minutes_later(self) -> None:
        """What somebody died over is shown again by SQS itself."""
        self._queue.release(self._received)


class DyingQueue(FaultyQueue):
    """Its invocation is killed at a call, before it or after it."""

    def __init__(self, desk: DeadLetterDesk, *, at: str, after: bool) -> None:
        super().__init__(desk)
        self._at, self._after = at, after

    def strike(self, name: str, call: Callable[[], Any]) -> Any:
        """Die."""
        if name != self._at:
            return call()
        if self._after:
            call()
        raise Dies(name)


class SqsDown(FaultyQueue):
    """SQS does not answer, but for some calls."""

    def __init__(self, desk: DeadLetterDesk, *, but: set[str]) -> None:
        super().__init__(desk)
        self._but = but

    def strike(self, name: str, call: Callable[[], Any]) -> Any:
        """No answer."""
        if name in self._but:
            return call()
        raise QueueUnavailable(name)
