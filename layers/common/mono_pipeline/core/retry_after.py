"""How long Mono asks us to wait (RFC 9110 10.2.3); it publishes no form of its own (Mono contract 6)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MAX_RETRY_AFTER = 900.0  # seconds: a longer wish is met by asking again every fifteen minutes

_SECONDS = re.compile(r"([+-]?)([0-9]+)")
_MANY_DIGITS = 6  # 999,999 seconds are eleven days; what is longer is not worth a conversion


def retry_after_seconds(header: str | None, *, answered_at: str | None) -> float | None:
    """Seconds to wait from the answer on, between 0 and 900; None where `Retry-After` is absent or unreadable.

    A date counts from `answered_at`, the answer's own `Date`, so that neither our clock nor a wrong one of Mono's
    matters; without that it is unreadable.
    """
    text = (header or "").strip()
    number = _SECONDS.fullmatch(text)
    if number is None:
        return _until(_http_date(text), _http_date(answered_at or ""))
    sign, digits = number.groups()
    if sign == "-":
        return 0.0
    return MAX_RETRY_AFTER if len(digits) > _MANY_DIGITS else min(float(digits), MAX_RETRY_AFTER)


def _until(moment: datetime | None, answered_at: datetime | None) -> float | None:
    if moment is None or answered_at is None:
        return None
    return min(max((moment - answered_at).total_seconds(), 0.0), MAX_RETRY_AFTER)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
