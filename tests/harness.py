"""The pipeline in one process: the real engine on a real PostgreSQL, the sandbox for Mono, memory for AWS."""

from __future__ import annotations

import json
import random
from concurrent.futures import ThreadPoolExecutor
from copy import replace
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

from local.sandbox.message import RequestParts
from local.sandbox.transport import SandboxTransport
from mono_pipeline.adapters.account_store import AccountStore
from mono_pipeline.adapters.evidence_store import EvidenceStore
from mono_pipeline.adapters.flag_reader import FlagReader
from mono_pipeline.adapters.mono_client import MonoClient
from mono_pipeline.adapters.parameters import Parameter
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.adapters.queue import FetchRequested
from mono_pipeline.adapters.rate_budget import RateBudget
from mono_pipeline.adapters.run_store import RunStore
from mono_pipeline.adapters.settings import Settings
from mono_pipeline.adapters.transaction_store import TransactionStore
from mono_pipeline.core.booking import booking_date
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import QueueUnavailable
from mono_pipeline.core.run import BACKFILL, RunKind
from mono_pipeline.core.secret import Secret
from mono_pipeline.usecases.account_sync import AccountSync, RunEnd
from mono_pipeline.usecases.collaborators import Collaborators
from mono_pipeline.usecases.patience import Patience
from mono_pipeline.usecases.schedule_tick import ScheduleTick, TickResult
from mono_pipeline.usecases.scheduled_round import RoundResult, ScheduledRound
from mono_pipeline.usecases.sync_request import SyncAnswer, SyncAsked, SyncRequest
from mono_pipeline.usecases.wake_up import Served, WakeUp

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from uuid import UUID

    import httpx

    from local.sandbox.sandbox import Sandbox
    from mono_pipeline.core.booking import DateWindow
    from mono_pipeline.core.dead_letter import FetchFailed

SETTINGS = Settings(
    environment="local",
    mono_base_url="http://127.0.0.1:1",
    mono_secret_key=Secret("test_sk_made_up_for_the_sandbox"),
    mono_app_id=None,
    mono_page_limit=20,
    mono_overlap_days=7,
    mono_rate_limit_per_minute=100_000,
    sync_interval_hours=12,
    deep_read_days=7,
    removal_evidence_hours=24,
    freshness_slo_hours=26,
    realtime_monthly_cap_ngn=0,
    lease_seconds=90,
    flush_rows=100,
    pages_in_flight=4,
    account_metrics_mode="all",
    database_host="127.0.0.1",
    database_port=1,
    database_name="x",
    database_user="postgres",
    database_sslmode="disable",
    database_password=None,
    queue_url="memory/daily",
    backfill_queue_url="memory/backfill",
    dead_letter_queue_url="memory/dead",
    backfill_interval_seconds=0,
)


class FlagInMemory:
    """SSM's part in reading the flag."""

    def __init__(self, value: str = "true") -> None:
        self.value = value
        self.version = 1

    def set(self, value: str) -> None:
        """Write a new version."""
        self.value, self.version = value, self.version + 1

    def get(self, name: str) -> Parameter:
        """The flag now."""
        return Parameter(name=name, value=self.value, version=self.version)


@dataclass
class QueueInMemory:
    """SQS's part in waking workers."""

    messages: list[FetchRequested] = field(default_factory=list)
    fails: bool = False
    takes: int | None = None

    def send(self, message: FetchRequested, *, group: str) -> None:
        """Keep the message, or fail as SQS may."""
        assert group
        if self.fails:
            raise QueueUnavailable("SQS did not take the message")
        self.messages.append(message)

    def send_many(self, messages: list[tuple[FetchRequested, str]]) -> int:
        """Keep the messages, or fail as SQS may."""
        if self.fails and messages:
            raise QueueUnavailable("SQS did not take the messages")
        kept = messages[: self.takes]
        self.messages += [message for message, _ in kept]
        return len(kept)

    def drain(self) -> list[FetchRequested]:
        """Take all messages."""
        taken, self.messages = self.messages, []
        return taken


@dataclass
class DeadLettersInMemory:
    """The dead-letter queue's part in being told of an account that failed too often."""

    letters: list[FetchFailed] = field(default_factory=list)
    fails: bool = False

    def send(self, letter: FetchFailed) -> None:
        """Keep the letter, or fail as SQS may."""
        if self.fails:
            raise QueueUnavailable("SQS did not take the message")
        self.letters.append(letter)


@dataclass
class Witness:
    """An observer that remembers."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    stages: list[tuple[str, str]] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    zero_runs: int = 0
    stale: list[tuple[int, str | None]] = field(default_factory=list)

    def begin(self, **_: Any) -> None:
        """An invocation begins."""

    def correlate(self, _correlation_id: str) -> None:
        """What goes on was asked for under an id."""

    def tick(self) -> None:
        """A tick of the schedule."""

    def failed(self, _error: Exception) -> None:
        """An invocation ends in an error."""

    def stage(self, _run: Any, stage: str, _seconds: float, outcome: str) -> None:
        """A stage ended."""
        self.stages.append((stage, outcome))

    def error(self, _run: Any, stage: str, reason: str) -> None:
        """Something failed."""
        self.errors.append((stage, reason))

    def zero_transactions(self, _run: Any) -> None:
        """A complete pass read no row."""
        self.zero_runs += 1

    def stale_accounts(self, count: int, *, account_id: str | None = None) -> None:
        """So many accounts are stale, or this one is."""
        self.stale.append((count, account_id))

    def event(self, name: str, _run: Any, **fields: Any) -> None:
        """Something happened."""
        self.events.append((name, fields))

    def names(self) -> list[str]:
        """The names of the events so far."""
        return [name for name, _ in self.events]


class Pipeline:
    """Everything a sync needs, with a bank to change and rows to look at."""

    def __init__(self, address: DatabaseAddress, sandbox: Sandbox, **settings: Any) -> None:
        self.address = address
        self.sandbox = sandbox
        self.settings = replace(SETTINGS, **settings)
        self.ssm = FlagInMemory()
        self.witness = Witness()
        self.daily, self.backfill = QueueInMemory(), QueueInMemory()
        self.dead_letters = DeadLettersInMemory()
        self.slept: list[float] = []
        self._jitter = random.Random(1)  # noqa: S311 - whether ten seconds last for two unlucky runs is no matter of chance
        self._open: list[Callable[[], None]] = []
        self._looking = Lock()
        self.worker = self.new_worker()

    def new_worker(self, transport: httpx.BaseTransport | None = None) -> Collaborators:
        """The collaborators of another environment: a connection and a client of its own."""
        database = Database(self.address)
        mono = MonoClient(
            base_url=self.settings.mono_base_url,
            secret_key=Secret(self.sandbox.secret_key),
            environment="local",
            transport=transport or SandboxTransport(self.sandbox),
        )
        executor = ThreadPoolExecutor(max_workers=self.settings.pages_in_flight)
        self._open += [database.close, mono.close, executor.shutdown]
        runs = RunStore(
            database, lease_seconds=self.settings.lease_seconds, overlap_days=self.settings.mono_overlap_days
        )
        return Collaborators(
            database=database,
            accounts=AccountStore(database),
            runs=runs,
            transactions=TransactionStore(database, runs),
            evidence=EvidenceStore(database),
            budget=RateBudget(database, per_minute=self.settings.mono_rate_limit_per_minute),
            mono=mono,
            flag=FlagReader(self.ssm, "/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED", monotonic=_always_later()),
            daily=self.daily,  # type: ignore[arg-type]
            backfill=self.backfill,  # type: ignore[arg-type]
            dead_letters=self.dead_letters,  # type: ignore[arg-type]
            settings=self.settings,
            observer=self.witness,  # type: ignore[arg-type]
            executor=executor,
            patience=lambda: Patience(sleep=self.slept.append, jitter=self._jitter),
        )

    def close(self) -> None:
        """Close connections and threads."""
        for close in reversed(self._open):
            close()

    def link(self, **account: Any) -> str:
        """A new account at the bank, imported; its Mono id."""
        account_id = str(self.sandbox.create_account(**account)["id"])
        self.import_account(account_id)
        return account_id

    def import_account(self, account_id: str) -> None:
        """Bring one account of the sandbox into the tables."""
        self.worker.accounts.import_account(self.worker.mono.account(account_id, deadline=Deadline.after(10)))

    def sync(
        self,
        account_id: str,
        *,
        kind: RunKind = RunKind.INCREMENTAL,
        asked: DateWindow | None = None,
        worker: Collaborators | None = None,
        seconds: float = 60.0,
    ) -> RunEnd:
        """Request a run, claim it and work on it, as a worker would."""
        using = worker or self.worker
        account = using.accounts.find(account_id)
        using.runs.request(account.id, kind=kind, asked=asked, requested_by="test", correlation_id="c-1")
        leased = using.runs.claim(account.id, flag_reason="DEFAULT")
        assert leased is not None
        return AccountSync(using).run(leased, Deadline.after(seconds))

    def request(self, account_id: str, *, kind: RunKind = RunKind.INCREMENTAL) -> UUID:
        """Ask for a run without starting it."""
        account = self.worker.accounts.find(account_id)
        return self.worker.runs.request(account.id, kind=kind, asked=None, requested_by="test", correlation_id="c-1")

    def from_schedule(self, account_id: str) -> FetchRequested:
        """The tick's message for an account."""
        return FetchRequested(account_id=account_id, correlation_id="c-tick", requested_by="schedule")

    def ask(self, account_id: str, *, window: DateWindow | None = None, seconds: float = 20.0) -> SyncAnswer:
        """Ask as the API does."""
        request = SyncRequest(flag=self.worker.flag, observer=self.worker.observer, connect=lambda: self.worker)
        asked = SyncAsked(account_id=account_id, window=window, correlation_id="c-api")
        return request.ask(asked, Deadline.after(seconds))

    def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """Look into the database; tests do that from threads of theirs, beside workers that have their own."""
        with self._looking:
            return self.worker.database.rows(statement, **parameters)

    def run_row(self, end: RunEnd) -> dict[str, Any]:
        """The run as the table has it."""
        return self.rows("SELECT * FROM sync_runs WHERE run_id = :id", id=end.run.run_id)[0]

    def stored(self, account_id: str) -> dict[str, tuple[Any, ...]]:
        """Live rows by transaction id, as (minor units, direction, narration, category, balance, Lagos day)."""
        found = self.rows(
            """SELECT t.* FROM bank_transactions t JOIN bank_accounts a ON a.id = t.account_id
               WHERE a.mono_account_id = :id AND t.disappeared_at IS NULL""",
            id=account_id,
        )
        return {
            row["mono_transaction_id"]: (
                row["amount_minor"],
                row["direction"],
                row["narration"],
                row["category"],
                row["balance_after_minor"],
                row["booking_date"],
            )
            for row in found
        }

    def truth(self, account_id: str, *, of: str = "bank") -> dict[str, tuple[Any, ...]]:
        """The bank's rows in the same form."""
        return {row["id"]: as_stored(row) for row in self.sandbox.truth(account_id)[of]}

    def take_out(self, account_id: str, transaction: str) -> Callable[[], None]:
        """The bank no longer shows a row; calling what is returned shows it again, under its old id."""
        link = self.sandbox.link(account_id)
        book = link.bank_account.ledger
        self.sandbox.remove(account_id, transactions=[transaction])

        def put_back() -> None:
            link.bank_account.ledger = book

        return put_back

    def watermark(self, account_id: str) -> date | None:
        """The account's watermark."""
        return self.worker.accounts.find(account_id).watermark

    def let_pass(self, **interval: int) -> None:
        """Let time pass for the database and the bank alike."""
        ((unit, amount),) = interval.items()
        self.rows(
            f"""CREATE OR REPLACE FUNCTION pipeline_now() RETURNS timestamptz
                AS $$ SELECT clock_timestamp() + interval '{self._moved(unit, amount)} seconds' $$
                LANGUAGE sql VOLATILE"""
        )

    def today(self) -> date:
        """The day in Lagos, by the database."""
        return cast("date", self.rows("SELECT lagos_date(pipeline_now()) AS today")[0]["today"])

    def soon(self) -> Deadline:
        """A deadline that no test reaches."""
        return Deadline.after(60)

    def page_ids(self, account_id: str, number: int) -> list[str]:
        """The ids of the rows that a page without date filters shows now, in its order."""
        rows = self.sandbox.respond(
            RequestParts(
                method="GET",
                path=f"/v2/accounts/{account_id}/transactions",
                query=f"page={number}&limit={self.settings.mono_page_limit}",
                headers={"mono-sec-key": self.sandbox.secret_key},
                body=b"",
            )
        )
        return [row["id"] for row in json.loads(rows.body)["data"]]

    def page_requests(self, account_id: str) -> list[dict[str, str]]:
        """The queries of all requests for the account's transactions since the journal was cleared, oldest first."""
        path = f"/v2/accounts/{account_id}/transactions"
        return [request["query"] for request in self.sandbox.requests() if request["path"] == path]

    def wake(
        self,
        account_id: str,
        *,
        worker: Collaborators | None = None,
        message: FetchRequested | None = None,
        sent_at: float | None = None,
        seconds: float = 60.0,
    ) -> Served:
        """Deliver a message to a worker; without `message` one from outside, without `sent_at` one sent just now."""
        using = worker or self.worker
        asked = message or FetchRequested(account_id=account_id, correlation_id="c-out", requested_by="webhook")
        sent = self.now(using) if sent_at is None else sent_at
        queue = using.backfill if asked.requested_by == BACKFILL else using.daily
        return WakeUp(using, queue=queue).serve(asked, sent_at=sent, deadline=Deadline.after(seconds))

    def tick(self, *, worker: Collaborators | None = None) -> TickResult:
        """One tick of the scheduler."""
        return ScheduleTick(worker or self.worker).tick(Deadline.after(60))

    def round(self, *, worker: Collaborators | None = None, seconds: float = 60.0) -> RoundResult:
        """All that the schedule does every five minutes."""
        return ScheduledRound(worker or self.worker).go(Deadline.after(seconds))

    def drain(self) -> int:
        """Deliver every message that waits in the queues, and those that these send; returns how many."""
        served = 0
        while messages := self.daily.drain() + self.backfill.drain():
            for message in messages:
                self.wake(message.account_id, message=message)
                served += 1
        return served

    def now(self, worker: Collaborators | None = None) -> float:
        """The database's clock, in Unix seconds, asked over a worker's own connection."""
        row = (worker or self.worker).database.row("SELECT extract(epoch FROM pipeline_now())::float8 AS now")
        assert row is not None
        return float(row["now"])

    def seconds_to_next_attempt(self, account_id: str) -> float:
        """In how many seconds the scheduler asks for the account's next run."""
        found = self.rows(
            """SELECT extract(epoch FROM next_attempt_at - pipeline_now())::float8 AS seconds
               FROM bank_accounts WHERE mono_account_id = :id""",
            id=account_id,
        )
        return float(found[0]["seconds"])

    def runs(self, account_id: str) -> list[dict[str, Any]]:
        """All runs of an account, in the order in which they were asked for."""
        return self.rows(
            """SELECT r.* FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
               WHERE a.mono_account_id = :id ORDER BY r.requested_at, r.run_id""",
            id=account_id,
        )

    def account_row(self, account_id: str) -> dict[str, Any]:
        """The account as the table has it."""
        return self.rows("SELECT * FROM bank_accounts WHERE mono_account_id = :id", id=account_id)[0]

    def _moved(self, unit: str, amount: int) -> int:
        seconds = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}[unit] * amount
        self.clock_offset = getattr(self, "clock_offset", 0) + seconds
        self.sandbox.set_clock(advance_seconds=seconds)
        return self.clock_offset


def as_stored(row: dict[str, Any]) -> tuple[Any, ...]:
    """A row of the bank (its wire document) in the form of `Pipeline.stored`."""
    from datetime import datetime  # noqa: PLC0415 - only here

    day = booking_date(datetime.fromisoformat(row["date"]))
    return (row["amount"], row["type"], row["narration"], row["category"], row.get("balance"), day)


def _always_later() -> Callable[[], float]:
    """A clock that makes every reading of the flag a fresh one."""
    state = [0.0]

    def now() -> float:
        state[0] += 60.0
        return state[0]

    return now
