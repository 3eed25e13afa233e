"""The values a sync works on: an account, and the run that holds its lease."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from mono_pipeline.core.booking import DateWindow

BACKFILL: Final = "backfill"  # `requested_by` of months that a person has asked for


class RunKind(StrEnum):
    """What a run reads."""

    INCREMENTAL = "incremental"  # from the watermark less the overlap
    FULL = "full"  # all that Mono has: the first history, and the deep re-read
    WINDOW = "window"  # the days that somebody asked for


class RunStatus(StrEnum):
    """How a run stands; `running` is the only one that is not an end."""

    RUNNING = "running"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    STOPPED = "stopped"


class LinkStatus(StrEnum):
    """How the account is linked at Mono."""

    LINKED = "linked"
    REAUTH_REQUIRED = "reauth_required"  # still read: Mono serves its old copy
    UNLINKED = "unlinked"
    REFUSED = "refused"  # Mono refuses this account; tried again after an hour


class Account(Struct, frozen=True, kw_only=True):
    """A bank account as stored. `id` is ours, `mono_account_id` is Mono's present one."""

    id: int
    mono_account_id: str
    first_mono_account_id: str
    currency: str
    link_status: LinkStatus
    watermark: date | None
    last_full_read_at: datetime | None
    fresh_as_of: datetime | None
    totals_ignore_window: bool
    dead_lettered_at: datetime | None = None  # it failed too often: only a person or a replay has it read again


class LeasedRun(Struct, frozen=True, kw_only=True):
    """A run that may write: it holds the account's lease under `fence`.

    `days` are the booking days it answers for, None for all there are; `today` is the day in Lagos by the database.
    """

    run_id: UUID
    account: Account
    fence: int
    kind: RunKind
    days: DateWindow | None
    pass_number: int
    pages_done: int
    today: date
    correlation_id: str
    requested_by: str


class RowCounts(Struct, frozen=True, kw_only=True):
    """What became of rows: every row seen is exactly one of the other four."""

    seen: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    quarantined: int = 0

    def __add__(self, other: RowCounts) -> RowCounts:
        return RowCounts(
            seen=self.seen + other.seen,
            inserted=self.inserted + other.inserted,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            quarantined=self.quarantined + other.quarantined,
        )
