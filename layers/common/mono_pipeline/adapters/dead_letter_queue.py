"""The queue of what failed for good, and the way back to the work queues: batches of ten, several calls at a time.

Receiving hides a message for a while and counts up its receives. On this queue that count does nothing: it has no
redrive policy of its own, so that a message can be looked at any number of times.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property, partial
from itertools import batched
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError
from msgspec import Struct

from mono_pipeline.adapters.aws import aws_client
from mono_pipeline.core.dead_letter import REPLAYS_ATTRIBUTE, QueuedMessage
from mono_pipeline.core.errors import QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef, SendMessageBatchRequestEntryTypeDef

    from mono_pipeline.core.dead_letter import FetchFailed

HIDDEN_SECONDS: Final = 120  # longer than any invocation that looks at it: else it would see its own messages again
CALLS_AT_ONCE: Final = 8  # of SQS; one client's connections are ten
BATCH: Final = 10  # of a receive, a send or a deletion
LOOK_SECONDS: Final = 1  # of a long poll: a short one may find nothing where there is something


class SentBack(Struct, frozen=True, kw_only=True):
    """A message on its way to a work queue; `key` tells the caller which ones SQS took."""

    key: str
    queue_url: str
    body: str
    group: str
    replays: int


class DeadLetterQueue:
    """One dead-letter queue. Methods raise QueueUnavailable when SQS does not answer."""

    def __init__(self, url: str, client: SQSClient | None = None, *, look_seconds: int = LOOK_SECONDS) -> None:
        """`look_seconds` is how long SQS looks for messages before it says that there are none."""
        self._url = url
        self._client = client
        self._look_seconds = look_seconds

    def count(self) -> int:
        """How many messages can be received, as SQS estimates it."""
        names = ["ApproximateNumberOfMessages"]
        told = _asked(lambda: self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=names))  # type: ignore[arg-type]  # one of a closed list
        return int(told["Attributes"]["ApproximateNumberOfMessages"])

    def send(self, letter: FetchFailed) -> None:
        """Put an account that failed too often on the queue."""
        body, group = letter.body(), letter.account_id
        _asked(lambda: self._sqs.send_message(QueueUrl=self._url, MessageBody=body, MessageGroupId=group))

    def receive(self) -> list[QueuedMessage]:
        """Up to 80 messages, hidden from others for two minutes; none when the queue has no more to show."""
        parts = self._threads.map(lambda _: self._receive(), range(CALLS_AT_ONCE))
        return [message for part in parts for message in part]

    def send_back(self, messages: Iterable[SentBack]) -> set[str]:
        """Put messages on the queues they name; returns the keys of those that SQS took."""
        ordered = sorted(messages, key=lambda message: message.queue_url)
        batches = [
            (url, batch)
            for url in dict.fromkeys(message.queue_url for message in ordered)
            for batch in batched([each for each in ordered if each.queue_url == url], BATCH, strict=False)
        ]
        return {key for taken in self._threads.map(lambda each: self._send(*each), batches) for key in taken}

    def delete(self, messages: Sequence[QueuedMessage]) -> int:
        """Take messages off the queue; returns how many SQS did not delete, which are shown again."""
        return sum(self._threads.map(self._delete, batched(messages, BATCH, strict=False)))

    def release(self, messages: Sequence[QueuedMessage]) -> None:
        """Show messages to others again at once. One that SQS forgot by now is shown anyway."""
        list(self._threads.map(self._release, batched(messages, BATCH, strict=False)))

    def _receive(self) -> list[QueuedMessage]:
        answer = _asked(
            partial(
                self._sqs.receive_message,
                QueueUrl=self._url,
                MaxNumberOfMessages=BATCH,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=self._look_seconds,
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount", "DeadLetterQueueSourceArn"],
                MessageAttributeNames=["All"],
            )
        )
        return [_message(told) for told in answer.get("Messages", [])]

    def _send(self, url: str, batch: tuple[SentBack, ...]) -> list[str]:
        entries: list[SendMessageBatchRequestEntryTypeDef] = [
            {
                "Id": str(number),
                "MessageBody": message.body,
                "MessageGroupId": message.group,
                "MessageAttributes": {REPLAYS_ATTRIBUTE: {"DataType": "Number", "StringValue": str(message.replays)}},
            }
            for number, message in enumerate(batch)
        ]
        answer = _asked(lambda: self._sqs.send_message_batch(QueueUrl=url, Entries=entries))
        return [batch[int(taken["Id"])].key for taken in answer.get("Successful", [])]

    def _delete(self, batch: tuple[QueuedMessage, ...]) -> int:
        answer = _asked(
            lambda: self._sqs.delete_message_batch(
                QueueUrl=self._url,
                Entries=[{"Id": str(number), "ReceiptHandle": each.receipt} for number, each in enumerate(batch)],
            )
        )
        return len(answer.get("Failed", []))

    def _release(self, batch: tuple[QueuedMessage, ...]) -> None:
        _asked(
            lambda: self._sqs.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": each.receipt, "VisibilityTimeout": 0}
                    for number, each in enumerate(batch)
                ],
            )
        )

    @cached_property
    def _sqs(self) -> SQSClient:
        return self._client or aws_client("sqs", connect_seconds=1, read_seconds=5, attempts=3)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(max_workers=CALLS_AT_ONCE, thread_name_prefix="dead-letters")


def _asked[Answer](ask: Callable[[], Answer]) -> Answer:
    try:
        return ask()
    except (BotoCoreError, ClientError) as error:
        raise QueueUnavailable(f"SQS did not answer: {type(error).__name__}") from error


def _message(told: MessageTypeDef) -> QueuedMessage:
    system = told["Attributes"]
    source = system.get("DeadLetterQueueSourceArn")
    return QueuedMessage(
        message_id=told["MessageId"],
        receipt=told["ReceiptHandle"],
        body=told["Body"],
        sent_at=datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, tz=UTC),
        receives=int(system["ApproximateReceiveCount"]),
        source=source.rsplit(":", 1)[-1] if source else None,
        attributes={
            name: given["StringValue"]
            for name, given in told.get("MessageAttributes", {}).items()
            if "StringValue" in given
        },
    )
