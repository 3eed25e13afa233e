"""Booking days: the Lagos calendar date of a bank row, and windows of such dates."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone

from msgspec import Struct

from mono_pipeline.core.errors import InvalidInput

# Written out and not looked up: Nigeria has been at UTC+1 without summer time since 1919, and rows before 1990 are
# refused. zoneinfo would need a tzdata that a Lambda image need not have, and a silent fall-back is how days come to be
# one off. A test compares this zone with the tz database, so that a change of Nigerian law turns a build red.
LAGOS = timezone(timedelta(hours=1), "Africa/Lagos")

_DAY = timedelta(days=1)


def booking_date(instant: datetime) -> date:
    """The day on which the bank booked `instant`: its Africa/Lagos date.

    Banks stamp rows at midnight in Lagos, `T23:00:00.000Z`, so the UTC date is one day early (Mono contract 2.4).

    Raises:
        ValueError: `instant` is naive, which would silently mean the machine's own zone.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant needs its zone")
    return instant.astimezone(LAGOS).date()


class DateWindow(Struct, frozen=True, kw_only=True):
    """Booking dates from `start` to `end`, both included.

    Raises:
        InvalidInput: `start` is later than `end`.
    """

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise InvalidInput("start", "is later than end")

    def covered(self) -> DateWindow | None:
        """The days that a reading of this window surely has in full, or None when there is none.

        One day less at each end: nobody knows whether Mono cuts `start` and `end` in UTC or in Lagos, nor whether
        `end` is inclusive (Mono contract 2.4).
        """
        start, end = self.start + _DAY, self.end - _DAY
        return DateWindow(start=start, end=end) if start <= end else None

    def widened(self, days: int) -> DateWindow:
        """This window with `days` more at each end; one day more makes `covered()` the days first asked for."""
        margin = timedelta(days=days)
        return DateWindow(start=self.start - margin, end=self.end + margin)

    def mono_params(self) -> dict[str, str]:
        """The query parameters `start` and `end` as Mono reads them, `DD-MM-YYYY` (Mono contract 2.1)."""
        return {"start": f"{self.start:%d-%m-%Y}", "end": f"{self.end:%d-%m-%Y}"}
