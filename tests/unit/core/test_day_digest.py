"""Digests of days add up field by field, and any field tells two days apart."""

from __future__ import annotations

from datetime import date

import pytest

from mono_pipeline.core.day_digest import NO_ROWS, DayDigest, differing_days
from mono_pipeline.core.verdict import DifferingDay

MONDAY, TUESDAY = date(2026, 6, 15), date(2026, 6, 16)
ONE = DayDigest(rows=1, credits=20, debits=300, weight=4_000)


def test_digests_add_up_field_by_field() -> None:
    """No field is counted as another."""
    other = DayDigest(rows=5, credits=60, debits=700, weight=8_000)

    assert ONE + other == DayDigest(rows=6, credits=80, debits=1_000, weight=12_000)
    assert ONE + NO_ROWS == ONE


def test_days_that_are_alike_on_both_sides_do_not_differ() -> None:
    """A day without rows is as good as no day."""
    assert differing_days({MONDAY: ONE}, {MONDAY: ONE, TUESDAY: NO_ROWS}) == []
    assert differing_days({MONDAY: ONE, TUESDAY: NO_ROWS}, {MONDAY: ONE}) == []


def test_a_day_of_one_side_alone_differs_with_nothing_on_the_other() -> None:
    """Oldest first, whichever side it is on."""
    assert differing_days({TUESDAY: ONE}, {MONDAY: ONE}) == [
        DifferingDay(
            day=MONDAY, bank_rows=0, stored_rows=1, bank_credits=0, stored_credits=20, bank_debits=0, stored_debits=300
        ),
        DifferingDay(
            day=TUESDAY, bank_rows=1, stored_rows=0, bank_credits=20, stored_credits=0, bank_debits=300, stored_debits=0
        ),
    ]


@pytest.mark.parametrize(
    "other",
    [
        DayDigest(rows=2, credits=20, debits=300, weight=4_000),
        DayDigest(rows=1, credits=21, debits=300, weight=4_000),
        DayDigest(rows=1, credits=20, debits=301, weight=4_000),
        DayDigest(rows=1, credits=20, debits=300, weight=4_001),
    ],
)
def test_any_one_field_tells_two_days_apart(other: DayDigest) -> None:
    """The ids too: the same count and sums of other rows are not the same rows."""
    (found,) = differing_days({MONDAY: ONE}, {MONDAY: other})

    assert (found.day, found.bank_rows, found.stored_rows) == (MONDAY, 1, other.rows)
    assert (found.stored_credits, found.stored_debits) == (other.credits, other.debits)
