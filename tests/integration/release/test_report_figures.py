"""What a release's report is told by the tables: runs by slot, errors by reason, verdicts by account, dead letters."""

from __future__ import annotations

import json
from copy import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from mono_pipeline.adapters.postgres import Database
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.release_cohort import EndedRun, cohort_of
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VerdictKind
from mono_pipeline.usecases.release_figures import ReleaseFigures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mono_pipeline.adapters.postgres import DatabaseAddress

pytestmark = pytest.mark.integration

BEGAN = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
CANARY, OTHER, FORMER = "64779d900000000000ab0001", "64779d900000000000ab0002", "64779d900000000000ab00ff"
HOUR = {"since": BEGAN.isoformat(), "until": (BEGAN + timedelta(hours=1)).isoformat(), "slot_seconds": 60}


class Tables:
    """Rows as runs leave them, at minutes after the release began."""

    def __init__(self, owner: Database, functions: Database) -> None:
        self._owner = owner
        self._figures = ReleaseFigures(functions)

    def account(self, mono_account_id: str) -> None:
        """An account that is linked."""
        self._owner.rows(
            "INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency) VALUES (:id, :id, 'NGN')",
            id=mono_account_id,
        )

    def run(self, account: str, *, minute: float, seconds: float | None = 0.5, **columns: Any) -> str:
        """A run that ended so many minutes after the release began."""
        ended = BEGAN + timedelta(minutes=minute)
        run_id = str(uuid4())
        columns = {"kind": "incremental", "status": "completed", "verdict": "verified", "error_code": None, **columns}
        self._owner.rows(
            """INSERT INTO sync_runs (run_id, account_id, kind, requested_by, correlation_id, status, verdict,
                                      verdict_reason, error_code, started_at, finished_at, fetch_seconds, rows_seen,
                                      rows_unchanged)
               SELECT :run_id, id, :kind, 'api', 'c-1', :status, :verdict, :verdict_reason, :error_code,
                      :started::timestamptz, :ended::timestamptz, :seconds::float8, :rows, :rows
               FROM bank_accounts WHERE mono_account_id = :account""",
            run_id=run_id,
            account=account,
            started=ended - timedelta(seconds=3),
            ended=ended,
            seconds=seconds,
            rows=columns.pop("rows_seen", 1),
            verdict_reason=columns.pop("verdict_reason", None),
            **columns,
        )
        return run_id

    def rows(self, statement: str, **parameters: Any) -> None:
        """Whatever else has happened."""
        self._owner.rows(statement, **parameters)

    def ask(self, question: str, **arguments: Any) -> dict[str, Any]:
        """As monoctl asks: what comes back is JSON."""
        answer: dict[str, Any] = json.loads(json.dumps(getattr(self._figures, question)({**HOUR, **arguments})))
        return answer


@pytest.fixture
def tables(address: DatabaseAddress) -> Iterator[Tables]:
    """Two accounts; the functions' own role asks."""
    owner, functions = Database(address), Database(replace(address, user="pipeline"))
    tables = Tables(owner, functions)
    for account in (CANARY, OTHER):
        tables.account(account)
    yield tables
    owner.close()
    functions.close()


def at(minute: float) -> str:
    """A slot's begin."""
    return (BEGAN + timedelta(minutes=minute)).isoformat()


def test_runs_are_counted_in_the_slot_they_ended_in_canary_and_rest_apart(tables: Tables) -> None:
    """Both ends of the period are in it, nothing beyond them is, and slots without a run are left out."""
    for minute in (0, 0.9, 1, 60):
        tables.run(CANARY, minute=minute)
    tables.run(OTHER, minute=1.5, status="failed", verdict=None, error_code="mono_timeout")
    for minute in (-0.01, 60.01):
        tables.run(OTHER, minute=minute)

    told = tables.ask("timeline", accounts=[CANARY])

    seen = [(each["slot"], each["canary"], each["completed"], each["failed"]) for each in told["slots"]]
    assert seen == [(at(0), True, 2, 0), (at(1), True, 1, 0), (at(1), False, 0, 1), (at(60), True, 1, 0)]
    assert (told["whole"]["completed"], told["whole"]["failed"], told["whole"]["accounts"]) == (4, 1, 2)
    assert told["errors"] == [{"slot": at(1), "reason": "mono_timeout", "failed": 1}]


def test_a_slot_counts_as_the_gate_does(tables: Tables) -> None:
    """The same numbers as `cohort_of` for the same runs: nearest rank, fetches with a verdict, the SLA, empty runs."""
    fetch = EndedRun(
        account_id=OTHER, kind=RunKind.INCREMENTAL, status=RunStatus.COMPLETED, verdict=VerdictKind.VERIFIED
    )
    runs = [
        *(replace(fetch, seconds=seconds, rows_seen=int(seconds > 1)) for seconds in (0.2, 0.4, 1.5, 2.0, 2.5, 7.0)),
        replace(fetch, kind=RunKind.FULL, verdict=VerdictKind.UNVERIFIABLE, seconds=90.0, rows_seen=5),
        replace(fetch, status=RunStatus.FAILED, verdict=None, error_code="mono_timeout", seconds=30.0),
        replace(fetch, status=RunStatus.INCOMPLETE, verdict=VerdictKind.MISMATCH, seconds=0.1),
        replace(fetch, status=RunStatus.STOPPED, verdict=None, seconds=0.1),
    ]
    for run in runs:
        tables.run(
            OTHER,
            minute=5,
            seconds=run.seconds,
            kind=run.kind.value,
            status=run.status.value,
            verdict=run.verdict.value if run.verdict else None,
            error_code=run.error_code,
            rows_seen=run.rows_seen,
        )

    (slot,) = tables.ask("timeline")["slots"]

    wanted = cohort_of(runs, suspicions=0)
    assert {name: slot[name] for name in slot if name not in {"slot", "canary"}} == {
        name: getattr(wanted, name) for name in slot if name not in {"slot", "canary"}
    }
    assert slot["p95_seconds"] == 7.0
    assert (slot["slow"], slot["zero_runs"]) == (2, 2)


def test_a_run_of_older_code_counts_as_long_as_it_took(tables: Tables) -> None:
    """It did not keep how long it waited for Mono."""
    tables.run(OTHER, minute=5, seconds=None)

    assert tables.ask("timeline")["whole"]["p95_seconds"] == 3.0


def test_a_period_without_a_run_is_told_as_one(tables: Tables) -> None:
    """Zeros for the whole, no slots; no error."""
    told = tables.ask("timeline", accounts=[CANARY])

    assert (told["whole"]["accounts"], told["whole"]["p95_seconds"], told["slots"], told["errors"]) == (0, None, [], [])
    assert tables.ask("verdicts") == {"found": 0, "accounts": []}


def test_accounts_that_went_worst_come_first_and_the_canary_before_what_is_well(tables: Tables) -> None:
    """With how each of their slots ended, and the newest reason; how many there are beyond the limit is told."""
    third, fourth = "64779d900000000000ab0003", "64779d900000000000ab0004"
    for account in (third, fourth):
        tables.account(account)
    tables.run(OTHER, minute=3)
    tables.run(CANARY, minute=3)
    tables.run(CANARY, minute=4, verdict="unverifiable", verdict_reason="not_ready", status="incomplete")
    tables.run(third, minute=3, verdict="mismatch", verdict_reason="day_differs")
    tables.run(third, minute=4)
    tables.run(fourth, minute=3, status="failed", verdict=None, error_code="mono_timeout")
    tables.run(fourth, minute=4, status="failed", verdict=None, error_code="mono_server_error")

    told = tables.ask("verdicts", accounts=[CANARY], limit=3)

    assert told["found"] == 4
    assert [(each["account_id"], each["canary"], each["why"]) for each in told["accounts"]] == [
        (third, False, "day_differs"),
        (CANARY, True, "not_ready"),
        (fourth, False, "mono_server_error"),
    ]
    assert told["accounts"][0]["slots"] == [
        {"slot": at(3), "verified": 0, "unverifiable": 0, "mismatches": 1, "failed": 0, "stopped": 0},
        {"slot": at(4), "verified": 1, "unverifiable": 0, "mismatches": 0, "failed": 0, "stopped": 0},
    ]


def test_an_account_that_was_linked_anew_or_erased_breaks_nothing(tables: Tables) -> None:
    """The canary is found by the id it had when it was one; an id that nobody has any more has no runs."""
    tables.rows(
        "INSERT INTO account_aliases SELECT :former, id FROM bank_accounts WHERE mono_account_id = :now",
        former=FORMER,
        now=CANARY,
    )
    tables.run(CANARY, minute=3)

    (row,) = tables.ask("verdicts", accounts=[FORMER, "f" * 24])["accounts"]

    assert (row["account_id"], row["canary"]) == (CANARY, True)


def test_dead_letters_are_those_of_the_period(tables: Tables) -> None:
    """Accounts that were given up, what was archived in groups, and what somebody did about it; a look is none."""
    run_id = tables.run(OTHER, minute=7, status="failed", verdict=None, error_code="mono_server_error")
    tables.rows(
        """UPDATE bank_accounts
           SET dead_lettered_at = :at::timestamptz, dead_letter_run = :run_id::uuid, failure_streak = 5
           WHERE mono_account_id = :account""",
        at=BEGAN + timedelta(minutes=7),
        run_id=run_id,
        account=OTHER,
    )
    for action, dry_run, minute in (
        ("purge", False, 9),
        ("purge", True, 9),
        ("inspect", False, 9),
        ("replay", False, 61),
    ):
        tables.rows(
            """INSERT INTO dead_letter_actions
                 (action_id, action, dry_run, forced, filter, asked_by, correlation_id, started_at, outcomes)
               VALUES (gen_random_uuid(), :action, :dry_run, false, '{}', 'ada@example.com', 'c-1', :at::timestamptz,
                       '{"purged": 2}')""",
            action=action,
            dry_run=dry_run,
            at=BEGAN + timedelta(minutes=minute),
        )
    for number, minute in ((1, 9), (2, 10), (3, 61)):
        tables.rows(
            """INSERT INTO dead_letter_archive
                 (message_id, type, account_id, reason, body, body_length, receives, replays, sent_at, archived_at,
                  archived_as, action_id)
               SELECT :id, 'mono.fetch.failed', :account, 'mono_server_error', '{}', 2, 5, 0, now(), :at::timestamptz,
                      'purged', action_id
               FROM dead_letter_actions LIMIT 1""",
            id=f"m-{number}",
            account=OTHER,
            at=BEGAN + timedelta(minutes=minute),
        )

    told = tables.ask("letters")

    (account,) = told["accounts"]
    assert (told["found"], account["account_id"], account["reason"], account["failure_streak"]) == (
        1,
        OTHER,
        "mono_server_error",
        5,
    )
    assert (account["at"], account["run_id"]) == (at(7), run_id)
    assert told["archived"] == [
        {
            "type": "mono.fetch.failed",
            "reason": "mono_server_error",
            "archived_as": "purged",
            "messages": 2,
            "accounts": 1,
        }
    ]
    assert [(each["action"], each["asked_by"], each["outcomes"]) for each in told["actions"]] == [
        ("purge", "ada@example.com", {"purged": 2})
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("since", "yesterday"),
        ("until", "2026-11-24T12:00:00"),
        ("until", (BEGAN - timedelta(seconds=1)).isoformat()),
        ("slot_seconds", 0),
        ("slot_seconds", True),
        ("slot_seconds", "60"),
        ("slot_seconds", 5),
        ("accounts", "all"),
        ("accounts", ["0" * 24] * 141),
        ("accounts", ["x"]),
    ],
)
def test_a_period_that_means_nothing_is_refused(tables: Tables, field: str, value: Any) -> None:
    """By its field, and never answered with nothing; 720 slots are more than an answer holds."""
    with pytest.raises(InvalidInput) as refused:
        tables.ask("verdicts", **{field: value})

    assert refused.value.field in {field, "account_id"}
