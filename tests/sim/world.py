"""The simulated world: a bank, a clock, queues, a flag, and one PostgreSQL that all workers share.

Time is virtual: `pipeline_now()` is an epoch plus a sequence of milliseconds, each reading one later than the last.
"""

from __future__ import annotations

import json
from collections import Counter
from copy import replace
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from local.sandbox.effects.contents import Rows
from local.sandbox.faults import Fault
from local.sandbox.sandbox import Sandbox
from local.sandbox.transport import SandboxTransport
from local.sandbox.wire import encode_row
from local.sandbox.world import DEFAULT_KEY
from mono_pipeline.adapters.inbox_store import Effect
from mono_pipeline.adapters.migrator import migrate
from mono_pipeline.adapters.parameters import Parameter
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.adapters.queue import WebhookReceived
from mono_pipeline.core.booking import booking_date
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import ParametersUnavailable
from mono_pipeline.core.link_state import wants_read
from mono_pipeline.core.secret import Secret
from mono_pipeline.usecases.lifecycle import Heard, Lifecycle
from mono_pipeline.usecases.scheduled_round import ScheduledRound
from mono_pipeline.usecases.sync_request import SyncAsked, SyncRequest
from mono_pipeline.usecases.wake_up import Served, WakeUp
from tests.crash.calls import Call, GatedDatabase, gated_collaborators
from tests.harness import SETTINGS
from tests.sim.lives import Baton, Life
from tests.webhook_life import message as as_received

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from local.postgres import PostgresServer
    from local.sandbox.message import RequestParts
    from local.sandbox.pages import Page
    from mono_pipeline.adapters.queue import FetchRequested
    from mono_pipeline.core.dead_letter import FetchFailed
    from mono_pipeline.core.run import LeasedRun
    from mono_pipeline.usecases.collaborators import Collaborators

EPOCH = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
MIGRATIONS = Path(__file__).parents[2] / "migrations"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}
PAGE, FLUSH = 5, 10
SIM_SETTINGS = replace(
    SETTINGS,
    mono_secret_key=Secret(DEFAULT_KEY),
    mono_page_limit=PAGE,
    flush_rows=FLUSH,
    pages_in_flight=2,
)
CLOCK = f"""
CREATE SEQUENCE sim_milliseconds;
CREATE OR REPLACE FUNCTION pipeline_now() RETURNS timestamptz LANGUAGE sql VOLATILE
  AS $$ SELECT timestamptz '{EPOCH.isoformat()}' + nextval('sim_milliseconds') * interval '1 millisecond' $$
"""
AS_MIGRATED = """
SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1
"""
FORGET = """
SET session_replication_role = replica;
TRUNCATE {tables};
{seeds}SET session_replication_role = origin;
UPDATE provider_budget SET refilled_at = timestamptz '{epoch}';
ALTER SEQUENCE sim_milliseconds RESTART
"""

# A kobo of one row is made the next one's, so that the running balances carry on and only comparing tells. Only while
# the account is being read: what is changed after a run has ended is no run's to answer for.
TAMPER = """
WITH live AS MATERIALIZED (
  SELECT t.*, CASE t.direction WHEN 'credit' THEN 1 ELSE -1 END AS sign
  FROM bank_transactions t JOIN bank_accounts a ON a.id = t.account_id
  JOIN sync_runs r ON r.run_id = a.lease_run_id AND r.status = 'running'
  WHERE a.id = :account AND t.disappeared_at IS NULL AND t.amount_minor > 0
),
chosen AS (
  SELECT one.id AS one, next.id AS next FROM live one JOIN live next
    ON next.id <> one.id AND next.balance_after_minor - next.sign * next.amount_minor = one.balance_after_minor
  ORDER BY one.booking_date DESC, one.mono_transaction_id, next.mono_transaction_id OFFSET :row LIMIT 1
)
UPDATE bank_transactions t
   SET amount_minor = l.amount_minor + l.sign * CASE WHEN l.id = one THEN 1 ELSE -1 END,
       balance_after_minor = l.balance_after_minor + CASE WHEN l.id = one THEN 1 ELSE 0 END
  FROM chosen, live l WHERE l.id IN (one, next) AND t.id = l.id
RETURNING t.id, t.version, t.amount_minor AS amount_now, l.amount_minor AS amount, l.balance_after_minor AS balance
"""
UNDO = """
UPDATE bank_transactions SET amount_minor = :amount, balance_after_minor = :balance
WHERE (id, version, amount_minor) = (:id, :version, :amount_now) RETURNING id
"""

# Of a sequence's workers only one is ever let go on at a time, so that whoever waits for a lock is known.
WAITS = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock') AS waits
"""
# What came of an event that is a reason to look at its account, if it tells of rows.
SEEN_TO = frozenset({Effect.NOTED, Effect.CHANGED, Effect.IMPORTED, Effect.RELINKED})
# What came of a wake-up that must not be lost.
TAKEN = frozenset({Served.DONE, Served.ALREADY_RUNNING, Served.CONTINUES, Served.PAUSED})

type Row = dict[str, Any]
type Shown = dict[str, tuple[Any, ...]]


@dataclass(eq=False)
class Message:
    """A message that lies in a queue: a wake-up, or an event of Mono's."""

    body: FetchRequested | WebhookReceived
    sent_at: float
    queue: str
    deliveries: int = 0


@dataclass
class Queue:
    """SQS's part: keeps what it took until it is deleted."""

    world: World
    name: str

    def send(self, message: FetchRequested, *, group: str) -> None:
        """Take one message."""
        assert group
        self.world.messages.append(Message(body=message, sent_at=self.world.now(), queue=self.name))

    def send_many(self, messages: Any) -> int:
        """Take all messages."""
        for message, group in messages:
            self.send(message, group=group)
        return len(messages)


class Flag:
    """SSM's part: a value, or no answer."""

    def __init__(self) -> None:
        self.value: str | None = "true"

    def get(self, name: str) -> Parameter:
        """The flag now."""
        if self.value is None:
            raise ParametersUnavailable("SSM does not answer")
        return Parameter(name=name, value=self.value, version=1)


@dataclass(eq=False)
class Account:
    """A bank account that is kept under `id`.

    `links` are the ids under which Mono has had it, the youngest last, each with all that it has shown, the newest
    last. Of them `ended` are unlinked, and for `wanted` the bank has asked for the customer. `woken_at` is when the
    youngest wake-up was sent that a worker has taken for served, `told_at` the youngest event that tells of rows.
    """

    id: int
    links: dict[str, list[Shown]]
    ended: set[str] = field(default_factory=set)
    wanted: set[str] = field(default_factory=set)
    woken_at: float | None = None
    told_at: float | None = None
    taken_out: list[Callable[[], None]] = field(default_factory=list)

    @property
    def mono_id(self) -> str:
        """What Mono calls it now."""
        return next(reversed(self.links))

    @property
    def is_linked(self) -> bool:
        """Whether its youngest link lives."""
        return self.mono_id not in self.ended


class Onlooker(Database):
    """A connection that looks on, for several threads."""

    def __init__(self, address: DatabaseAddress) -> None:
        super().__init__(address)
        self._looking = RLock()

    def rows(self, statement: str, **parameters: Any) -> list[Row]:
        """One at a time."""
        with self._looking:
            return super().rows(statement, **parameters)


class BrokenRows(Rows):
    """Shows rows otherwise than they are, by their id."""

    by_id: dict[str, dict[str, Any]]

    def on_page(self, page: Page, request: RequestParts) -> None:
        """Put the broken fields in."""
        del request
        shown = [json.loads(row) for row in page.rows]
        page.rows = [encode_row({**row, **self.by_id.get(row["id"], {})}) for row in shown]


class Watcher:
    """The observer of one life: knows which run it works on."""

    def __init__(self, world: World) -> None:
        self.run: LeasedRun | None = None
        self._world = world

    def stage(self, *_: Any) -> None:
        """Nothing to do."""

    def error(self, _run: Any, _stage: str, reason: str) -> None:
        """Count the reason."""
        self._world.seen[f"error {reason}"] += 1

    def zero_transactions(self, _run: Any) -> None:
        """Count it."""
        self._world.seen["zero transactions"] += 1

    def stale_accounts(self, *_: Any, **__: Any) -> None:
        """Nothing to do."""

    def event(self, name: str, run: LeasedRun | None, **_fields: Any) -> None:
        """Note the run that begins or goes on."""
        self._world.seen[name] += 1
        if name == "mono.fetch.started" and run is not None:
            self.run = run


class Ground:
    """The server's database that sequences share, one after the other, and the connections that stay open."""

    def __init__(self, server: PostgresServer, name: str = "sim") -> None:
        self.address = DatabaseAddress(host="127.0.0.1", port=server.port, database=name, user="postgres")
        postgres = Database(replace(self.address, database="postgres"))
        postgres.rows(f"CREATE DATABASE {name}")
        postgres.close()
        migrate(server.url(name), MIGRATIONS)
        self.checker = Onlooker(self.address)
        for statement in CLOCK.split(";\n"):
            self.checker.rows(statement)
        self.idle: list[GatedDatabase] = []
        self._forget = self._how_to_forget()

    def _how_to_forget(self) -> list[str]:
        """Statements that bring every table, whichever the migrations made, back to what they put into it."""
        tables = [row["name"] for row in self.checker.rows(AS_MIGRATED)]
        seeded = [name for name in tables if self.checker.rows(f"SELECT true AS found FROM {name} LIMIT 1")]  # noqa: S608 - a table's name
        self.checker.rows("CREATE SCHEMA seeds")
        for name in seeded:
            self.checker.rows(f"CREATE TABLE seeds.{name} AS TABLE {name}")
        seeds = "".join(f"INSERT INTO {name} TABLE seeds.{name};\n" for name in seeded)
        text = FORGET.format(tables=", ".join(tables), seeds=seeds, epoch=EPOCH.isoformat())
        return [statement.strip() for statement in text.split(";\n")]

    def forget(self) -> None:
        """Begin again: no account, no row, the epoch."""
        for statement in self._forget:
            self.checker.rows(statement)

    def close(self) -> None:
        """Close every connection."""
        for database in (self.checker, *self.idle):
            database.close()

    def connection(self, baton: Baton) -> GatedDatabase:
        """A warm connection, or a new one."""
        database = self.idle.pop() if self.idle else GatedDatabase(self.address, Baton.open())
        database._gate = Baton.open()
        database.rows("SELECT setseed(0)")  # due times have jitter: the same in every replay
        database._gate = baton
        baton.database = database
        return database


class World:
    """One sequence's world."""

    def __init__(self, ground: Ground) -> None:
        ground.forget()
        self.ground = ground
        self.sandbox = Sandbox(seed="sim", now=EPOCH)
        broken = BrokenRows(by_id={})
        self.broken_rows = broken.by_id
        self._breaks = Fault(effect=broken, path="*/transactions", times=None)
        self.end_faults()
        self.on_the_way: list[dict[str, Any]] = []  # webhooks of which Mono knows that they are sent
        self.messages: list[Message] = []
        self.dead_letters: list[FetchFailed] = []
        self.flag = Flag()
        self.lives: list[tuple[Life, Message | None]] = []
        self.seen: Counter[str] = Counter()
        self.accounts: list[Account] = []
        self.pass_began: dict[UUID, tuple[int, str, int]] = {}  # fence, link, and what it had shown last then
        self.heard: dict[str, float] = {}  # when an event was sent, by its key, once it was taken for served
        self.stale_commits: list[str] = []
        self.tampered: int | None = None  # whose rows are not what was landed: only there a mismatch is right
        self._moved = 0
        self._sent = 0

    # --- the bank

    def link(self, *, transactions: int, days: int) -> None:
        """One more account, imported."""
        made = self.sandbox.create_account(transactions=transactions, days=days)
        row = self.ground.checker.rows(
            """INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency, account_number, bank_code)
               VALUES (:id, :id, 'NGN', :number, :bank) RETURNING id""",
            id=made["id"],
            number=made["account_number"],
            bank=made["bank_code"],
        )[0]
        self.accounts.append(Account(id=row["id"], links={str(made["id"]): []}))
        self.note_bank()

    def relink(self, account: Account, *, same_ids: bool, ends_old: bool) -> None:
        """The customer links the account anew; the old link ends, or lives on beside the new one."""
        old = account.mono_id
        new = str(self.sandbox.relink(old, same_ids=same_ids, unlink=ends_old)["id"])
        if ends_old:
            account.ended.add(old)
        account.links[new] = []
        self.note_bank()

    def unlink(self, account: Account, link: str) -> None:
        """The customer or Mono ends a link."""
        self.sandbox.unlink(link)
        account.ended.add(link)
        self.note_bank()

    def tell(self, account: Account, link: str, event: Any, word: str | None = None) -> None:
        """Mono tells something of a link, of a real-time sync's end perhaps with a `word`."""
        body = self.sandbox.fire_webhook(event=event, account=link)[0]["body"]
        if word is not None:
            body["data"]["meta"]["sync_status"] = word
        if "reauthorisation" in f"{event} {word}".lower():
            account.wanted.add(link)
        self.note_bank()

    def account_of(self, mono_id: str) -> Account | None:
        """The account that Mono has, or had, under this id."""
        return next((each for each in self.accounts if mono_id in each.links), None)

    def end_faults(self) -> None:
        """Mono answers well again; rows that are broken stay so."""
        self.sandbox.clear_faults()
        self.sandbox.inject(self._breaks)

    def note_bank(self) -> None:
        """Keep what Mono shows of each link from now on, and what it has sent."""
        for account in self.accounts:
            for link, shown in account.links.items():
                if link in account.ended and shown:
                    continue
                rows = {row["id"]: as_stored(row) for row in self.sandbox.truth(link)["copy"]}
                if not shown or shown[-1] != rows:
                    shown.append(rows)
        sent = self.sandbox.outbox.webhooks
        self.on_the_way += [webhook.body for webhook in sent[self._sent :]]
        self._sent = len(sent)

    def arrive(self, body: dict[str, Any], copies: int = 1) -> None:
        """A webhook is taken for durable, once or more often."""
        for _ in range(copies):
            self.messages.append(Message(body=as_received(body), sent_at=self.now(), queue="daily"))

    # --- what is stored

    def tamper(self, account: Account, row: int) -> list[Row]:
        """Change two stored amounts of an account that is being read, as who owns the table; what was changed."""
        return self.ground.checker.rows(TAMPER, account=account.id, row=row)

    def undo(self, changed: list[Row]) -> bool:
        """Set right what no run has; whether there was anything left to do."""
        undone = [row for row in changed if self.ground.checker.rows(UNDO, **row)]
        return bool(undone)

    # --- time

    def now(self) -> float:
        """The database's clock in Unix seconds."""
        row = self.ground.checker.rows("SELECT extract(epoch FROM pipeline_now())::float8 AS now")[0]
        return float(row["now"])

    def let_pass(self, seconds: int) -> None:
        """Let time pass for everybody."""
        self.ground.checker.rows(
            "SELECT setval('sim_milliseconds', nextval('sim_milliseconds') + :ms)", ms=seconds * 1000
        )
        self._moved += seconds
        self.sandbox.set_clock(now=EPOCH + timedelta(seconds=self._moved))

    # --- work

    def tick(self) -> Life:
        """The schedule fires."""
        return self._begin("tick", lambda using: ScheduledRound(using).go(Deadline.after(60)))

    def ask(self, account: Account) -> Life:
        """The API is called."""
        asked = SyncAsked(account_id=account.mono_id, window=None, correlation_id="c-api")

        def work(using: Collaborators) -> Any:
            request = SyncRequest(flag=using.flag, observer=using.observer, connect=lambda: using)
            return request.ask(asked, Deadline.after(60)).status

        return self._begin("ask", work)

    def deliver(self, message: Message, *, seconds: float = 60.0) -> Life:
        """The queue hands a message to a worker; with no `seconds` it is out of time at its first flush."""
        message.deliveries += 1

        body = message.body
        if isinstance(body, WebhookReceived):
            received_at = datetime.fromtimestamp(message.sent_at, UTC)

            def hear(using: Collaborators) -> Heard:
                return Lifecycle(using).serve(body, received_at=received_at, deadline=Deadline.after(seconds))

            return self._begin(f"event {body.event.kind}", hear, message)

        def work(using: Collaborators) -> Served:
            queue = using.daily if message.queue == "daily" else using.backfill
            wake = WakeUp(using, queue=queue)
            return wake.serve(body, sent_at=message.sent_at, deadline=Deadline.after(seconds))

        return self._begin(f"wake-up {body.requested_by}", work, message)

    def waits(self) -> bool:
        """Whether somebody waits for a lock."""
        return bool(self.ground.checker.rows(WAITS)[0]["waits"])

    def reap(self) -> list[tuple[Life, Message | None]]:
        """Take the lives that are over out of the list; messages that were served are deleted."""
        over = [(life, message) for life, message in self.lives if life.over]
        self.lives = [(life, message) for life, message in self.lives if not life.over]
        for life, message in over:
            if life.baton.database is not None and life.died:
                life.baton.database.close()  # as the kernel does
            elif life.baton.database is not None:
                self.ground.idle.append(life.baton.database)
            if message is not None and life.error is None and message in self.messages:
                self.messages.remove(message)
                self._served(message, life.outcome)
        return over

    def _served(self, message: Message, outcome: Served | Heard) -> None:
        account, body = self.account_of(message.body.account_id), message.body
        assert account is not None
        if isinstance(body, WebhookReceived):
            assert isinstance(outcome, Heard)
            told = self.heard.setdefault(body.event.event_key, message.sent_at)  # a copy tells nothing that is newer
            if outcome.read is not None or (outcome.effect in SEEN_TO and wants_read(body.event)):
                account.told_at = max(account.told_at or 0.0, told)
        elif body.requested_by == "webhook" and body.hop == 0 and outcome in TAKEN:
            account.woken_at = max(account.woken_at or 0.0, message.sent_at)

    def _begin(self, label: str, work: Callable[[Collaborators], Any], message: Message | None = None) -> Life:
        baton = Baton()
        watcher = Watcher(self)
        using = gated_collaborators(
            baton,
            database=self.ground.connection(baton),
            settings=SIM_SETTINGS,
            transport=SandboxTransport(self.sandbox),
            parameters=self.flag,
            daily=Queue(self, "daily"),  # type: ignore[arg-type]
            backfill=Queue(self, "backfill"),  # type: ignore[arg-type]
            observer=watcher,
            dead_letters=self.dead_letters,
        )
        flushing = [False]

        def on_call(call: Call) -> None:
            if call.kind == "http" and call.name == "transactions page 1" and watcher.run is not None:
                self._pass_begins(watcher.run)
            if call.name in {"land_rows", "land_first_rows", "recognise_rows"}:
                flushing[0] = True

        def on_answer(call: Call) -> None:
            if call.name in {"COMMIT", "ROLLBACK"} and watcher.run is not None:
                if call.name == "COMMIT" and flushing[0]:
                    baton.flushes += 1
                    self.seen["flush committed"] += 1
                    self._committed(watcher.run)
                flushing[0] = False

        baton.on_call, baton.on_answer = on_call, on_answer
        life = Life(baton, lambda: work(using), label=label)
        self.lives.append((life, message))
        return life

    def _pass_begins(self, run: LeasedRun) -> None:
        link = run.account.mono_account_id
        account = self.account_of(link)
        assert account is not None
        fence, *_ = self.pass_began.get(run.run_id, (0,))
        if run.fence >= fence:  # what a worker reads whose lease was taken over is written nowhere
            self.pass_began[run.run_id] = (run.fence, link, len(account.links[link]) - 1)

    def _committed(self, run: LeasedRun) -> None:
        row = self.ground.checker.rows("SELECT fence FROM bank_accounts WHERE id = :id", id=run.account.id)[0]
        if row["fence"] != run.fence:
            self.stale_commits.append(
                f"a flush under fence {run.fence} was committed while the fence is {row['fence']}"
            )


def as_stored(row: Row) -> tuple[Any, ...]:
    """A row of the bank as the table should have it, with its Lagos day at the end."""
    day: date = booking_date(datetime.fromisoformat(row["date"]))
    return (row["amount"], row["type"], row["narration"], row["category"], row.get("balance"), day)
