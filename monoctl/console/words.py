"""Amounts, instants and spans of time as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import date

NOTHING: Final = "-"
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
# Up to twice the next unit the smaller one says more: 90 minutes are not "1 h".
_UNITS: Final = ((2 * _DAY, _DAY, "d"), (2 * _HOUR, _HOUR, "h"), (2 * _MINUTE, _MINUTE, "min"), (0, 1, "s"))


def amount(minor: int | None, currency: str) -> str:
    """Return minor units as money: 123456789 NGN is `NGN 1,234,567.89`. Mono's currencies all have two decimals."""
    return NOTHING if minor is None else f"{currency} {Decimal(minor).scaleb(-2):,.2f}"


def money(minor: int) -> str:
    """Return minor units as major ones, without their currency: `1,234,567.89`."""
    return f"{Decimal(minor).scaleb(-2):,.2f}"


def signed(minor: int, direction: str) -> str:
    """Return an amount in minor units with the sign of its direction and without its currency: `-1,200.00`."""
    return money(minor if direction == "credit" else -minor)


def number(count: int | None) -> str:
    """Return a count with its thousands apart."""
    return NOTHING if count is None else f"{count:,}"


def instant(text: str | datetime | None) -> datetime | None:
    """Return an instant that JSON carried as text."""
    return datetime.fromisoformat(text) if isinstance(text, str) else text


def stamp(at: datetime | None) -> str:
    """Return an instant to the second, in UTC."""
    return NOTHING if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def minute(at: datetime | None) -> str:
    """Return an instant to the minute, in UTC."""
    return NOTHING if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}Z"


def ago(at: datetime | None, now: datetime) -> str:
    """Return how long ago an instant was, in the largest unit that says enough: `3 h ago`."""
    return "never" if at is None else f"{span(max(now - at, timedelta(0)))} ago"


def until(at: datetime | None, now: datetime) -> str:
    """Return how far away an instant is: `in 3 h`, or `due` when it has come."""
    if at is None:
        return NOTHING
    return "due" if at <= now else f"in {span(at - now)}"


def span(length: timedelta) -> str:
    """Return a length of time in one unit, rounded down."""
    seconds = int(length.total_seconds())
    _, size, unit = next(each for each in _UNITS if seconds >= each[0])
    return f"{seconds // size} {unit}"


def duration(start: datetime | None, end: datetime | None) -> str:
    """Return how long something took: `4.2 s`, `3 min 20 s`."""
    if start is None or end is None:
        return NOTHING
    seconds = (end - start).total_seconds()
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // _MINUTE} min {int(seconds) % _MINUTE} s"


def days(start: date | None, end: date | None) -> str:
    """Return a window of booking dates, both included."""
    return f"{start} to {end}" if start and end else "all there is"
