"""What may stand in a log line: fields of a closed list, and of each value only so much and of such a form.

What is not listed is left out, and counted in `dropped_fields`: a field is added here by someone who has looked at what
it holds.
No field holds a narration, a name, an account number, a BVN or a body.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

IDS: Final = {
    "account_id", "action_id", "correlation_id", "event_id", "former_account_id", "function_request_id", "job_id",
    "message_id", "run_id",
}  # fmt: skip
WORDS: Final = {
    "asked_by", "error", "error_code", "flag_problem", "flag_reason", "kind", "link_status", "outcome", "outcomes",
    "policy", "realtime", "reason", "reasons", "requested_by", "served", "stage", "state", "status", "verdict",
    "verdict_reason",
}  # fmt: skip
# Our own sentences, about something that came from outside.
SENTENCES: Final = {"detail", "problem"}
FIGURES: Final = {
    "attempt", "backfill_seconds", "brought_forward", "calls", "charged_ngn", "count", "deferred", "dead_letters_sent",
    "events_taken_up", "hop", "hours_old", "imported", "jobs_ended", "linked_again", "messages", "page", "pages",
    "pass_number", "passes", "persist_seconds", "rate_wait_seconds", "realtime_calls", "requested", "rows",
    "rows_inserted", "rows_quarantined", "rows_seen", "rows_unchanged", "rows_updated", "seconds", "slo_hours", "stale",
    "streak", "sync_seconds", "total_seconds", "transform_seconds", "unlinked", "woken_again",
}  # fmt: skip
OTHERS: Final = {
    "asked_again", "dead_lettered", "dry_run", "enabled", "finished", "first_bad_day", "fresh_as_of", "has_new_data",
    "repair", "window_end", "window_start",
}  # fmt: skip
FIELDS: Final = frozenset(IDS | WORDS | SENTENCES | FIGURES | OTHERS)

LONGEST: Final = 300  # characters
MOST: Final = 40  # members of one value
_ACCOUNT_NUMBER: Final = re.compile(r"(?<!\w)\d{6,7}(\d{4})(?!\w)")  # a NUBAN has 10 digits, a BVN 11


def clean_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The listed fields with values fit for a line, and how many were not listed as `dropped_fields`."""
    cleaned = {
        name: _sentence(value) if name in SENTENCES else _value(value)
        for name, value in fields.items()
        if name in FIELDS and value is not None
    }
    dropped = len(fields.keys() - FIELDS)
    return {**cleaned, "dropped_fields": dropped} if dropped else cleaned


def _sentence(value: Any) -> str:
    return _ACCOUNT_NUMBER.sub(r"****\1", _text(str(value)))


def _value(value: Any) -> Any:
    match value:
        case bool() | int() | float():
            return value
        case str():
            return _text(str(value))
        case dict():
            return {_text(str(name)): _value(one) for name, one in list(value.items())[:MOST]}
        case list() | tuple() | set() | frozenset():
            return [_value(one) for one in list(value)[:MOST]]
        case _:  # an object's own text may hold anything
            return type(value).__name__


def _text(text: str) -> str:
    """`text` without what moves a terminal's cursor or ends a line, and not longer than a line needs."""
    shown = text[:LONGEST]
    if not shown.isprintable():
        shown = "".join(letter if letter.isprintable() else "\ufffd" for letter in shown)
    return shown if len(text) <= LONGEST else f"{shown}…"
