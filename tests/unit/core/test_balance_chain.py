"""A chain of days: what holds, what lags, what runs backwards, and what says nothing."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from mono_pipeline.core.balance_chain import BalanceChain, ChainState, DayBalances, judge_chain

FIRST = date(2026, 6, 1)


def day(
    number: int, opening: int | None, closing: int | None, *, rows: int = 3, without: int = 0, loose_ends: int = 2
) -> DayBalances:
    """The balances of the day `number` days after the first."""
    return DayBalances(
        day=FIRST + timedelta(days=number),
        rows=rows,
        without=without,
        loose_ends=loose_ends,
        opening=opening,
        closing=closing,
    )


def ring(number: int) -> DayBalances:
    """A day that ends where it began."""
    return day(number, None, None, loose_ends=0)


HOLDS, MISSING = ChainState.HOLDS, ChainState.MISSING
LAGGING, BACKWARDS = ChainState.LAGGING, ChainState.BACKWARDS


@pytest.mark.parametrize(
    ("days", "chain"),
    [
        ([], BalanceChain(state=HOLDS)),
        ([day(0, 10, 20)], BalanceChain(state=HOLDS, opening=10, closing=20)),
        ([day(0, 10, 20), day(3, 20, 5)], BalanceChain(state=HOLDS, opening=10, closing=5)),
        ([day(0, 0, 20), day(1, 20, 0)], BalanceChain(state=HOLDS, opening=0, closing=0)),
        ([ring(0)], BalanceChain(state=HOLDS)),
        ([day(0, 10, 20), ring(1), day(2, 20, 30)], BalanceChain(state=HOLDS, opening=10, closing=30)),
        ([ring(0), day(1, 10, 20), ring(2)], BalanceChain(state=HOLDS, opening=10, closing=20)),
    ],
)
def test_days_that_carry_on_hold_with_their_two_ends(days: list[DayBalances], chain: BalanceChain) -> None:
    """A ring says nothing of its neighbours, and no day says nothing at all."""
    assert judge_chain(days) == chain


@pytest.mark.parametrize(
    ("days", "state", "bad"),
    [
        ([day(0, 10, 20), day(1, None, None, without=1)], MISSING, 1),
        ([day(0, 10, 20, loose_ends=4), day(1, 20, 30, without=1)], MISSING, 1),  # the gravest first
        ([day(0, 10, 20), day(1, 20, 30, loose_ends=4)], LAGGING, 1),
        ([day(0, 10, 20, loose_ends=1)], LAGGING, 0),
        ([day(0, None, 20), day(1, 20, 30)], LAGGING, 0),
        ([day(0, 10, None), day(1, 20, 30)], LAGGING, 0),
        ([day(0, 10, 20), day(1, 21, 30)], LAGGING, 1),
        ([day(0, 10, 20), day(1, 20, 30), day(2, 31, 40), day(3, 1, 2)], LAGGING, 2),
        ([day(0, 20, 30), day(1, 10, 20)], BACKWARDS, 1),
        ([day(0, 20, 30), day(1, 10, 20), day(2, 0, 10)], BACKWARDS, 1),
        ([day(0, 20, 30), day(1, 10, 20), day(2, 1, 9)], LAGGING, 1),
        ([day(0, 20, 30), ring(1), day(2, 10, 20)], BACKWARDS, 2),
    ],
)
def test_the_first_day_that_does_not_follow_is_named(days: list[DayBalances], state: ChainState, bad: int) -> None:
    """Without ends: what does not hold carries nothing."""
    assert judge_chain(days) == BalanceChain(state=state, first_bad_day=FIRST + timedelta(days=bad))
