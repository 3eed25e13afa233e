"""Which days of an account were read, and which are to be read (again)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

READ: Final = "read"  # when late postings had had time to come in
DUE: Final = "due"  # too early to be complete: it is read again
NEVER_READ: Final = "never_read"


class Stretch(Struct, frozen=True, kw_only=True):
    """Consecutive days of one state, both ends included. `oldest_read_at` is None where they were never read."""

    first: date
    last: date
    state: str
    oldest_read_at: datetime | None = None

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.last - self.first).days + 1


def coverage_as_json(stretches: Sequence[Stretch]) -> dict[str, Any]:
    """The answer to "are these days complete?": `complete`, days by state, and the stretches."""
    count = {state: sum(each.days for each in stretches if each.state == state) for state in (READ, DUE, NEVER_READ)}
    return {
        "from": stretches[0].first.isoformat(),
        "to": stretches[-1].last.isoformat(),
        "complete": count[READ] == sum(count.values()),
        "days": count,
        "stretches": [
            {
                "from": each.first.isoformat(),
                "to": each.last.isoformat(),
                "state": each.state,
                "oldest_read_at": each.oldest_read_at.isoformat() if each.oldest_read_at else None,
            }
            for each in stretches
        ],
    }
