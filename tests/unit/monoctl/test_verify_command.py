"""`monoctl verify`: the verdict, both sides where they differ, and an exit code that a script can rely on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.account_verdict import CheckReason
from mono_pipeline.core.verdict import VerdictReason
from monoctl.errors import OpsRefused
from monoctl.views.reasons import REASONS
from tests.unit.monoctl.stand_ins import (
    ACCOUNT,
    RUN,
    FakeReach,
    ScriptedApi,
    ScriptedOps,
    account_row,
    answer,
    golden,
    monoctl,
    run_document,
    without_margins,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    type Row = dict[str, Any]

LOST = "64779d900000000000d10007"
CHANGED = "64779d900000000000d10009"


def verdict(kind: str = "verified", reason: str | None = None, day: str | None = None) -> Row:
    """Return a verdict as the ops function says it."""
    return {"kind": kind, "reason": reason, "first_bad_day": day}


def recorded(account: str = ACCOUNT, **fields: Any) -> Row:
    """Return what `verify.account` answers without Mono."""
    answer = {
        "account_id": account,
        "verdict": verdict(),
        "run": {
            "run_id": RUN,
            "kind": "incremental",
            "status": "completed",
            "verdict": "verified",
            "verdict_reason": None,
            "first_bad_day": None,
            "window_start": "2026-11-17",
            "window_end": "2026-11-24",
            "finished_at": "2026-11-24 09:00:00+00:00",
            "mismatch": None,
        },
        "newest_end": None,
        "checks": [
            {"check": "history", "holds": True, "detail": "12 older versions, no gaps"},
            {"check": "rebuild", "holds": True, "detail": "1,278 rows, as their versions rebuild them"},
            {"check": "balances", "holds": True, "detail": "each is the one before it plus its amount"},
            {"check": "questions", "holds": True, "detail": "none open"},
        ],
    }
    return {**answer, **fields}


MISMATCH: dict[str, Any] = {
    "days_differing": 3,
    "days": [
        {
            "day": "2026-06-03",
            "bank_rows": 12,
            "stored_rows": 11,
            "bank_credits": 250_000,
            "stored_credits": 250_000,
            "bank_debits": 1_900_000,
            "stored_debits": 1_780_500,
        }
    ],
    "rows_differing": 2,
    "rows": [
        {
            "day": "2026-06-03",
            "id": LOST,
            "fault": "missing",
            "fields": {"amount_minor": {"bank": 120_000, "stored": None}},
        },
        {
            "day": "2026-06-03",
            "id": CHANGED,
            "fault": "differs",
            "fields": {"amount_minor": {"bank": 500, "stored": 1_000}},
        },
    ],
    "unread": None,
}


def compared(account: str = ACCOUNT, **fields: Any) -> Row:
    """Return what `verify.account` answers with Mono beside it."""
    side = {"rows": 1278, "credits": 123_456_789, "debits": 98_765_432, "balance": 24_691_357}
    answer = {
        "account_id": account,
        "verdict": verdict(),
        "read_at": "2026-11-24T11:59:58+00:00",
        "pages": 13,
        "bank": side,
        "stored": side,
        "days_compared": 181,
        "undecided": 0,
        "quarantined": 0,
        "mismatch": None,
    }
    return {**answer, **fields}


NOT_ALIKE = compared(
    verdict=verdict("mismatch", "days_differ", "2026-06-03"),
    stored={"rows": 1277, "credits": 123_456_789, "debits": 98_645_932, "balance": 24_691_357},
    mismatch=MISMATCH,
)


def coverage(*, complete: bool) -> Row:
    """Return the coverage of June."""
    stretches: list[Row] = [
        {"from": "2026-06-01", "to": "2026-06-30", "state": "read", "oldest_read_at": "2026-11-24 09:00:00Z"}
    ]
    if complete:
        count = {"read": 30, "due": 0, "never_read": 0}
    else:
        count = {"read": 20, "due": 8, "never_read": 2}
        stretches = [
            {"from": "2026-06-01", "to": "2026-06-20", "state": "read", "oldest_read_at": "2026-11-24 09:00:00Z"},
            {"from": "2026-06-21", "to": "2026-06-28", "state": "due", "oldest_read_at": "2026-06-28 09:00:00Z"},
            {"from": "2026-06-29", "to": "2026-06-30", "state": "never_read", "oldest_read_at": None},
        ]
    return {"from": "2026-06-01", "to": "2026-06-30", "complete": complete, "days": count, "stretches": stretches}


def answering(*answers: Row) -> FakeReach:
    """Return an environment whose ops function gives these answers, one after the other."""
    left = list(answers)
    return FakeReach(ops=ScriptedOps(lambda *_: left.pop(0)))


def accounts(answers: Mapping[str, Row | Exception]) -> FakeReach:
    """Return an environment with these accounts, each with its answer."""

    def answer(action: str, arguments: Mapping[str, Any]) -> Row:
        if action == "accounts.list":
            return {"accounts": [account_row(mono_account_id=account) for account in answers], "next": None}
        found = answers[arguments["account_id"]]
        if isinstance(found, Exception):
            raise found
        return found

    return FakeReach(ops=ScriptedOps(answer))


@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        ("verify", ["--account", ACCOUNT], recorded()),
        ("verify_live", ["--account", ACCOUNT, "--live"], NOT_ALIKE),
        (
            "verify_coverage",
            ["--account", ACCOUNT, "--from", "2026-06-01", "--to", "2026-06-30"],
            recorded(coverage=coverage(complete=False)),
        ),
    ],
)
def test_one_account_reads_well_on_80_columns(name: str, arguments: list[str], answer: Row) -> None:
    """Ids whole, both sides beside each other, what differs marked."""
    said = monoctl("verify", *arguments, reach=answering(answer))

    assert without_margins(said.stdout) == golden(name)
    assert max(len(line.rstrip()) for line in said.stdout.splitlines()) <= 80


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (recorded(), 0),
        (recorded(verdict=verdict("unverifiable", "balance_missing")), 4),
        (recorded(run=None, verdict=verdict("unverifiable", "never_read")), 4),
        (recorded(verdict=verdict("mismatch", "history_broken")), 5),
        (recorded(verdict=verdict("a verdict of tomorrow")), 8),
        (recorded(coverage=coverage(complete=True)), 0),
        (recorded(coverage=coverage(complete=False)), 4),
        (recorded(coverage=coverage(complete=False), verdict=verdict("mismatch", "days_differ", "2026-06-03")), 5),
        (NOT_ALIKE, 5),
        (compared(), 0),
        (compared(verdict=verdict("unverifiable", "drift")), 4),
    ],
)
def test_the_exit_code_is_the_verdict_s(answer: Row, code: int) -> None:
    """Days that are not complete are 4 at least; a mismatch is 5 whatever else is so. Machines get the answer whole."""
    said = monoctl("--json", "verify", "--account", ACCOUNT, reach=answering(answer))

    assert (said.exit_code, json.loads(said.stdout)) == (code, answer)
    assert monoctl("verify", "--account", ACCOUNT, reach=answering(answer)).exit_code == code


def test_a_long_reading_is_asked_on_with_what_was_read() -> None:
    """The function forgets between two invocations; nothing of it is stored."""
    first = {"account_id": ACCOUNT, "so_far": {"pages": 40, "rows": 4000, "highest_total": 9000}}
    second = {"account_id": ACCOUNT, "so_far": {"pages": 80, "rows": 8000, "highest_total": 9000}}
    reach = answering(first, second, compared())

    said = monoctl("verify", "--account", ACCOUNT, "--live", reach=reach)

    assert said.exit_code == 0
    assert [arguments.get("so_far") for _, arguments in reach.ops.asked] == [None, first["so_far"], second["so_far"]]
    assert all(arguments["live"] for _, arguments in reach.ops.asked)


def test_a_reading_that_does_not_move_on_is_refused() -> None:
    """It would never end."""
    stuck = {"account_id": ACCOUNT, "so_far": {"pages": 40, "rows": 4000, "highest_total": 9000}}

    assert monoctl("verify", "--account", ACCOUNT, "--live", reach=answering(stuck, stuck)).exit_code == 8


def test_days_are_handed_on() -> None:
    """Both included."""
    reach = answering(recorded(coverage=coverage(complete=True)))

    said = monoctl("verify", "--account", ACCOUNT, "--from", "2026-06-01", "--to", "2026-06-30", reach=reach)

    assert reach.ops.asked[0][1] == {"account_id": ACCOUNT, "live": False, "from": "2026-06-01", "to": "2026-06-30"}
    assert "complete: 2026-06-01 to 2026-06-30, 30 days read" in said.stdout


def test_all_accounts_are_a_table_and_the_gravest_is_the_exit_code() -> None:
    """One that Mono refuses does not keep the others from being looked at."""
    ids = [account_row(number)["mono_account_id"] for number in range(1, 5)]
    reach = accounts(
        {
            ids[0]: recorded(ids[0]),
            ids[1]: OpsRefused("MonoNotFound", "Mono answered 404"),
            ids[2]: recorded(ids[2], verdict=verdict("mismatch", "days_differ", "2026-06-03")),
            ids[3]: recorded(ids[3], run=None, verdict=verdict("unverifiable", "never_read")),
        }
    )

    said = monoctl("verify", "--all", reach=reach)

    assert (said.exit_code, without_margins(said.stdout)) == (5, golden("verify_all"))
    assert max(len(line.rstrip()) for line in said.stdout.splitlines()) <= 80


def test_what_was_found_is_recorded_where_a_release_is_named() -> None:
    """How many have which verdict, and those that are not verified by name."""
    ids = [account_row(number)["mono_account_id"] for number in range(1, 4)]
    found = {
        ids[0]: recorded(ids[0]),
        ids[1]: recorded(ids[1], verdict=verdict("mismatch", "days_differ", "2026-06-03")),
        ids[2]: OpsRefused("MonoNotFound", "Mono answered 404"),
    }
    reach = accounts(found)
    looked = reach.ops.ask
    said: list[Row] = []

    def ask(action: str, **arguments: Any) -> Row:
        if action == "releases.record":
            said.append(arguments)
            return {"event": arguments}
        return dict(looked(action, **arguments))

    reach.ops.ask = ask
    assert monoctl("verify", "--all", "--release", "r1", reach=reach).exit_code == 5

    (event,) = said
    assert (event["release_id"], event["kind"]) == ("r1", "data.verified")
    assert event["detail"]["verdicts"] == {"verified": 1, "mismatch": 1, "cannot_tell": 1}
    assert event["detail"]["not_verified"] == {ids[1]: "mismatch", ids[2]: "cannot_tell"}
    assert (event["detail"]["exit_code"], event["detail"]["live"]) == (5, False)


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (recorded(), 0),
        (recorded(verdict=verdict("unverifiable", "drift")), 4),
        (OpsRefused("MonoRefused", "Mono answered 403"), 7),
        (OpsRefused("DatabaseUnavailable", "down"), 7),
    ],
)
def test_of_many_the_gravest_decides(second: Row | Exception, code: int) -> None:
    """Without --account it is every one."""
    reach = accounts({ACCOUNT: recorded(), "64779d900000000000ab0002": second})

    assert monoctl("verify", reach=reach).exit_code == code


def test_without_accounts_the_next_step_is_said() -> None:
    """An empty table helps nobody."""
    said = monoctl("verify", "--all", reach=accounts({}))

    assert (said.exit_code, said.stdout) == (0, "")
    assert "accounts import" in said.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--account", "x"],
        ["--all", "--account", ACCOUNT],
        ["--account", ACCOUNT, "--from", "2026-06-01"],
        ["--account", ACCOUNT, "--from", "2026-06-31", "--to", "2026-07-01"],
        ["--account", ACCOUNT, "--from", "2026-07-31", "--to", "2026-07-01"],
    ],
)
def test_a_wrong_question_is_not_asked(arguments: list[str]) -> None:
    """Usage: 2."""
    reach = answering(recorded())

    assert monoctl("verify", *arguments, reach=reach).exit_code == 2
    assert reach.ops.asked == []


@pytest.mark.parametrize("columns", [40, 60, 100, 200])
def test_ids_and_days_are_whole_in_any_terminal(columns: int) -> None:
    """An id that is cut cannot be looked up."""
    said = monoctl("verify", "--account", ACCOUNT, "--live", reach=answering(NOT_ALIKE), columns=columns)

    for word in (ACCOUNT, LOST, CHANGED, "2026-06-03"):
        assert word in said.stdout


def test_every_reason_has_a_sentence() -> None:
    """A word alone helps nobody at 9 in the morning."""
    assert set(REASONS) == {*VerdictReason, *CheckReason}


@pytest.mark.parametrize(
    ("kind", "reason", "words"),
    [
        ("unverifiable", "removal_pending", "a second, independent reading decides"),
        ("mismatch", "days_differ", f"`monoctl verify --account {ACCOUNT}`"),
    ],
)
def test_a_sync_that_is_not_verified_says_what_to_do(kind: str, reason: str, words: str) -> None:
    """Beside the result, on stderr."""
    run = run_document("completed", kind, verdict={"kind": kind, "reason": reason, "first_bad_day": None})

    said = monoctl("sync", ACCOUNT, reach=FakeReach(api=ScriptedApi(asks=[answer("completed", run=run)])))

    assert words in said.stderr
