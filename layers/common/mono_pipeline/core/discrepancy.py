"""What a mismatch is made of: the days that differ, and the rows that make the difference."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import asdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from mono_pipeline.core.verdict import DifferingDay

MAX_DAYS = 3  # days that are read again with their ids; the rest are counted
MAX_ROWS = 20  # rows that are kept of them; the rest are counted


class RowFault(StrEnum):
    """What is wrong with a row, seen from the tables."""

    MISSING = "missing"  # the bank shows it, the tables do not hold it
    EXTRA = "extra"  # the tables hold it, the bank does not show it
    DIFFERS = "differs"  # both have it, and not alike


class DifferingRow(Struct, frozen=True, kw_only=True):
    """One row that makes a difference. `day` is a booking day that differs.

    `fields` has the bank's and the stored value of each field that is not alike (amounts in minor units); of a row that
    only one side has, all of them.
    """

    day: date
    mono_transaction_id: str
    fault: RowFault
    fields: Mapping[str, Mapping[str, Any]]


class DifferingRows(Struct, frozen=True, kw_only=True):
    """The first rows that make a difference, in the order of their days, and how many there are in all."""

    rows: Sequence[DifferingRow] = ()
    total: int = 0

    def __add__(self, other: DifferingRows) -> DifferingRows:
        return DifferingRows(rows=(*self.rows, *other.rows)[:MAX_ROWS], total=self.total + other.total)


class Discrepancy(Struct, frozen=True, kw_only=True):
    """A mismatch in detail. Of all days that differ, `days` are the first ones, and `found` is what they showed.

    `unread` says why some of `days` could not be read again; None when they all were.
    """

    days_differing: int
    days: Sequence[DifferingDay]
    found: DifferingRows
    unread: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As it is stored with the run and shown by `runs.show`; days in ISO 8601."""
        return {
            "days_differing": self.days_differing,
            "days": [{**asdict(day), "day": day.day.isoformat()} for day in self.days],
            "rows_differing": self.found.total,
            "rows": [
                {
                    "day": row.day.isoformat(),
                    "id": row.mono_transaction_id,
                    "fault": row.fault,
                    "fields": {name: dict(sides) for name, sides in row.fields.items()},
                }
                for row in self.found.rows
            ],
            "unread": self.unread,
        }
