"""What landing rows would do, asked of PostgreSQL without doing it. Nothing here writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mono_pipeline.adapters.comparison_store import joined_rows
from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.discreet import Discreet
from mono_pipeline.core.discrepancy import MAX_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from mono_pipeline.adapters.postgres import Database
    from mono_pipeline.core.booking import DateWindow
    from mono_pipeline.core.run import Account
    from mono_pipeline.core.wire import TransactionPage

_SQL = statements("shadow")


class ShadowFlush(Discreet, frozen=True, kw_only=True):
    """What one flush would come to. `ids` are hashes; `changes` the first rows that would change, with both sides."""

    hidden = frozenset({"ids", "changes"})

    inserted: int
    updated: int
    first_bad_day: date | None
    ids: list[int]
    changes: list[dict[str, Any]]


class NotShown(Struct, frozen=True, kw_only=True):
    """Live rows of the covered days that were not shown, how many of them are suspected doubles, and all live rows."""

    absent: int
    suspected: int
    stored: int


class ShadowStore:
    """Reads one account."""

    def __init__(self, database: Database, account: Account) -> None:
        self._database = database
        self._account = account

    def flush(self, pages: Sequence[TransactionPage]) -> ShadowFlush:
        """What landing consecutive pages would do."""
        row = self._database.rows(
            _SQL["shadow_rows"],
            account_id=self._account.id,
            currency=self._account.currency,
            rows=joined_rows(pages),
            most=MAX_ROWS,
        )[0]
        return ShadowFlush(
            inserted=row["inserted"],
            updated=row["updated"],
            first_bad_day=row["first_bad_day"],
            ids=row["ids"],
            changes=row["rows"],
        )

    def not_shown(self, ids: set[int], covered: DateWindow | None) -> NotShown:
        """What a reading that showed `ids` did not show of the days `covered` (None: every day)."""
        row = self._database.rows(_SQL["shadow_absent"], account_id=self._account.id, ids=list(ids), **_days(covered))[
            0
        ]
        return NotShown(absent=row["absent"], suspected=row["suspected"], stored=row["stored"])

    def rows_outside(self, covered: DateWindow | None) -> int:
        """How many live rows lie outside the days `covered`."""
        return int(self._database.rows(_SQL["rows_outside"], account_id=self._account.id, **_days(covered))[0]["rows"])


def _days(covered: DateWindow | None) -> dict[str, date | None]:
    return {"covered_start": covered.start if covered else None, "covered_end": covered.end if covered else None}
