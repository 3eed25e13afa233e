"""A pass is complete when its counts leave no other explanation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_pipeline.core.completeness import (
    COMPLETE,
    PassEnd,
    PassJudgement,
    PassOutcome,
    PassTotals,
    judge_pass,
    judge_unclear_total,
)
from mono_pipeline.core.verdict import VerdictReason

DRIFTED = PassJudgement(outcome=PassOutcome.DRIFTED, reason=VerdictReason.DRIFT)
UNCLEAR = PassJudgement(outcome=PassOutcome.TOTAL_UNCLEAR)
DIFFERS = PassJudgement(outcome=PassOutcome.INCOMPLETE, reason=VerdictReason.TOTAL_DIFFERS)
ENDLESS = PassJudgement(outcome=PassOutcome.INCOMPLETE, reason=VerdictReason.ENDLESS_PAGES)

COUNTS = st.integers(0, 5)


def _judge(
    rows: int,
    distinct: int,
    lowest: int,
    highest: int,
    *,
    windowed: bool = False,
    ignores: bool = False,
    end: PassEnd = PassEnd.LAST_PAGE,
) -> PassJudgement:
    totals = PassTotals(rows_read=rows, distinct_rows=distinct, lowest_total=lowest, highest_total=highest)
    return judge_pass(totals, end=end, windowed=windowed, totals_ignore_window=ignores)


@pytest.mark.parametrize(
    ("counts", "windowed", "ignores", "judgement"),
    [
        ((5, 5, 5, 5), False, False, COMPLETE),
        ((0, 0, 0, 0), False, False, COMPLETE),
        ((5, 5, 5, 5), True, True, COMPLETE),
        ((5, 4, 5, 5), False, False, DRIFTED),  # a row came twice
        ((5, 5, 4, 5), False, False, DRIFTED),  # the total moved
        ((5, 4, 4, 4), True, True, DRIFTED),
        ((4, 4, 5, 5), False, False, DIFFERS),
        ((4, 4, 5, 5), False, True, DIFFERS),  # a full history has no window to ignore
        ((6, 6, 5, 5), False, False, DIFFERS),
        ((4, 4, 5, 5), True, False, UNCLEAR),
        ((4, 4, 5, 5), True, True, COMPLETE),
        ((0, 0, 5, 5), True, True, COMPLETE),
        ((6, 6, 5, 5), True, False, DIFFERS),
        ((6, 6, 5, 5), True, True, DIFFERS),
    ],
)
def test_a_pass_is_judged_by_its_counts(
    counts: tuple[int, int, int, int], *, windowed: bool, ignores: bool, judgement: PassJudgement
) -> None:
    """Rows read, distinct rows, lowest and highest total."""
    assert _judge(*counts, windowed=windowed, ignores=ignores) == judgement


@given(rows=COUNTS, distinct=COUNTS, lowest=COUNTS, highest=COUNTS, windowed=st.booleans(), ignores=st.booleans())
def test_pages_without_end_are_never_complete(
    rows: int, distinct: int, lowest: int, highest: int, *, windowed: bool, ignores: bool
) -> None:
    """Whatever the counts say."""
    judged = _judge(rows, distinct, lowest, highest, windowed=windowed, ignores=ignores, end=PassEnd.ENDLESS)

    assert judged == ENDLESS


@given(rows=COUNTS, distinct=COUNTS, lowest=COUNTS, highest=COUNTS, ignores=st.booleans())
def test_a_full_history_is_complete_for_equal_numbers_alone(
    rows: int, distinct: int, lowest: int, highest: int, *, ignores: bool
) -> None:
    """All four of them, and nothing remembered of totals changes that."""
    judged = _judge(rows, distinct, lowest, highest, ignores=ignores)

    assert (judged == COMPLETE) == (rows == distinct == lowest == highest)


@pytest.mark.parametrize(
    ("windowed_total", "unfiltered_total", "rows_outside", "judgement"),
    [
        (9, 9, 4, COMPLETE),  # rows are known outside the window and the total is the same: it counts all
        (9, 9, 0, DIFFERS),  # the window holds all there is: both totals say that rows are missing
        (9, 20, 4, DIFFERS),  # totals respect the window: rows are missing in it
        (9, 8, 4, DIFFERS),
    ],
)
def test_an_unfiltered_total_tells_what_a_windowed_one_means(
    windowed_total: int, unfiltered_total: int, rows_outside: int, judgement: PassJudgement
) -> None:
    """Only where the two readings of the total would differ."""
    judged = judge_unclear_total(
        windowed_total=windowed_total, unfiltered_total=unfiltered_total, rows_outside=rows_outside
    )

    assert judged == judgement
