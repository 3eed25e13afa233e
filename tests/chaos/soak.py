"""The soak: a database that crashes, workers that are killed, a bank that changes, and at the end the truth.

Everything runs as deployed but for the clock: `pipeline_now()` runs `SPEED` times as fast as ours, so that
leases, waits and quiet times of minutes pass in seconds.
"""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Self

from local.aws import CREDENTIALS, AwsStandIn, sqs_client, ssm_client
from local.ports import free_port
from local.sandbox.server import SandboxServer
from local.sandbox.world import DEFAULT_KEY
from mono_pipeline.adapters.migrator import migrate
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.adapters.queue import FetchRequested
from mono_pipeline.core.errors import DatabaseUnavailable
from tests.chaos import worker
from tests.chaos.plan import Act, Event, plan
from tests.faults.own_server import OwnServer
from tests.harness import as_stored
from tests.invariants import broken

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

MIGRATIONS: Final = Path(__file__).resolve().parents[2] / "migrations"
SPEED: Final = 30
WORKERS: Final = 3
ACCOUNTS: Final = 120
HISTORY: Final = 45  # rows of an account at first
VISIBILITY: Final = "5"  # seconds after which SQS shows a message again whose worker was killed
DRAIN_SECONDS: Final = 120.0
_DAY: Final = 86_400
_DURABLE: Final = {"fsync": "off"}  # the process crashes here, not the machine


@dataclass(kw_only=True)
class Report:
    """What was done, and what is wrong at the end: `differing` accounts, and invariants that do not hold."""

    seed: int
    done: Counter[str] = field(default_factory=Counter)
    syncs: int = 0
    taken_up: int = 0
    rows: int = 0
    dead_letters: int = 0
    differing: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the tables are the bank, row by row, and sound."""
        return not self.differing and not self.broken


class Soak:
    """One world: server, queues, bank and workers. A context manager that ends all of it."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.report = Report(seed=seed)
        self._folder = folder
        self._server = OwnServer(folder / "cluster")
        self._bank = SandboxServer(accounts=ACCOUNTS, transactions=HISTORY, seed=f"chaos {seed}")
        self._spawn = multiprocessing.get_context("forkserver")
        self._spawn.set_forkserver_preload(["tests.chaos.worker"])
        self._workers: list[BaseProcess] = []
        self._ticks: list[BaseProcess] = []
        self._queues: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._server.start(**_DURABLE)
        self._server.running.ensure_database("pipeline")
        migrate(self._server.running.url("pipeline"), MIGRATIONS)
        self._address = DatabaseAddress(
            host="127.0.0.1", port=self._server.port, database="pipeline", user="postgres", timeout_seconds=10.0
        )
        now = self._one("SELECT now()::text AS at, extract(epoch FROM now())::float8 AS seconds")
        self._began = now["at"]
        self._clock = worker.FastClock(began=now["seconds"], speed=SPEED)
        self._set_clock(0)
        self._aws = AwsStandIn.start(port=free_port(), log=self._folder / "aws.log")
        self._sqs = sqs_client(self._aws.url)
        self._make_queues()
        ssm_client(self._aws.url).put_parameter(
            Name="/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED", Value="true", Type="String"
        )
        self._bank.start()
        self._accounts = [str(each["id"]) for each in self._bank.control.accounts()]
        self._environ = self._environment()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*self._workers, *self._ticks):
            process.kill()
            process.join()
        self._bank.stop()
        self._aws.stop()
        self._server.stop()

    def go(self, seconds: float) -> Report:
        """Let the schedule happen, then let everything go, and compare."""
        for _ in range(WORKERS):
            self._hire()
        self._tick_and_wait()  # brings in the accounts of Mono's list
        began = time.monotonic()
        for event in plan(self.report.seed, seconds):
            time.sleep(max(0.0, began + event.at - time.monotonic()))
            self._do(event)
            self.report.done[event.act] += 1
        self._let_go()
        self._compare()
        return self.report

    def _do(self, event: Event) -> None:
        match event.act:
            case Act.RESTART:
                self._server.crash()
                self._server.start(**_DURABLE)
            case Act.KILL:
                victim = self._workers.pop(event.choice % WORKERS)
                victim.kill()
                victim.join()
                self._hire()
                self._kill_a_tick(event.choice)
            case Act.TICK:
                self._tick()
            case Act.CHANGE:
                self._change(event.choice)
            case Act.WAKE:
                self._wake(self._accounts[event.choice % ACCOUNTS])

    def _change(self, choice: int) -> None:
        """Mostly new rows; some late, some amended, now and then one that goes."""
        account, bank = self._accounts[choice % ACCOUNTS], self._bank.control
        kind = choice // ACCOUNTS % 20
        if kind < 12:
            bank.add(account, count=1 + kind % 3)
        elif kind < 15:
            bank.late(account, count=1, days_ago=2 + kind % 3)
        elif kind < 18:
            bank.amend(account)
        elif kind < 19:
            bank.remove(account, count=1)
        else:
            bank.reshuffle(account)
        bank.refresh(account)

    def _let_go(self) -> None:
        """No more harm: workers work off what is there, days pass, every account is read in full, and again."""
        for days in (1, 9, 12, 21):  # each deep re-read is due after seven; two of them are evidence
            self._set_clock(days * _DAY)
            give_up = time.monotonic() + DRAIN_SECONDS
            self._tick_and_wait()
            while not self._quiet() and time.monotonic() < give_up:
                self._tick_and_wait()

    def _quiet(self) -> bool:
        """Nothing waits in a queue, no run is open, and nobody is due."""
        waiting = sum(
            int(count)
            for name in ("daily", "backfill")
            for count in self._sqs.get_queue_attributes(
                QueueUrl=self._queues[name],
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )["Attributes"].values()
        )
        row = self._one(
            """SELECT (SELECT count(*) FROM sync_runs WHERE status = 'running')
                    + (SELECT count(*) FROM bank_accounts WHERE next_attempt_at <= pipeline_now()
                          AND dead_lettered_at IS NULL) AS open"""
        )
        return waiting == 0 and row["open"] == 0

    def _compare(self) -> None:
        database = Database(self._address)
        for account in self._accounts:
            stored = {
                row["mono_transaction_id"]: (
                    row["amount_minor"],
                    row["direction"],
                    row["narration"],
                    row["category"],
                    row["balance_after_minor"],
                    row["booking_date"],
                )
                for row in database.rows(
                    """SELECT t.* FROM bank_transactions t JOIN bank_accounts a ON a.id = t.account_id
                       WHERE a.mono_account_id = :id AND t.disappeared_at IS NULL""",
                    id=account,
                )
            }
            truth = {row["id"]: as_stored(row) for row in self._bank.control.truth(account)["bank"]}
            self.report.rows += len(truth)
            if stored != truth:
                lost, extra = truth.keys() - stored.keys(), stored.keys() - truth.keys()
                other = sum(stored[key] != truth[key] for key in stored.keys() & truth.keys())
                self.report.differing[account] = f"{len(lost)} lost, {len(extra)} extra, {other} other"
        self.report.broken = broken(database)
        told = database.rows(
            """SELECT count(*) FILTER (WHERE status = 'completed') AS syncs,
                      count(*) FILTER (WHERE hops > 0) AS passed_on FROM sync_runs"""
        )[0]
        self.report.syncs = told["syncs"]
        self.report.taken_up = int(database.rows("SELECT sum(fence) AS leases FROM bank_accounts")[0]["leases"])
        database.close()
        self.report.dead_letters = int(
            self._sqs.get_queue_attributes(
                QueueUrl=self._queues["dead"], AttributeNames=["ApproximateNumberOfMessages"]
            )["Attributes"]["ApproximateNumberOfMessages"]
        )

    def _hire(self) -> None:
        queues = [self._queues["daily"], self._queues["daily"], self._queues["backfill"]]
        process = self._spawn.Process(
            target=worker.work, args=(self._environ, queues, self._clock, self._folder / "worker.log"), daemon=True
        )
        process.start()
        self._workers.append(process)

    def _tick(self) -> None:
        self._ticks = [each for each in self._ticks if each.is_alive()]
        process = self._spawn.Process(target=worker.tick, args=(self._environ, self._folder / "tick.log"), daemon=True)
        process.start()
        self._ticks.append(process)

    def _tick_and_wait(self) -> None:
        self._tick()
        self._ticks[-1].join(timeout=30)
        time.sleep(0.5)

    def _kill_a_tick(self, choice: int) -> None:
        if self._ticks and choice % 2:
            self._ticks[-1].kill()

    def _wake(self, account: str) -> None:
        message = FetchRequested(account_id=account, correlation_id="c-chaos", requested_by="webhook")
        self._sqs.send_message(QueueUrl=self._queues["daily"], MessageBody=message.body())

    def _make_queues(self) -> None:
        create = self._sqs.create_queue
        self._queues["dead"] = create(QueueName="dead")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._queues["dead"], AttributeNames=["QueueArn"])["Attributes"]
        redrive = f'{{"deadLetterTargetArn": "{arn["QueueArn"]}", "maxReceiveCount": 5}}'
        for name in ("daily", "backfill"):
            attributes: Any = {"VisibilityTimeout": VISIBILITY, "RedrivePolicy": redrive}
            self._queues[name] = create(QueueName=name, Attributes=attributes)["QueueUrl"]

    def _set_clock(self, ahead_seconds: int) -> None:
        self._one(
            f"""CREATE OR REPLACE FUNCTION pipeline_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
                $$ SELECT timestamptz '{self._began}' + interval '{ahead_seconds} seconds'
                        + {SPEED} * (clock_timestamp() - timestamptz '{self._began}') $$"""
        )

    def _one(self, statement: str) -> dict[str, Any]:
        """The first row of an answer; a server that has just been started may still refuse."""
        give_up = time.monotonic() + 30
        while True:
            database = Database(self._address)
            try:
                return next(iter(database.rows(statement)), {})
            except DatabaseUnavailable:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)
            finally:
                database.close()

    def _environment(self) -> dict[str, str]:
        return {
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self._aws.url,
            "ENVIRONMENT": "local",
            "POWERTOOLS_SERVICE_NAME": "mono-pipeline",
            "POWERTOOLS_METRICS_NAMESPACE": "TaxPoynt",
            "MONO_BASE_URL": self._bank.url,
            "MONO_SECRET_KEY": DEFAULT_KEY,
            "MONO_PAGE_LIMIT": "20",
            "MONO_RATE_LIMIT_PER_MINUTE": "100000",
            "FLUSH_ROWS": "40",
            "DATABASE_HOST": "127.0.0.1",
            "DATABASE_PORT": str(self._server.port),
            "DATABASE_NAME": "pipeline",
            "DATABASE_USER": "postgres",
            "DATABASE_SSLMODE": "disable",
            "DATABASE_PASSWORD": "trusted_on_loopback",
            "QUEUE_URL": self._queues["daily"],
            "BACKFILL_QUEUE_URL": self._queues["backfill"],
            "DEAD_LETTER_QUEUE_URL": self._queues["dead"],
        }


def soak(seed: int, seconds: float) -> Report:
    """A soak of `seconds`, and the time that it takes to come to rest after it."""
    with TemporaryDirectory(prefix="mono-pipeline-chaos-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL runs as another user and has to pass
        with Soak(seed, Path(folder)) as world:
            return world.go(seconds)
