"""The forms that the values of a row of Mono's may have (Mono contract 2.2)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from msgspec import Struct

from mono_pipeline.core.booking import LAGOS

MAX_MINOR: Final = 2**63 - 1  # PostgreSQL's bigint
MICROSECONDS: Final = len("2025-06-18T07:02:34.588000Z")
# Mono mints ObjectIds but promises nothing about ids, so any short plain word is one; they compare byte by byte.
TRANSACTION_ID: Final = r"[A-Za-z0-9_-]{1,64}"
INSTANT: Final = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])"
)
CURRENCY: Final = r"[A-Z]{3}"

# In UTC, as Mono's instants are: instants of one zone compare three times as fast.
_EARLIEST = datetime(1990, 1, 1, tzinfo=LAGOS).astimezone(UTC)
_DAYS_AHEAD = 366  # a value-dated row may lie ahead; more than a year is a broken clock


class PlausibleDates(Struct, frozen=True, kw_only=True):
    """Instants from 1990 to `ceiling`, which is not included."""

    ceiling: datetime

    @classmethod
    def until(cls, today: date) -> PlausibleDates:
        """What is plausible on `today`, a Lagos date: up to and including 366 days ahead."""
        first_implausible = datetime.combine(today + timedelta(days=_DAYS_AHEAD + 1), time(), LAGOS)
        return cls(ceiling=first_implausible.astimezone(UTC))

    def __contains__(self, instant: datetime) -> bool:
        return _EARLIEST <= instant < self.ceiling
