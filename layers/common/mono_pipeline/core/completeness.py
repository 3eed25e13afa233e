"""Whether a pass read everything: decided from its counts, before anything is concluded from its rows."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from mono_pipeline.core.verdict import VerdictReason

MAX_PASSES = 4  # the first, and three more after drift


class PassEnd(StrEnum):
    """How the pages of a pass ended."""

    LAST_PAGE = "last_page"
    ENDLESS = "endless"  # more pages than the total allows


class PassTotals(Struct, frozen=True, kw_only=True):
    """What a pass read: rows as they came, distinct rows, and how far `meta.total` moved meanwhile."""

    rows_read: int
    distinct_rows: int
    lowest_total: int
    highest_total: int


class PassOutcome(StrEnum):
    """What a finished pass is worth."""

    COMPLETE = "complete"
    DRIFTED = "drifted"
    TOTAL_UNCLEAR = "total_unclear"  # one unfiltered request tells whether totals respect windows at this bank
    INCOMPLETE = "incomplete"


class PassJudgement(Struct, frozen=True, kw_only=True):
    """The outcome, and for an incomplete pass its reason."""

    outcome: PassOutcome
    reason: VerdictReason | None = None


COMPLETE = PassJudgement(outcome=PassOutcome.COMPLETE)


def judge_pass(totals: PassTotals, *, end: PassEnd, windowed: bool, totals_ignore_window: bool) -> PassJudgement:
    """Judge one pass by its counts.

    A row that came twice or a total that moved is drift: somebody changed the set while it was paged. Then the number
    of distinct rows must be the total. Only a windowed pass may have fewer, and only where it has been seen that
    `meta.total` ignores the date filters (undocumented: Mono contract 2.2); more than the total never.
    """
    if end is PassEnd.ENDLESS:
        return PassJudgement(outcome=PassOutcome.INCOMPLETE, reason=VerdictReason.ENDLESS_PAGES)
    if totals.rows_read != totals.distinct_rows or totals.lowest_total != totals.highest_total:
        return PassJudgement(outcome=PassOutcome.DRIFTED, reason=VerdictReason.DRIFT)
    lacking = totals.highest_total - totals.distinct_rows
    if lacking == 0 or (lacking > 0 and windowed and totals_ignore_window):
        return COMPLETE
    if lacking > 0 and windowed:
        return PassJudgement(outcome=PassOutcome.TOTAL_UNCLEAR)
    return PassJudgement(outcome=PassOutcome.INCOMPLETE, reason=VerdictReason.TOTAL_DIFFERS)


def judge_unclear_total(*, windowed_total: int, unfiltered_total: int, rows_outside: int) -> PassJudgement:
    """Whether a windowed pass whose count is not its total is complete all the same.

    If the unfiltered total is the same although rows are known outside the window (`rows_outside`, stored ones), totals
    say nothing about windows at this bank, and the pass is complete by its last page. Where the window holds all there
    is, both totals are the same either way; then, and when they differ, rows are missing.
    """
    if windowed_total == unfiltered_total and rows_outside > 0:
        return COMPLETE
    return PassJudgement(outcome=PassOutcome.INCOMPLETE, reason=VerdictReason.TOTAL_DIFFERS)
