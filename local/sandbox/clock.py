"""The sandbox's own time, so that a test can let days pass."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LAGOS = ZoneInfo("Africa/Lagos")


class Clock:
    """Runs with the machine's clock plus an offset, or stands still at an instant until it is moved."""

    def __init__(self, stands_at: datetime | None = None) -> None:
        self._stands_at = None if stands_at is None else aware(stands_at)
        self._offset = timedelta(0)

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return (self._stands_at or datetime.now(UTC) + self._offset).astimezone(UTC)

    def today(self) -> date:
        """The present day in Lagos."""
        return self.now().astimezone(LAGOS).date()

    def advance(self, step: timedelta) -> None:
        """Let `step` pass at once."""
        if self._stands_at is None:
            self._offset += step
        else:
            self._stands_at += step

    def stand_at(self, instant: datetime) -> None:
        """Stop at `instant`."""
        self._stands_at = aware(instant)

    def run_from(self, instant: datetime) -> None:
        """Set the time to `instant` and let it run on."""
        self._stands_at = None
        self._offset = aware(instant) - datetime.now(UTC)


def aware(instant: datetime) -> datetime:
    """The instant itself, or, where no zone is named, that of Lagos."""
    return instant if instant.tzinfo else instant.replace(tzinfo=LAGOS)


def wire_instant(instant: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and `Z`, as Mono writes every instant (Mono contract 2.2)."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def lagos_midnight(day: date) -> datetime:
    """The instant at which `day` begins in Lagos: 23:00 UTC of the day before (Mono contract 2.4)."""
    return datetime(day.year, day.month, day.day, tzinfo=LAGOS).astimezone(UTC)
