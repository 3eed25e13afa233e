"""`monoctl backfill`: a plan with an estimate, months one after the other, and nothing done twice."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from monoctl.errors import OpsRefused
from tests.unit.monoctl.stand_ins import (
    ACCOUNT,
    FakeClock,
    FakeReach,
    account_row,
    golden,
    monoctl,
    without_margins,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    type Row = dict[str, Any]

OTHER = "64779d900000000000ab0002"
MONTHS = [("2026-08-15", "2026-08-31"), ("2026-09-01", "2026-09-30"), ("2026-10-01", "2026-10-31")]
SPAN = ["--from", "2026-08-15", "--to", "2026-10-31"]


def ended(status: str = "completed", verdict: str | None = "verified", **fields: Any) -> Row:
    """Return the end of a run as `runs.show` shows it."""
    row = {
        "status": status,
        "verdict": verdict,
        "verdict_reason": None,
        "first_bad_day": None,
        "error_code": None,
        "rows_seen": 420,
        "rows_inserted": 400,
        "rows_updated": 2,
    }
    return {**row, **fields}


UNDER_WAY = ended("running", None, rows_seen=100, rows_inserted=100)


@dataclass
class Pipeline:
    """An ops function with a ledger: each run ends at its second look, as `ends` says by account and first day."""

    accounts: tuple[str, ...] = (ACCOUNT,)
    ends: dict[tuple[str, str], Row] = field(default_factory=dict)
    covered: set[tuple[str, str]] = field(default_factory=set)
    open_runs: dict[tuple[str, str], str] = field(default_factory=dict)
    refuse: Callable[[Row], Row | None] = lambda _: None
    never_ends: bool = False
    started: list[tuple[str, str]] = field(default_factory=list)
    most_at_once: int = 0
    _looks: dict[str, int] = field(default_factory=dict)
    _flying: set[str] = field(default_factory=set)

    def ask(self, action: str, **arguments: Any) -> Row:
        """Answer as the ops function."""
        match action:
            case "accounts.list":
                rows = [account_row(mono_account_id=account) for account in self.accounts]
                return {"accounts": [*rows, account_row(9, link_status="unlinked")], "next": None}
            case "backfill.plan":
                return self._plan(arguments)
            case "backfill.start":
                return self._start(arguments)
        return {"run": self._look(arguments["run_id"])}

    def _plan(self, asked: Row) -> Row:
        windows = [
            {
                "from": first,
                "to": last,
                "covered": (asked["account_id"], first) in self.covered and not asked["again"],
                "run_id": self.open_runs.get((asked["account_id"], first)),
                "requests": 6,
            }
            for first, last in MONTHS
        ]
        requests = sum(6 for window in windows if not window["covered"])
        return {"account_id": asked["account_id"], "windows": windows, "requests": requests, "seconds": 30.0 * requests}

    def _start(self, asked: Row) -> Row:
        refused = self.refuse(asked)
        if refused is not None:
            return refused
        key = (asked["account_id"], asked["from"])
        self.started.append(key)
        return {"status": "accepted", "run_id": "/".join(key)}

    def _look(self, run_id: str) -> Row:
        self._looks[run_id] = self._looks.get(run_id, 0) + 1
        self._flying.add(run_id)
        self.most_at_once = max(self.most_at_once, len(self._flying))
        if self.never_ends or self._looks[run_id] < 2:
            return UNDER_WAY
        self._flying.discard(run_id)
        account, _, first = run_id.partition("/")
        self.covered.add((account, first))
        return self.ends.get((account, first), ended())


def test_one_account_reads_well_on_80_columns() -> None:
    """A line a month, with its verdict; the plan and its estimate before."""
    pipeline = Pipeline(
        covered={(ACCOUNT, "2026-08-15")},
        ends={(ACCOUNT, "2026-10-01"): ended(verdict="mismatch", first_bad_day="2026-10-07")},
    )

    said = monoctl("backfill", "--account", ACCOUNT, *SPAN, reach=FakeReach(ops=pipeline))

    assert (said.exit_code, without_margins(said.stdout)) == (5, golden("backfill"))
    assert max(len(line.rstrip()) for line in said.stdout.splitlines()) <= 80
    assert "2 months of 1 account to read, 1 covered already: at least 12 requests to Mono, about 6 min" in said.stderr


def test_many_accounts_are_a_line_each() -> None:
    """Unlinked ones are named and left out."""
    pipeline = Pipeline(
        accounts=(ACCOUNT, OTHER),
        ends={
            (OTHER, "2026-09-01"): ended(verdict="unverifiable", verdict_reason="balance_missing"),
            (OTHER, "2026-10-01"): ended("incomplete", None),
        },
    )

    said = monoctl("backfill", "--all", *SPAN, reach=FakeReach(ops=pipeline))

    assert (said.exit_code, without_margins(said.stdout)) == (4, golden("backfill_all"))
    assert "because unlinked: 1, as" in said.stderr


def test_months_of_an_account_follow_each_other_and_accounts_go_side_by_side() -> None:
    """One run of an account at a time; as many accounts as are wanted."""
    accounts = tuple(account_row(number)["mono_account_id"] for number in range(1, 7))
    pipeline = Pipeline(accounts=accounts)

    said = monoctl("backfill", "--all", *SPAN, "--in-flight", "3", reach=FakeReach(ops=pipeline))

    assert said.exit_code == 0
    assert pipeline.most_at_once == 3
    assert sorted(pipeline.started) == sorted((account, first) for account in accounts for first, _ in MONTHS)
    for account in accounts:
        assert [first for each, first in pipeline.started if each == account] == [first for first, _ in MONTHS]


def test_what_is_covered_is_read_only_when_asked_for_again() -> None:
    """The ledger knows."""
    everything = {(ACCOUNT, first) for first, _ in MONTHS}
    pipeline = Pipeline(covered=set(everything))

    said = monoctl("backfill", "--account", ACCOUNT, *SPAN, reach=FakeReach(ops=pipeline))
    assert (said.exit_code, pipeline.started) == (0, [])
    assert said.stderr.endswith("0 months of 1 account to read, 3 covered already\n")
    assert monoctl("backfill", "--account", ACCOUNT, *SPAN, "--again", reach=FakeReach(ops=pipeline)).exit_code == 0
    assert set(pipeline.started) == everything


def test_interrupted_and_started_again_it_goes_on_where_it_was() -> None:
    """Ctrl-C in the second month: its run is followed, not asked for twice, and the first one is not read again."""
    pipeline = Pipeline()

    class Interrupted(FakeClock):
        def pause(self, seconds: float) -> None:
            super().pause(seconds)
            if len(pipeline.started) == 2:
                raise KeyboardInterrupt

    said = monoctl("backfill", "--account", ACCOUNT, *SPAN, reach=FakeReach(ops=pipeline), clock=Interrupted())
    assert said.exit_code == 8
    assert "1 of 3 months read" in said.stderr
    assert "the same command goes on from there" in said.stderr

    pipeline.open_runs[ACCOUNT, "2026-09-01"] = f"{ACCOUNT}/2026-09-01"
    again = monoctl("backfill", "--account", ACCOUNT, *SPAN, reach=FakeReach(ops=pipeline))

    assert again.exit_code == 0
    assert [first for _, first in pipeline.started] == [first for first, _ in MONTHS]


def test_a_dry_run_asks_for_nothing() -> None:
    """It shows what there is to do."""
    pipeline = Pipeline(covered={(ACCOUNT, "2026-08-15")})

    said = monoctl("backfill", "--account", ACCOUNT, *SPAN, "--dry-run", reach=FakeReach(ops=pipeline))

    assert (said.exit_code, pipeline.started) == (0, [])
    assert said.stdout.count("to read") == 2
    assert said.stdout.count("covered") == 1


@pytest.mark.parametrize(
    ("refuse", "code", "word"),
    [
        (lambda _: {"status": "deferred", "reason": "OFF"}, 3, "OFF"),
        (lambda _: (_ for _ in ()).throw(OpsRefused("AccountBlocked", "unlinked")), 6, "AccountBlocked"),
        (lambda _: (_ for _ in ()).throw(OpsRefused("QueueUnavailable", "SQS is down")), 7, "SQS is down"),
    ],
    ids=["flag off", "unlinked meanwhile", "queue down"],
)
def test_what_cannot_be_asked_for_is_said(refuse: Callable[[Row], Row], code: int, word: str) -> None:
    """And is not asked for month by month."""
    asked: list[Row] = []

    def refusing(arguments: Row) -> Row:
        asked.append(arguments)
        return refuse(arguments)

    said = monoctl("backfill", "--account", ACCOUNT, *SPAN, reach=FakeReach(ops=Pipeline(refuse=refusing)))

    assert (said.exit_code, len(asked)) == (code, 1)
    assert word in said.stdout + said.stderr


def test_an_account_whose_next_backfill_comes_too_soon_is_asked_for_again() -> None:
    """A second later, in the order of its months; the others go on meanwhile."""
    clock, asked = FakeClock(), list[tuple[str, float]]()

    def too_soon(arguments: Row) -> Row | None:
        asked.append((arguments["from"], clock.seconds))
        return {"status": "too_soon", "seconds": 5.0} if clock.seconds < 5 else None

    pipeline = Pipeline(refuse=too_soon)
    said = monoctl("backfill", "--account", ACCOUNT, *SPAN, reach=FakeReach(ops=pipeline), clock=clock)

    assert said.exit_code == 0
    assert asked[:6] == [("2026-08-15", float(second)) for second in range(6)]
    assert pipeline.started == [(ACCOUNT, first) for first, _ in MONTHS]


def test_another_s_backfill_that_never_ends_is_not_waited_for_forever() -> None:
    """It is named as what it is: there is no run of ours."""
    pipeline, clock = Pipeline(refuse=lambda _: {"status": "too_soon", "seconds": 5.0}), FakeClock()

    said = monoctl(
        "backfill", "--account", ACCOUNT, *SPAN, "--timeout", "20", reach=FakeReach(ops=pipeline), clock=clock
    )

    assert (said.exit_code, pipeline.started) == (8, [])
    assert 20 < clock.seconds < 25
    assert f"another backfill of {ACCOUNT} is open" in said.stderr


def test_after_a_failure_the_account_s_other_months_are_left() -> None:
    """Mono fails: asking for eleven more months would only be eleven more failures."""
    pipeline = Pipeline(ends={(ACCOUNT, "2026-08-15"): ended("failed", None, error_code="mono_unreachable")})

    said = monoctl("--json", "backfill", "--account", ACCOUNT, *SPAN, reach=FakeReach(ops=pipeline))

    assert said.exit_code == 7
    assert [window["state"] for window in json.loads(said.stdout)["windows"]] == ["failed", "left", "left"]


def test_when_nothing_moves_it_gives_up_and_says_how_to_go_on() -> None:
    """The run goes on without us."""
    clock = FakeClock()

    said = monoctl(
        "backfill", "--account", ACCOUNT, *SPAN, "--timeout", "20",
        reach=FakeReach(ops=Pipeline(never_ends=True)), clock=clock,
    )  # fmt: skip

    assert said.exit_code == 8
    assert 20 < clock.seconds < 25
    assert "the same command goes on from there" in said.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [*SPAN],
        [*SPAN, "--all", "--account", ACCOUNT],
        [*SPAN, "--account", "x"],
        ["--from", "2026-08-15", "--account", ACCOUNT],
        ["--from", "2026-08-15", "--to", "2026-08-01", "--account", ACCOUNT],
        ["--from", "2026-02-30", "--to", "2026-08-01", "--account", ACCOUNT],
    ],
)
def test_a_wrong_question_is_not_asked(arguments: list[str]) -> None:
    """Usage: 2."""
    pipeline = Pipeline()

    assert monoctl("backfill", *arguments, reach=FakeReach(ops=pipeline)).exit_code == 2
    assert pipeline.started == []
