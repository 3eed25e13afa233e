"""Where crashes are played: one PostgreSQL, one bank, one zygote, and a database of its own for each point."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Literal, Self
from uuid import uuid4

from local.postgres import PostgresServer
from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.migrator import migrate
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from tests.crash.bank import BankServer
from tests.crash.child import FLUSH, PAGE, Journal, Orders
from tests.crash.proxy import CuttingProxy
from tests.crash.zygote import Zygote
from tests.invariants import broken
from tests.sim.checks import STORED
from tests.sim.world import CLOCK, EPOCH, FAST, MIGRATIONS, as_stored

if TYPE_CHECKING:
    from types import TracebackType

    from tests.crash.scenarios import Chapter, Scenario

type Fault = Literal["killed before", "killed after", "cut before", "cut after"]

KILLED: Final = -9
ROUND_SECONDS: Final = 660  # a tick after the lease ran out and an unserved run has been quiet for ten minutes
MOST_ROUNDS: Final = 4
# what must be the same whatever happened on the way; times and run ids are not
FINAL: Final = {
    "transactions": """SELECT mono_transaction_id, version, amount_minor, direction, narration, category,
        balance_after_minor, booking_date, disappeared_at IS NOT NULL AS disappeared
        FROM bank_transactions ORDER BY mono_transaction_id""",
    "versions": """SELECT mono_transaction_id, version, amount_minor, narration, balance_after_minor,
        disappeared_at IS NOT NULL AS disappeared
        FROM bank_transaction_versions ORDER BY mono_transaction_id, version""",
    "accounts": "SELECT mono_account_id, watermark, link_status, balance_minor FROM bank_accounts",
    "quarantine": """SELECT mono_transaction_id, reason, payload FROM quarantined_transactions
        WHERE closed_at IS NULL ORDER BY payload, reason""",
    "evidence": "SELECT mono_transaction_id FROM removal_evidence ORDER BY mono_transaction_id",
    "suspicions": "SELECT old_id, new_id, status FROM duplicate_suspicions ORDER BY old_id",
    "verdict": """SELECT status, verdict, verdict_reason FROM sync_runs WHERE status <> 'running'
        ORDER BY finished_at DESC LIMIT 1""",
    "open": "SELECT kind, status FROM sync_runs WHERE status = 'running'",
    "leases": "SELECT lease_run_id FROM bank_accounts WHERE lease_run_id IS NOT NULL",
}


@dataclass(frozen=True, kw_only=True)
class Point:
    """One place to break: `number` counts calls (killed) or statements on the wire (cut) from 1."""

    fault: Fault
    number: int
    call: str

    def __str__(self) -> str:
        return f"{self.fault} call {self.number}: {self.call}"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The scenario undisturbed: the calls that it makes, how it ends, and how many pages it reads."""

    template: str
    account: str
    calls: list[str]
    statements: list[str]
    final: dict[str, Any]
    pages: int

    def points(self) -> list[Point]:
        """Every place to break."""
        killed = [
            Point(fault=fault, number=number, call=call)
            for number, call in enumerate(self.calls, 1)
            for fault in ("killed before", "killed after")
        ]
        cut = [
            Point(fault=fault, number=number, call=f"sql {_first_line(call)}")
            for number, call in enumerate(self.statements, 1)
            for fault in ("cut before", "cut after")
        ]
        return killed + cut


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a point. `rounds` is how many ticks it took to be as if nothing had happened."""

    violations: list[str]
    rounds: int
    pages_again: int


class Stage:
    """A context manager: inside it scenarios are prepared and points are played."""

    def __enter__(self) -> Self:
        self._folder = TemporaryDirectory(prefix="mono-pipeline-crash-")
        self._root = Path(self._folder.name)
        self._server = PostgresServer.start(self._root / "cluster", settings=FAST)
        self._postgres = Database(self._address("postgres"))
        self._postgres.rows("CREATE DATABASE fresh")
        migrate(self._server.url("fresh"), MIGRATIONS)
        fresh = Database(self._address("fresh"))
        for statement in CLOCK.split(";\n"):
            fresh.rows(statement)
        fresh.rows("UPDATE provider_budget SET refilled_at = pipeline_now()")
        fresh.close()
        self._bank = BankServer()
        self._zygote = Zygote()
        self._proxy = CuttingProxy(self._server.port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._proxy.close()
        self._zygote.close()
        self._bank.close()
        self._postgres.close()
        self._server.stop("immediate")
        self._folder.cleanup()

    def prepare(self, scenario: Scenario) -> Reference:
        """Live what happened before, keep it as a template, and play the scenario once undisturbed."""
        template = f"t_{uuid4().hex[:12]}"
        play = Play(self, scenario, template, template="fresh")
        play.import_account()
        for chapter in scenario.before:
            play.live(chapter)
        play.close()
        self._proxy.arm(None, after=False)
        record = Play(self, scenario, f"r_{uuid4().hex[:12]}", template=template, copied_from=play)
        code, calls = record.now(port=self._proxy.port)
        assert code == 0, record.error()
        statements = list(self._proxy.statements)
        rounds = record.settle()
        assert rounds is not None, f"undisturbed, the scenario does not come to rest: {record.state()}"
        final, pages = record.final(), record.pages()
        assert not record.broken(), record.broken()
        assert final["is the bank"] == [scenario.equal], final
        record.drop()
        return Reference(
            template=template, account=play.account, calls=calls, statements=statements, final=final, pages=pages
        )

    def play(self, scenario: Scenario, reference: Reference, point: Point) -> Outcome:
        """Break at one point, then work on with fresh processes, and compare with what happened undisturbed."""
        play = Play(self, scenario, f"p_{uuid4().hex[:12]}", template=reference.template, copied=reference.account)
        violations: list[str] = []
        if point.fault in {"killed before", "killed after"}:
            when = point.fault.removeprefix("killed ")
            code, _ = play.now(port=self._server.port, call=point.number, when=when)
            if code != KILLED:
                violations.append(f"was not killed but ended with {code}: {play.error()}")
        else:
            self._proxy.arm(point.number, after=point.fault == "cut after")
            code, _ = play.now(port=self._proxy.port)
            if code != 0 or not self._proxy.cut:
                violations.append(f"cut {self._proxy.cut}, ended with {code}: {play.error()}")
        violations += [f"right after: {each}" for each in play.broken()]
        rounds = play.settle()
        violations += play.broken()
        violations += _differences(reference.final, play.final(), besides=scenario.may_differ)
        again = play.pages() - reference.pages
        play.drop()
        if rounds is None:
            violations.append(f"not at rest after {MOST_ROUNDS} ticks")
        if again > FLUSH // PAGE:
            violations.append(f"{again} pages were read again, more than one flush")
        return Outcome(violations=violations, rounds=rounds or MOST_ROUNDS, pages_again=again)

    def _address(self, database: str) -> DatabaseAddress:
        return DatabaseAddress(host="127.0.0.1", port=self._server.port, database=database, user="postgres")


class Play:
    """One database, one bank, one queue: a scenario being played."""

    def __init__(
        self,
        stage: Stage,
        scenario: Scenario,
        name: str,
        *,
        template: str,
        copied_from: Play | None = None,
        copied: str | None = None,
    ) -> None:
        self._stage = stage
        self._scenario = scenario
        self._name = name
        self._folder = stage._root / name
        self._folder.mkdir()
        (self._folder / "postgres_port").write_text(str(stage._server.port))
        stage._postgres.rows(f"CREATE DATABASE {name} TEMPLATE {template}")
        self._database = Database(stage._address(name))
        self._moved = 0
        self.sandbox = Sandbox(seed=scenario.name, now=EPOCH)
        self.account = str(self.sandbox.create_account(transactions=scenario.rows, days=12)["id"])
        if copied_from is not None or copied is not None:
            assert self.account == (copied or (copied_from.account if copied_from else None))
            for chapter in scenario.before:  # the bank's side of what the template has lived
                self._bank_side(chapter)

    def import_account(self) -> None:
        """Bring the account in."""
        self._database.rows(
            """INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency, account_number, bank_code)
               VALUES (:id, :id, 'NGN', :id, 'crash')""",
            id=self.account,
        )

    def live(self, chapter: Chapter) -> None:
        """One chapter, undisturbed."""
        self._bank_side(chapter)
        self._let_pass(chapter.passes)
        code, _ = self._process(list(chapter.acts), port=self._stage._server.port, flags=["true"], seconds=60.0)
        assert code == 0, self.error()

    def now(self, *, port: int, call: int | None = None, when: str = "before") -> tuple[int, list[str]]:
        """The scenario's own chapter, perhaps with death at a call: exit code and the calls that were made."""
        scenario = self._scenario
        self._bank_side(scenario.now)
        self._let_pass(scenario.now.passes)
        self.sandbox.clear_requests()
        return self._process(
            list(scenario.now.acts),
            port=port,
            flags=list(scenario.flags),
            seconds=scenario.seconds,
            call=call,
            when=when,
        )

    def settle(self) -> int | None:
        """Tick after tick with fresh processes until nothing is asked for or due: how many; None if too many."""
        for number in range(1, MOST_ROUNDS + 1):
            self._let_pass(ROUND_SECONDS)
            code, _ = self._process(
                ["tick", "drain"], port=self._stage._server.port, flags=["true"], seconds=self._scenario.seconds
            )
            assert code == 0, self.error()
            if self._rests():
                return number
        return None

    def final(self) -> dict[str, Any]:
        """How it ended, and whether the tables are the bank."""
        found: dict[str, Any] = {name: self._database.rows(statement) for name, statement in FINAL.items()}
        account = self._database.rows("SELECT id FROM bank_accounts WHERE mono_account_id = :id", id=self.account)[0]
        stored = {
            row.pop("mono_transaction_id"): tuple(row.values())
            for row in self._database.rows(STORED, account=account["id"])
        }
        bank = {row["id"]: as_stored(row) for row in self.sandbox.truth(self.account)["bank"]}
        found["is the bank"] = [stored == bank]
        return found

    def broken(self) -> list[str]:
        """The invariants that do not hold."""
        return broken(self._database)

    def pages(self) -> int:
        """How many pages of transactions were read since the scenario's own chapter began."""
        path = f"/v2/accounts/{self.account}/transactions"
        return sum(request["path"] == path for request in self.sandbox.requests())

    def error(self) -> str:
        """What a process that failed said."""
        said = self._folder / "error"
        return said.read_text(encoding="utf-8") if said.exists() else ""

    def close(self) -> None:
        """Let go of the database, so that it can be copied."""
        self._database.close()

    def drop(self) -> None:
        """Leave nothing."""
        self.close()
        self._stage._postgres.rows(f"DROP DATABASE {self._name} WITH (FORCE)")
        shutil.rmtree(self._folder)

    def state(self) -> dict[str, Any]:
        """Where it stands, for whoever looks into a failure."""
        return {
            "runs": self._database.rows("SELECT kind, status, verdict, verdict_reason, error_code FROM sync_runs"),
            "accounts": self._database.rows("SELECT next_attempt_at, pipeline_now() AS now FROM bank_accounts"),
            "queue": Journal(self._folder, None).waiting(),
        }

    def _rests(self) -> bool:
        due = self._database.rows(
            """SELECT FROM bank_accounts WHERE next_attempt_at < pipeline_now() + interval '2 hours'
               UNION ALL SELECT FROM sync_runs WHERE status = 'running'"""
        )
        return not due and not Journal(self._folder, None).waiting()

    def _bank_side(self, chapter: Chapter) -> None:
        chapter.change(self.sandbox, self.account)
        self.sandbox.set_clock(advance_seconds=chapter.passes)

    def _let_pass(self, seconds: int) -> None:
        self._database.rows(
            "SELECT setval('sim_milliseconds', nextval('sim_milliseconds') + :ms)", ms=timedelta(seconds=seconds) // _MS
        )

    def _process(
        self,
        acts: list[str],
        *,
        port: int,
        flags: list[str],
        seconds: float,
        call: int | None = None,
        when: str = "before",
    ) -> tuple[int, list[str]]:
        self._stage._bank.sandbox = self.sandbox
        calls = self._folder / "calls.json"
        calls.unlink(missing_ok=True)
        orders = Orders(
            port=port,
            database=self._name,
            bank=self._stage._bank.url,
            folder=str(self._folder),
            account=self.account,
            acts=acts,
            flags=flags,
            seconds=seconds,
            call=call,
            when=when,
        )
        code = self._stage._zygote.run(orders)
        return code, json.loads(calls.read_text(encoding="utf-8")) if calls.exists() else []


def _first_line(statement: str) -> str:
    """A statement's first words, without its comment."""
    lines = [line for line in statement.splitlines() if not line.startswith("--")]
    return " ".join(" ".join(lines).split()[:5])


_MS = timedelta(milliseconds=1)


def _differences(expected: dict[str, Any], found: dict[str, Any], *, besides: frozenset[str]) -> list[str]:
    """What is not as it is undisturbed; only the parts that differ."""
    return [
        f"{name} ended as {[row for row in found[name] if row not in rows]} "
        f"instead of {[row for row in rows if row not in found[name]]}"
        for name, rows in expected.items()
        if found[name] != rows and name not in besides
    ]
