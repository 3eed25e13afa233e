"""Whether what is stored is what the bank said, decided from what a pass read and what the tables hold."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.core.removal import Absence

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
    HISTORY_TRUNCATED = "history_truncated"  # the bank shows much less than it did
    HISTORY_CHANGED = "history_changed"  # the window does not open where what is stored before it closes
    DUPLICATE_SUSPECTED = "duplicate_suspected"  # an old id is gone and a new one looks the same
    QUARANTINED = "quarantined"  # rows that cannot be trusted stand open
    REMOVAL_PENDING = "removal_pending"  # stored rows were not shown; one pass is no proof that they are gone
    BALANCE_MISSING = "balance_missing"  # the bank supplies no running balances, or not for every row
    BALANCE_LAGGING = "balance_lagging"  # running balances do not follow the amounts
    BALANCE_BACKWARDS = "balance_backwards"  # they run from the newest row to the oldest
    BALANCE_AHEAD = "balance_ahead"  # the account's balance is not the newest row's: rows are still to come
    DAYS_DIFFER = "days_differ"  # the mismatch: rows or sums of a day are not the bank's


class Verdict(Struct, frozen=True, kw_only=True):
    """`first_bad_day` is set for a mismatch only."""

    kind: VerdictKind
    reason: VerdictReason | None = None
    first_bad_day: date | None = None


class DifferingDay(Struct, frozen=True, kw_only=True):
    """A covered day on which the pass's digest and the stored rows' differ. Sums are in minor units."""

    day: date
    bank_rows: int
    stored_rows: int
    bank_credits: int
    stored_credits: int
    bank_debits: int
    stored_debits: int


class Findings(Struct, frozen=True, kw_only=True):
    """What a complete pass found.

    `differing` are days on which what was read and what is stored differ; `missing` counts stored rows that the pass
    did not show and that are not decided on. `balance_reason` says why the running balances prove nothing.
    """

    differing: Sequence[DifferingDay]
    missing: int
    absence: Absence
    open_suspicions: int
    open_quarantine: int
    balance_reason: VerdictReason | None


VERIFIED = Verdict(kind=VerdictKind.VERIFIED)


def unverifiable(reason: VerdictReason) -> Verdict:
    """The verdict that says why nothing can be said."""
    return Verdict(kind=VerdictKind.UNVERIFIABLE, reason=reason)


def judge(findings: Findings) -> Verdict:
    """The verdict on a complete pass: the gravest thing that it found."""
    if findings.differing:
        first = min(day.day for day in findings.differing)
        return Verdict(kind=VerdictKind.MISMATCH, reason=VerdictReason.DAYS_DIFFER, first_bad_day=first)
    reasons = (
        (findings.absence is Absence.SUSPICIOUS_EMPTY, VerdictReason.SUSPICIOUS_EMPTY),
        (findings.absence is Absence.HISTORY_TRUNCATED, VerdictReason.HISTORY_TRUNCATED),
        (findings.open_suspicions > 0, VerdictReason.DUPLICATE_SUSPECTED),
        (findings.missing > 0, VerdictReason.REMOVAL_PENDING),
        (findings.open_quarantine > 0, VerdictReason.QUARANTINED),
    )
    reason = next((reason for holds, reason in reasons if holds), findings.balance_reason)
    return VERIFIED if reason is None else unverifiable(reason)
