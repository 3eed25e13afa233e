"""Booking days on the command line."""

from __future__ import annotations

import re
from datetime import date

from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.errors import InvalidInput


def read_window(first: tuple[str, str | None], last: tuple[str, str | None]) -> DateWindow | None:
    """Return the window of two options, each as (name, text), or None where neither is given.

    Raises InvalidInput naming the option that is missing or wrong.
    """
    (first_option, first_text), (last_option, last_text) = first, last
    if first_text is None and last_text is None:
        return None
    if first_text is None or last_text is None:
        raise InvalidInput(first_option if first_text is None else last_option, "is missing: give both days, or none")
    start, end = read_day(first_option, first_text), read_day(last_option, last_text)
    if start > end:
        raise InvalidInput(first_option, f"is later than {last_option}")
    return DateWindow(start=start, end=end)


def read_day(option: str, text: str) -> date:
    """Return a day that was written as 2026-11-24. Raises InvalidInput for anything else."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidInput(option, f"{text[:20]!r} is no day; write it as 2026-11-24")
