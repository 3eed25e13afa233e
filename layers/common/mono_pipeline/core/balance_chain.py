"""Whether a bank's running balances carry the rows: every balance is the one before it plus its amount.

Rows that are stamped alike have no order, so nothing is sorted. Over the rows of one day the balances after them and
the balances before them (after less the signed amount) are the same values, but for the day's opening and closing one.
"""

from __future__ import annotations

from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date


class ChainState(StrEnum):
    """What the running balances say. Only `HOLDS` proves anything; none of the others accuses a row."""

    HOLDS = "holds"
    MISSING = "missing"  # the bank supplies none, or not for every row
    LAGGING = "lagging"  # balances do not follow the amounts: Mono's copy of them is behind (Mono contract 3)
    BACKWARDS = "backwards"  # they run from the newest row to the oldest, as in Mono's sandbox (Mono contract 7.9)


class DayBalances(Struct, frozen=True, kw_only=True):
    """The balances of one booking day, in minor units.

    `rows` counts its rows, `without` those that have no balance, `loose_ends` the values that are not on both sides.
    `opening` and `closing` are set when there is exactly one of each; a day that ends where it began has neither.
    """

    day: date
    rows: int
    without: int
    loose_ends: int
    opening: int | None
    closing: int | None

    @property
    def closes(self) -> bool:
        """Whether the rows of the day are one chain."""
        one_of_each = self.loose_ends == 2 and self.opening is not None and self.closing is not None  # noqa: PLR2004 - the two ends
        return one_of_each or self.loose_ends == 0


class BalanceChain(Struct, frozen=True, kw_only=True):
    """The state, the first day on which the balances do not follow, and the two ends of a chain that holds."""

    state: ChainState
    first_bad_day: date | None = None
    opening: int | None = None
    closing: int | None = None


def judge_chain(days: Sequence[DayBalances]) -> BalanceChain:
    """Judge the balances of consecutive days that have rows, oldest first. No day at all holds, with no ends."""
    bare = next((day.day for day in days if day.without), None)
    if bare is not None:
        return BalanceChain(state=ChainState.MISSING, first_bad_day=bare)
    broken = next((day.day for day in days if not day.closes), None)
    if broken is not None:
        return BalanceChain(state=ChainState.LAGGING, first_bad_day=broken)
    # a day that ends where it began is a closed ring: it says nothing of its neighbours
    ended = [day for day in days if day.opening is not None]
    gap = next((late.day for early, late in pairwise(ended) if early.closing != late.opening), None)
    if gap is None:
        return BalanceChain(
            state=ChainState.HOLDS,
            opening=ended[0].opening if ended else None,
            closing=ended[-1].closing if ended else None,
        )
    if all(early.opening == late.closing for early, late in pairwise(ended)):
        return BalanceChain(state=ChainState.BACKWARDS, first_bad_day=gap)
    return BalanceChain(state=ChainState.LAGGING, first_bad_day=gap)
