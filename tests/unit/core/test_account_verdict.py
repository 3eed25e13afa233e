"""What can be said of stored rows: the newest run's verdict, unless what is stored now gainsays it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from mono_pipeline.core.account_verdict import VERIFIED, AccountVerdict, CheckReason, cannot_say, recorded_verdict
from mono_pipeline.core.coverage import Stretch, coverage_as_json
from mono_pipeline.core.day_digest import DayDigest, differing_days
from mono_pipeline.core.discrepancy import MAX_ROWS, DifferingRow, DifferingRows, Discrepancy, RowFault
from mono_pipeline.core.verdict import DifferingDay, VerdictKind, VerdictReason

DAY = date(2026, 6, 3)
GOOD: dict[str, Any] = {"history_holds": True, "chain": None, "suspicions": 0, "removals": 0, "quarantined": 0}
MISMATCH = AccountVerdict(kind=VerdictKind.MISMATCH, reason=VerdictReason.DAYS_DIFFER, first_bad_day=DAY)
BROKEN = AccountVerdict(kind=VerdictKind.MISMATCH, reason=CheckReason.HISTORY_BROKEN)


@pytest.mark.parametrize(
    ("run", "now", "verdict"),
    [
        (VERIFIED, {}, VERIFIED),
        (VERIFIED, {"chain": VerdictReason.BALANCE_LAGGING}, cannot_say(VerdictReason.BALANCE_LAGGING)),
        (VERIFIED, {"quarantined": 1}, cannot_say(VerdictReason.QUARANTINED)),
        (VERIFIED, {"removals": 1, "quarantined": 1}, cannot_say(VerdictReason.REMOVAL_PENDING)),
        (VERIFIED, {"suspicions": 1, "removals": 1}, cannot_say(VerdictReason.DUPLICATE_SUSPECTED)),
        (VERIFIED, {"suspicions": 1, "history_holds": False}, BROKEN),
        (MISMATCH, {"suspicions": 1}, MISMATCH),
        (MISMATCH, {"history_holds": False}, BROKEN),
        (cannot_say(VerdictReason.DRIFT), {"quarantined": 1}, cannot_say(VerdictReason.DRIFT)),
        (None, {"quarantined": 1}, cannot_say(CheckReason.NEVER_READ)),
        (None, {"history_holds": False}, BROKEN),
    ],
)
def test_the_gravest_thing_is_said(run: AccountVerdict | None, now: dict[str, Any], verdict: AccountVerdict) -> None:
    """Only a `verified` can be taken back; a broken history is told whatever a run said."""
    assert recorded_verdict(run, **{**GOOD, **now}) == verdict


ONE = DayDigest(rows=2, credits=100, debits=30, id_sum=7)


@pytest.mark.parametrize("part", ["rows", "credits", "debits", "id_sum"])
def test_a_day_differs_by_any_part_of_its_digest(part: str) -> None:
    """Of two days the one that does, with both sides."""
    other = replace(ONE, **{part: getattr(ONE, part) + 1})
    next_day = date(2026, 6, 4)

    (found,) = differing_days({DAY: ONE, next_day: ONE}, {DAY: ONE, next_day: other})

    assert found == DifferingDay(
        day=next_day,
        bank_rows=2,
        stored_rows=other.rows,
        bank_credits=100,
        stored_credits=other.credits,
        bank_debits=30,
        stored_debits=other.debits,
    )


def test_a_day_of_one_side_alone_differs_and_the_oldest_comes_first() -> None:
    """Whichever side it is."""
    early = date(2026, 6, 1)

    found = differing_days({DAY: ONE}, {early: ONE})

    assert [(day.day, day.bank_rows, day.stored_rows) for day in found] == [(early, 0, 2), (DAY, 2, 0)]


def test_digests_add_up_part_by_part() -> None:
    """A long reading is added in slices."""
    assert DayDigest(rows=4, credits=200, debits=60, id_sum=14) == ONE + ONE


def row(number: int) -> DifferingRow:
    """A row that is only at the bank."""
    fields = {"amount_minor": {"bank": number, "stored": None}}
    return DifferingRow(day=DAY, mono_transaction_id=f"t{number}", fault=RowFault.MISSING, fields=fields)


def test_rows_are_kept_up_to_a_limit_and_all_counted() -> None:
    """The first ones, in their order."""
    many = DifferingRows(rows=[row(number) for number in range(15)], total=15)

    both = many + many

    assert (len(both.rows), both.total) == (MAX_ROWS, 30)
    assert both.rows[15] == row(0)


def test_a_discrepancy_is_plain_json() -> None:
    """Days as text, faults as words."""
    (day,) = differing_days({DAY: ONE}, {})
    told = Discrepancy(days_differing=4, days=[day], found=DifferingRows(rows=[row(1)], total=9)).as_json()

    assert (told["days_differing"], told["rows_differing"], told["unread"]) == (4, 9, None)
    assert told["days"][0]["day"] == "2026-06-03"
    assert told["rows"] == [
        {"day": "2026-06-03", "id": "t1", "fault": "missing", "fields": {"amount_minor": {"bank": 1, "stored": None}}}
    ]


def test_days_are_complete_when_every_one_is_read() -> None:
    """`due` is not yet read."""
    at = datetime(2026, 7, 9, tzinfo=UTC)
    june = Stretch(first=date(2026, 6, 1), last=date(2026, 6, 30), state="read", oldest_read_at=at)
    early_july = Stretch(first=date(2026, 7, 1), last=date(2026, 7, 2), state="due", oldest_read_at=at)

    assert coverage_as_json([june])["complete"] is True
    told = coverage_as_json([june, early_july])
    assert (told["complete"], told["days"]) == (False, {"read": 30, "due": 2, "never_read": 0})
    assert (told["from"], told["to"]) == ("2026-06-01", "2026-07-02")
