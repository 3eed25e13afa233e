"""Every call that leaves the process, seen from tests: adapters that tell a gate before and after each one.

The gate may count, stop the caller, or kill the process. None of this is in what ships.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import httpx

import mono_pipeline.adapters
from mono_pipeline.adapters.account_store import AccountStore
from mono_pipeline.adapters.evidence_store import EvidenceStore
from mono_pipeline.adapters.flag_reader import FlagReader
from mono_pipeline.adapters.mono_client import MonoClient
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.adapters.rate_budget import RateBudget
from mono_pipeline.adapters.run_store import RunStore
from mono_pipeline.adapters.statements import statements
from mono_pipeline.adapters.transaction_store import TransactionStore
from mono_pipeline.core.secret import Secret
from mono_pipeline.usecases.collaborators import Collaborators
from mono_pipeline.usecases.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.parameters import Parameter, ReadsParameter
    from mono_pipeline.adapters.queue import FetchRequested, WorkQueue
    from mono_pipeline.adapters.settings import Settings
    from mono_pipeline.core.dead_letter import FetchFailed
    from mono_pipeline.core.observer import Observer

FLAG_PARAMETER = "/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED"
SQL_FOLDER = Path(mono_pipeline.adapters.__path__[0]) / "sql"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call: `kind` is sql, http, sqs or ssm; `inside` says that an open transaction holds locks around it."""

    kind: str
    name: str
    inside: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Gate(Protocol):
    """Told of every call."""

    def before(self, call: Call) -> None:
        """The call is about to be made; what is raised here ends the caller with the call not made."""

    def after(self, call: Call) -> None:
        """The call was made and its answer has not been seen by the caller."""


class Died(BaseException):
    """The process is no more; whoever raised it lets no further call through. Not an error that anybody may treat."""


class GatedDatabase(Database):
    """A connection whose statements pass a gate. One that died takes its connection along, as a process does."""

    def __init__(self, address: DatabaseAddress, gate: Gate) -> None:
        super().__init__(address)
        self._gate = gate

    def _execute(self, statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        name = statement_name(statement)
        ends = name in {"COMMIT", "ROLLBACK"}
        call = Call(kind="sql", name=name, inside=self._in_transaction or ends)
        try:
            self._gate.before(call)
            try:
                return super()._execute(statement, parameters)
            finally:
                self._gate.after(call)
        except Died:
            self.close()
            raise


class GatedTransport(httpx.BaseTransport):
    """Requests that pass a gate."""

    def __init__(self, transport: httpx.BaseTransport, gate: Gate) -> None:
        self._transport = transport
        self._gate = gate

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; `after` is when the head of the answer has come."""
        page = request.url.params.get("page")
        call = Call(kind="http", name=f"{request.url.path.rsplit('/', 1)[-1][:12]}{f' page {page}' if page else ''}")
        self._gate.before(call)
        response = self._transport.handle_request(request)
        self._gate.after(call)
        return response

    def close(self) -> None:
        """Close what is below."""
        self._transport.close()


class GatedParameter:
    """The flag's parameter behind a gate."""

    def __init__(self, parameters: ReadsParameter, gate: Gate) -> None:
        self._parameters = parameters
        self._gate = gate

    def get(self, name: str) -> Parameter:
        """Read it."""
        call = Call(kind="ssm", name="flag")
        self._gate.before(call)
        read = self._parameters.get(name)
        self._gate.after(call)
        return read


class GatedQueue:
    """A queue whose sends pass a gate."""

    def __init__(self, queue: WorkQueue, gate: Gate) -> None:
        self._queue = queue
        self._gate = gate

    def send(self, message: FetchRequested, *, group: str) -> None:
        """Send one message."""
        call = Call(kind="sqs", name="send")
        self._gate.before(call)
        self._queue.send(message, group=group)
        self._gate.after(call)

    def send_many(self, messages: Any) -> int:
        """Send what there is; nothing to send is no call."""
        chosen = list(messages)
        if not chosen:
            return 0
        call = Call(kind="sqs", name="send batch")
        self._gate.before(call)
        sent = self._queue.send_many(chosen)
        self._gate.after(call)
        return sent


class AtOnce(Executor):
    """Runs what is submitted before it returns: calls come in one order, and whoever dies in one is dead."""

    def submit[**P, T](self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it now; an error is kept for who asks for the result."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as every executor does
            future.set_exception(error)
        return future


def gated_collaborators(
    gate: Gate,
    *,
    database: GatedDatabase,
    settings: Settings,
    transport: httpx.BaseTransport,
    parameters: ReadsParameter,
    daily: WorkQueue,
    backfill: WorkQueue,
    observer: Observer,
    dead_letters: list[FetchFailed] | None = None,
) -> Collaborators:
    """The real engine, with everything that leaves the process behind `gate`."""
    runs = RunStore(database, lease_seconds=settings.lease_seconds, overlap_days=settings.mono_overlap_days)
    return Collaborators(
        database=database,
        accounts=AccountStore(database),
        runs=runs,
        transactions=TransactionStore(database, runs),
        evidence=EvidenceStore(database),
        # a clock that stands: how many questions are asked must not depend on how fast this machine is
        budget=RateBudget(database, per_minute=settings.mono_rate_limit_per_minute, monotonic=lambda: 0.0),
        mono=MonoClient(
            base_url=settings.mono_base_url,
            secret_key=Secret(settings.mono_secret_key.reveal()),
            environment="local",
            transport=GatedTransport(transport, gate),
        ),
        flag=FlagReader(GatedParameter(parameters, gate), FLAG_PARAMETER, monotonic=_always_later()),
        daily=GatedQueue(daily, gate),  # type: ignore[arg-type]
        backfill=GatedQueue(backfill, gate),  # type: ignore[arg-type]
        dead_letters=GatedDeadLetters([] if dead_letters is None else dead_letters, gate),  # type: ignore[arg-type]
        settings=settings,
        observer=observer,
        executor=AtOnce(),
        patience=lambda: Patience(sleep=lambda _seconds: None),
    )


class GatedDeadLetters:
    """A dead-letter queue behind a gate, as far as a worker and the schedule use one. `taken` is what it took."""

    def __init__(self, taken: list[FetchFailed], gate: Gate) -> None:
        self._taken = taken
        self._gate = gate

    def send(self, letter: FetchFailed) -> None:
        """Take the letter of an account that failed too often."""
        call = Call(kind="sqs", name="send dead letter")
        self._gate.before(call)
        self._taken.append(letter)
        self._gate.after(call)


@cache
def statement_name(statement: str) -> str:
    """A statement's name in its `.sql` file, or its first words."""
    known = {text: name for path in sorted(SQL_FOLDER.glob("*.sql")) for name, text in statements(path.stem).items()}
    return known.get(statement) or " ".join(statement.split()[:4])


def _always_later() -> Callable[[], float]:
    """A clock that makes every reading of the flag a fresh one."""
    state = [0.0]

    def now() -> float:
        state[0] += 60.0
        return state[0]

    return now
