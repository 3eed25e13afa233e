"""One invocation of `verify.account`: without Mono or with it, and whether the days asked for are complete."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.adapters.verification_store import VerificationStore
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.coverage import coverage_as_json
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.usecases.live_verification import LiveVerification
from mono_pipeline.usecases.verification import Verification

if TYPE_CHECKING:
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.collaborators import Collaborators

    type Event = dict[str, Any]

_FIRST_DAY: Final = date(1990, 1, 1)  # rows before it are refused
_LAST_DAY: Final = date(2199, 12, 31)
_LONGEST: Final = timedelta(days=366 * 30)


def check_account(collaborators: Collaborators, event: Event, deadline: Deadline) -> Event:
    """Answer `{"account_id", "live"?, "from"?, "to"?, "so_far"?}`; the two days come together or not at all.

    With days, `coverage` says which of them are read, and a live comparison is of these days alone. Raises
    InvalidInput, AccountUnknown, and with `live` MonoError and ProviderPaused.
    """
    account = collaborators.accounts.find(parse_account_id(str(event.get("account_id", ""))))
    days = read_days(event)
    if event.get("live"):
        live = LiveVerification(collaborators, account, days=days, deadline=deadline)
        answer = live.go_on(event.get("so_far"))
        if "so_far" in answer:
            return answer
    else:
        answer = Verification(collaborators).recorded(account)
    if days is not None:
        overlap = collaborators.settings.mono_overlap_days
        stretches = VerificationStore(collaborators.database).coverage(account, days, overlap_days=overlap)
        answer["coverage"] = coverage_as_json(stretches)
    return answer


def read_days(event: Event) -> DateWindow | None:
    """The days `from` and `to` of an event, both included; None where it has neither. Raises InvalidInput."""
    given = {name: event.get(name) for name in ("from", "to")}
    if not any(given.values()):
        return None
    for name, text in given.items():
        if not text:
            raise InvalidInput(name, "is missing: both days, or none")
    first, last = (_day(name, str(text)) for name, text in given.items())
    if first > last:
        raise InvalidInput("from", "is later than to")
    if last - first > _LONGEST:
        raise InvalidInput("from", "is more than thirty years before to")
    return DateWindow(start=first, end=last)


def _day(name: str, text: str) -> date:
    try:
        day = date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        day = None
    if day is None or not _FIRST_DAY <= day <= _LAST_DAY:
        raise InvalidInput(name, f"is no day from {_FIRST_DAY} to {_LAST_DAY}, as 2026-06-30")
    return day
