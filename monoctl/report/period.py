"""Slots of time that a person can read: so many of them, of a length that a clock has."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

    from monoctl.report.model import Span

_MINUTE: Final = 60
_HOUR: Final = 3_600
_DAY: Final = 86_400
_LENGTHS: Final = (
    *(1, 5, 15),
    *(_MINUTE * each for each in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * each for each in (1, 2, 3, 6, 12)),
    *(_DAY * each for each in (1, 2, 7, 14, 31)),
)
_SHORT: Final = 3 * _MINUTE  # of a shorter period a minute says too little


def length_of(period: Span) -> float:
    """Return how long a period is, in seconds, a second at least."""
    return max((period.until - period.since).total_seconds(), 1.0)


def slot_seconds(period: Span, *, most: int) -> int:
    """Return the shortest slot of a minute or more by which a period has at most `most` of them."""
    length = length_of(period)
    usual = [each for each in _LENGTHS if each >= _MINUTE or length < _SHORT]
    return next((each for each in usual if length / each <= most), usual[-1])


def tick_seconds(period: Span, *, most: int) -> int:
    """Return the distance of the marks on a time axis that has at most `most` of them."""
    length = length_of(period)
    return next((each for each in _LENGTHS if length / each <= most), _LENGTHS[-1])


def ticks(period: Span, *, most: int) -> list[datetime]:
    """Return the marks of a time axis, on whole minutes, hours and days of UTC."""
    step = tick_seconds(period, most=most)
    midnight = period.since.replace(hour=0, minute=0, second=0, microsecond=0)
    first = -(-(period.since - midnight).total_seconds() // step)
    marks, at = [], midnight + timedelta(seconds=first * step)
    while at <= period.until:
        marks.append(at)
        at += timedelta(seconds=step)
    return marks
