"""Whether what is stored is what the bank said, decided from what a pass read and what the tables hold."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date


class VerdictKind(StrEnum):
    """The three things a run can say of the data."""

    VERIFIED = "verified"
    UNVERIFIABLE = "unverifiable"
    MISMATCH = "mismatch"


class VerdictReason(StrEnum):
    """Why a run cannot say `verified`. A closed list: it is a metric dimension."""

    NOT_READY = "not_ready"  # Mono does not have the account's data yet (Mono contract 2.5)
    TOTAL_DIFFERS = "total_differs"  # Mono announced another number of rows than it gave
    DRIFT = "drift"  # the rows moved under every pass
    ENDLESS_PAGES = "endless_pages"  # the pages did not end where the total said
    SUSPICIOUS_EMPTY = "suspicious_empty"  # nothing read from an account with history
    QUARANTINED = "quarantined"  # rows that cannot be trusted stand open
    REMOVAL_PENDING = "removal_pending"  # stored rows were not shown; one pass is no proof that they are gone
    DAYS_DIFFER = "days_differ"  # the mismatch: rows or sums of a day are not the bank's


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`first_bad_day` is set for a mismatch only."""

    kind: VerdictKind
    reason: VerdictReason | None = None
    first_bad_day: date | None = None


@dataclass(frozen=True, kw_only=True)
class DifferingDay:
    """A covered day on which the pass's digest and the stored rows' differ. Sums are in minor units."""

    day: date
    bank_rows: int
    stored_rows: int
    bank_credits: int
    stored_credits: int
    bank_debits: int
    stored_debits: int


VERIFIED = Verdict(kind=VerdictKind.VERIFIED)


def unverifiable(reason: VerdictReason) -> Verdict:
    """The verdict that says why nothing can be said."""
    return Verdict(kind=VerdictKind.UNVERIFIABLE, reason=reason)


def judge_days(
    *, differing: Sequence[DifferingDay], missing_days: Sequence[date], open_quarantine: int, read_nothing: bool
) -> Verdict:
    """The verdict on a complete pass.

    `missing_days` are the booking days of stored rows that the pass did not show. A day that differs for another reason
    than missing rows is a mismatch: what was read and what was written in the same commits do not agree.
    """
    if read_nothing and missing_days:
        return unverifiable(VerdictReason.SUSPICIOUS_EMPTY)
    unexplained = [day.day for day in differing if day.day not in set(missing_days)]
    if unexplained:
        return Verdict(kind=VerdictKind.MISMATCH, reason=VerdictReason.DAYS_DIFFER, first_bad_day=min(unexplained))
    if missing_days:
        return unverifiable(VerdictReason.REMOVAL_PENDING)
    if open_quarantine:
        return unverifiable(VerdictReason.QUARANTINED)
    return VERIFIED
