"""ISO 8601 durations of a length that is the same whenever they begin: weeks, days, hours, minutes and seconds."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from mono_pipeline.core.errors import InvalidInput

_WEEKS = re.compile(r"P(?P<weeks>\d{1,4})W", re.ASCII)
_DAYS_AND_TIME = re.compile(
    r"P(?:(?P<days>\d{1,5})D)?(?:T(?=\d)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,7})M)?(?:(?P<seconds>\d{1,9})S)?)?",
    re.ASCII,
)
_LONGEST: Final = timedelta(days=36_500)


def parse_duration(field: str, text: str) -> timedelta:
    """Return `P14D`, `PT1H30M` or `P2W` as a length of time.

    Raises InvalidInput naming `field`: another form, nothing at all (`P`), or more than a hundred years. Years and
    months have no length of their own.
    """
    found = _WEEKS.fullmatch(text) or _DAYS_AND_TIME.fullmatch(text)
    parts = {unit: int(number) for unit, number in found.groupdict().items() if number} if found else {}
    if not parts:
        raise InvalidInput(field, "is no ISO 8601 duration of weeks, or of days and time: P2D, PT12H, P1DT30M")
    length = timedelta(**parts)
    if length > _LONGEST:
        raise InvalidInput(field, "is longer than a hundred years")
    return length
