"""monoctl, the real engine on a real PostgreSQL and a bank in one process: a release from its commands to its rows."""

from __future__ import annotations

import json
from copy import replace
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from local.sandbox.transport import SandboxTransport
from mono_pipeline.adapters.flag_reader import FlagReader
from mono_pipeline.adapters.parameters import ParameterStore, parameter_name
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import AccountBlocked
from mono_pipeline.core.flag import FLAG_NAME
from mono_pipeline.core.run import RunKind
from mono_pipeline.usecases.operations import Operations
from mono_pipeline.usecases.sync_request import SyncAsked, SyncRequest
from monoctl.app import app
from monoctl.errors import OpsRefused
from monoctl.reach import SyncAnswer
from monoctl.session import Wiring
from tests.unit.monoctl.stand_ins import NOON, FakeClock, FakeReach

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from mypy_boto3_ssm import SSMClient

    from mono_pipeline.usecases.collaborators import Collaborators
    from tests.harness import Pipeline

    type Row = dict[str, Any]

FLAG = parameter_name("local", FLAG_NAME)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, the documents it wrote, and what it said beside them."""

    exit_code: int
    documents: list[Row]
    stderr: str

    @property
    def end(self) -> Row:
        """The last document."""
        return self.documents[-1]


class Town:
    """An environment that runs in this process. `pause` lets windows pass; `on_pause` is what happens meanwhile."""

    def __init__(self, pipeline: Pipeline, ssm: SSMClient, *, slow: Callable[[float], None] | None = None) -> None:
        self.pipeline = pipeline
        self.ssm = ssm
        self.parameters = ParameterStore(lambda: ssm)
        transport = SandboxTransport(pipeline.sandbox, pause=slow)
        self.worker = self._by_the_real_flag(pipeline.new_worker(transport))
        self._ops = pipeline.new_worker()
        self.asking = Lock()
        self.clock = FakeClock()
        self.on_pause: Callable[[], None] = lambda: None

    @property
    def flag(self) -> str:
        """The flag's text."""
        return self.ssm.get_parameter(Name=FLAG)["Parameter"]["Value"]

    @flag.setter
    def flag(self, text: str) -> None:
        self.ssm.put_parameter(Name=FLAG, Value=text, Overwrite=True)

    def monoctl(self, *arguments: str) -> Ended:
        """Run a command for machines."""
        wiring = Wiring(
            connect=lambda _: FakeReach(api=self, ops=_Ops(self._ops), dead_letters=_NoLetters(), ssm=self.ssm),
            now=lambda: NOON,
            monotonic=lambda: self.clock.seconds,
            pause=self._pause,
        )
        result = CliRunner().invoke(
            app, ["--env", "local", "--json", *arguments], obj=wiring, catch_exceptions=False, env={"COLUMNS": "100"}
        )
        return Ended(result.exit_code, documents(result.stdout), result.stderr)

    def ask(self, account_id: str, *, start: date | None, end: date | None) -> SyncAnswer:
        """As the HTTP API: one at a time, and what goes to the queue is served at once."""
        assert (start, end) == (None, None)
        with self.asking:
            request = SyncRequest(flag=self.worker.flag, observer=self.worker.observer, connect=lambda: self.worker)
            asked = SyncAsked(account_id=account_id, window=None, correlation_id="c-release")
            try:
                answered = request.ask(asked, Deadline.after(20))
            except AccountBlocked:
                return SyncAnswer(status="account_blocked")
            if answered.status == "accepted":
                self.work_off()
            return SyncAnswer(status=answered.status)

    def work_off(self) -> None:
        """Deliver every message that waits."""
        while messages := self.pipeline.daily.drain() + self.pipeline.backfill.drain():
            for message in messages:
                self.pipeline.wake(message.account_id, message=message, worker=self.worker)

    def events(self, release: str | None = None) -> list[Row]:
        """What happened in a release."""
        asked = {"action": "releases.show"} | ({"release_id": release} if release else {})
        found: list[Row] = Operations(self._ops).perform(asked, Deadline.after(10))["events"]
        return found

    def known(self, *, transactions: int = 30, **options: Any) -> str:
        """An account whose full history was read before."""
        account = self.pipeline.link(transactions=transactions, **options)
        self.pipeline.sync(account, kind=RunKind.FULL)
        return account

    def _pause(self, seconds: float) -> None:
        self.clock.pause(seconds)
        self.on_pause()

    def _by_the_real_flag(self, worker: Collaborators) -> Collaborators:
        ages = iter(range(0, 10**9, 60))
        reader = FlagReader(self.parameters, FLAG, monotonic=lambda: float(next(ages)))
        return replace(worker, flag=reader)


class _Ops:
    """The ops function, without Lambda."""

    def __init__(self, worker: Collaborators) -> None:
        self._operations = Operations(worker)

    def ask(self, action: str, **arguments: Any) -> Row:
        """Answer as it does over the wire: by JSON alone."""
        event = json.loads(json.dumps({"action": action, **arguments}))
        answer: Row = json.loads(json.dumps(self._operations.perform(event, Deadline.after(30))))
        if isinstance(problem := answer.get("error"), dict):
            raise OpsRefused(problem["code"], problem["message"])
        return answer


class _NoLetters:
    """A dead-letter queue that is empty."""

    def ask(self, _body: Row) -> Row:
        """Nothing is there."""
        return {"status": "completed", "groups": [], "letters": [], "so_far": {}, "outcomes": {}, "dry_run": False}


def documents(text: str) -> list[Row]:
    """JSON documents, one behind the other."""
    found, at, decoder = [], 0, json.JSONDecoder()
    while at < len(text.rstrip()):
        document, at = decoder.raw_decode(text, at)
        found.append(document)
        while at < len(text) and text[at].isspace():
            at += 1
    return found
