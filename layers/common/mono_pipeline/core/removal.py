"""What it means that a complete pass did not show stored rows: an anomaly, or evidence that they are gone."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

# At least five, and more than a fifth: so many rows do not go one by one.
FEWEST_TRUNCATED = 5
TRUNCATED_SHARE = 5


class Absence(StrEnum):
    """How to take it that rows are missing."""

    NONE = "none"
    SUSPICIOUS_EMPTY = "suspicious_empty"  # nothing at all was shown
    HISTORY_TRUNCATED = "history_truncated"  # the bank shortened its history, or lost much of it
    EVIDENCE = "evidence"  # each row by itself may be gone


class MissingRow(Struct, frozen=True, kw_only=True):
    """A stored row that a complete pass covers and did not show, and since when it has been missing.

    `first_missed_at` None means that this pass is the first to miss it; `fresh_then` is how fresh the bank's data were
    then. A row that `came_broken` was shown, but what the bank says of it now cannot be stored.
    """

    mono_transaction_id: str
    booking_date: date
    first_missed_at: datetime | None = None
    fresh_then: datetime | None = None
    came_broken: bool = False


def judge_absence(
    missing: Sequence[MissingRow], *, rows_shown: int, oldest_shown: date | None, covered_rows: int, full: bool
) -> Absence:
    """Judge what a complete pass did not show.

    `rows_shown` counts the rows of the pass, `oldest_shown` is its oldest booking day, `covered_rows` counts the stored
    rows on the days it covers, `full` says that it had no date filter.
    """
    if not missing:
        return Absence.NONE
    if rows_shown == 0 or oldest_shown is None:
        return Absence.SUSPICIOUS_EMPTY
    shortened = full and all(row.booking_date < oldest_shown for row in missing)
    too_many = len(missing) >= FEWEST_TRUNCATED and len(missing) * TRUNCATED_SHARE > covered_rows
    return Absence.HISTORY_TRUNCATED if shortened or too_many else Absence.EVIDENCE


def is_gone(row: MissingRow, *, now: datetime, fresh_as_of: datetime | None, evidence_hours: int) -> bool:
    """Whether this second absence is evidence of its own: long enough after the first, or after fresh bank data.

    Two reads of one cached copy are one piece of evidence (Mono contract 2.5).
    """
    if row.first_missed_at is None:
        return False
    if now - row.first_missed_at >= timedelta(hours=evidence_hours):
        return True
    return fresh_as_of is not None and fresh_as_of > (row.fresh_then or row.first_missed_at)
