"""What a worker process does: the acts of a scenario, with every external call numbered, and death at one of them."""

from __future__ import annotations

import json
import os
import signal
import ssl
import traceback
from copy import replace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from msgspec.structs import asdict

from local.sandbox.world import DEFAULT_KEY
from mono_pipeline.adapters.mono_transport import DeadlineTransport
from mono_pipeline.adapters.parameters import Parameter
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.adapters.queue import FetchRequested
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import DependencyUnavailable, PipelineError
from mono_pipeline.core.secret import Secret
from mono_pipeline.usecases.schedule_tick import ScheduleTick
from mono_pipeline.usecases.sync_request import SyncAsked, SyncRequest
from mono_pipeline.usecases.wake_up import WakeUp
from tests.crash.calls import Call, GatedDatabase, gated_collaborators
from tests.harness import SETTINGS

if TYPE_CHECKING:
    import httpx

    from mono_pipeline.usecases.collaborators import Collaborators

PAGE, FLUSH = 5, 10


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What one process is to do. `call` is the number of the call that it dies at, `when` before or after it is made.

    `folder` holds the queue, `port` is PostgreSQL's, or that of the proxy before it, `flags` are the values that the
    flag has at its first readings (the last one stays), `seconds` is the time of each invocation.
    """

    port: int
    database: str
    bank: str
    folder: str
    account: str
    acts: list[str]
    flags: list[str]
    seconds: float
    call: int | None = None
    when: str = "before"


class Numbered:
    """Numbers calls from 1, and kills this process at one of them with a signal that nobody can handle."""

    def __init__(self, orders: Orders) -> None:
        self.calls: list[str] = []
        self._orders = orders
        self._doomed: Call | None = None

    def before(self, call: Call) -> None:
        """The next call."""
        self.calls.append(str(call))
        if len(self.calls) == self._orders.call:
            if self._orders.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            self._doomed = call

    def after(self, call: Call) -> None:
        """It was made. Other calls may have been made inside it (a worker within another's request): it is itself."""
        if call is self._doomed:
            os.kill(os.getpid(), signal.SIGKILL)


class Journal:
    """SQS's part as a file that outlives its writer: a line for each message taken or deleted."""

    def __init__(self, folder: Path, clock: Database | None) -> None:
        self._path = folder / "queue.jsonl"
        self._clock = clock

    def put(self, queue: str, message: FetchRequested, *, sent_at: float | None = None) -> None:
        """Take a message."""
        when = self._now() if sent_at is None else sent_at
        self._append({"put": str(uuid4()), "queue": queue, "body": asdict(message), "sent_at": when})

    def delete(self, number: str) -> None:
        """Delete a message."""
        self._append({"delete": number})

    def waiting(self) -> list[dict[str, Any]]:
        """What was put and not deleted, oldest first."""
        if not self._path.exists():
            return []
        lines = [json.loads(line) for line in self._path.read_text(encoding="utf-8").splitlines()]
        deleted = {line["delete"] for line in lines if "delete" in line}
        return [line for line in lines if "put" in line and line["put"] not in deleted]

    def _append(self, line: dict[str, Any]) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(file, f"{json.dumps(line)}\n".encode())
        os.close(file)

    def _now(self) -> float:
        assert self._clock is not None
        return float(self._clock.rows("SELECT extract(epoch FROM pipeline_now())::float8 AS now")[0]["now"])


class JournalQueue:
    """A queue of that file."""

    def __init__(self, journal: Journal, name: str) -> None:
        self._journal = journal
        self._name = name

    def send(self, message: FetchRequested, *, group: str) -> None:
        """Take one message."""
        assert group
        self._journal.put(self._name, message)

    def send_many(self, messages: list[tuple[FetchRequested, str]]) -> int:
        """Take all messages."""
        for message, group in messages:
            self.send(message, group=group)
        return len(messages)


class FlagScript:
    """SSM's part: one value after the other, the last one for good."""

    def __init__(self, values: list[str]) -> None:
        self._values = list(values)

    def get(self, name: str) -> Parameter:
        """The next value."""
        value = self._values.pop(0) if len(self._values) > 1 else self._values[0]
        return Parameter(name=name, value=value, version=1)


class Silent:
    """An observer that says nothing."""

    def stage(self, *_: Any) -> None:
        """Nothing."""

    def error(self, *_: Any) -> None:
        """Nothing."""

    def zero_transactions(self, *_: Any) -> None:
        """Nothing."""

    def stale_accounts(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    def event(self, *_: Any, **__: Any) -> None:
        """Nothing."""


class Interruption(DeadlineTransport):
    """Lets another worker of the process serve a wake-up while this one waits for page 2."""

    serve: Any = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        if self.serve is not None and request.url.params.get("page") == "2":
            serve, self.serve = self.serve, None
            serve()
        return super().handle_request(request)


class Worker:
    """Carries out orders."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self.gate = Numbered(orders)
        self._address = DatabaseAddress(
            host="127.0.0.1", port=orders.port, database=orders.database, user="postgres", timeout_seconds=10.0
        )
        self._journal = Journal(Path(orders.folder), Database(self._address_of_clock()))
        self._transport = self._new_transport()
        self._with = self._collaborators(self._transport)
        self._tried: set[str] = set()

    def carry_out(self) -> None:
        """All acts."""
        for act in self._orders.acts:
            try:
                getattr(self, f"_{act}")()
            except DependencyUnavailable:
                continue  # as the runtime: the invocation failed, the next one comes

    def _tick(self) -> None:
        ScheduleTick(self._with).tick(Deadline.after(60))

    def _webhook(self) -> None:
        """A webhook was answered: its message is in the queue."""
        self._journal.put("daily", self._wake_up())

    def _drain(self) -> None:
        while fresh := [line for line in self._journal.waiting() if line["put"] not in self._tried]:
            line = fresh[0]
            self._tried.add(line["put"])
            self._deliver(line)

    def _interrupted(self) -> None:
        """As `drain`, with a webhook's worker in the middle of the first run."""
        self._transport.serve = self._second
        self._drain()

    def _ask(self) -> None:
        asked = SyncAsked(account_id=self._orders.account, window=None, correlation_id="c-api")
        request = SyncRequest(flag=self._with.flag, observer=self._with.observer, connect=lambda: self._with)
        try:
            request.ask(asked, Deadline.after(self._orders.seconds))
        except PipelineError as refused:
            if isinstance(refused, DependencyUnavailable):
                raise

    def _second(self) -> None:
        self._webhook()
        line = self._journal.waiting()[-1]
        self._tried.add(line["put"])
        self._deliver(line, self._collaborators(self._new_transport()))

    def _deliver(self, line: dict[str, Any], using: Collaborators | None = None) -> None:
        chosen = using or self._with
        queue = chosen.daily if line["queue"] == "daily" else chosen.backfill
        wake = WakeUp(chosen, queue=queue)
        try:
            wake.serve(
                FetchRequested(**line["body"]),
                sent_at=line["sent_at"],
                deadline=Deadline.after(self._orders.seconds),
            )
        except DependencyUnavailable:
            return  # not deleted: it is delivered again
        self._journal.delete(line["put"])

    def _wake_up(self) -> FetchRequested:
        return FetchRequested(account_id=self._orders.account, correlation_id="c-hook", requested_by="webhook")

    def _new_transport(self) -> Interruption:
        return Interruption(tls=_PLAIN, connections=2)

    def _collaborators(self, transport: httpx.BaseTransport) -> Collaborators:
        settings = replace(
            SETTINGS,
            mono_base_url=self._orders.bank,
            mono_secret_key=Secret(DEFAULT_KEY),
            mono_page_limit=PAGE,
            flush_rows=FLUSH,
            pages_in_flight=1,
        )
        return gated_collaborators(
            self.gate,
            database=GatedDatabase(self._address, self.gate),
            settings=settings,
            transport=transport,
            parameters=FlagScript(self._orders.flags),
            daily=JournalQueue(self._journal, "daily"),  # type: ignore[arg-type]
            backfill=JournalQueue(self._journal, "backfill"),  # type: ignore[arg-type]
            observer=Silent(),
        )

    def _address_of_clock(self) -> DatabaseAddress:
        """PostgreSQL itself: what the queue asks it is no call of ours."""
        port = int((Path(self._orders.folder) / "postgres_port").read_text())
        return replace(self._address, port=port)


_PLAIN = ssl.create_default_context()  # made once before any fork; the bank speaks plain HTTP


def live(orders: Orders) -> int:
    """The whole life of a process; its exit code. The calls it made are left in `folder`."""
    folder = Path(orders.folder)
    try:
        worker = Worker(orders)
        worker.carry_out()
    except BaseException:  # noqa: BLE001 - told to who started us
        (folder / "error").write_text(traceback.format_exc(), encoding="utf-8")
        return 1
    (folder / "calls.json").write_text(json.dumps(worker.gate.calls), encoding="utf-8")
    return 0
