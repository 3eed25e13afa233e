"""One line of a log: an event of ours, or what the runtime and others write between them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_POWERTOOLS_TIME = "%Y-%m-%d %H:%M:%S,%f%z"


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line.

    Attributes:
        source: the function that wrote it.
        text: the line as it stands in the log.
        at: when, None where the line does not say.
        fields: the JSON object that the line is, None for any other line.
    """

    source: str
    text: str
    at: datetime | None
    fields: Mapping[str, Any] | None

    @property
    def is_event(self) -> bool:
        """Whether it is a log event: not START, END or REPORT, not a metric in embedded format, not somebody else's."""
        return self.fields is not None and "_aws" not in self.fields and isinstance(self.fields.get("message"), str)

    def tells_of(self, *, account_id: str | None, correlation_id: str | None) -> bool:
        """Whether it names this account and this correlation id; None fits any line."""
        fields = self.fields or {}
        wanted = {"account_id": account_id, "correlation_id": correlation_id}
        return all(fields.get(name) == value for name, value in wanted.items() if value is not None)


def read_line(text: str, *, source: str, at: datetime | None = None) -> LogLine:
    """Return a line as a value; `at` is when the log says it was written, used where the line itself does not say."""
    fields = _fields(text)
    return LogLine(source=source, text=text, at=_instant(fields) or at, fields=fields)


def _fields(text: str) -> Mapping[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _instant(fields: Mapping[str, Any] | None) -> datetime | None:
    try:
        return datetime.strptime(str((fields or {}).get("timestamp")), _POWERTOOLS_TIME).astimezone(UTC)
    except ValueError:
        return None
