"""An event of Mono's as values: what happened, to which account, and by which key it is told from its duplicates.

Everything here is an id or a word of a closed list. Names, account numbers, BVNs and balances of the body are never
taken over: a webhook is a hint, and every value that is stored comes from our own reading (Mono contract 5.1).
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.identity import parse_account_id

if TYPE_CHECKING:
    from collections.abc import Mapping


class WebhookKind(StrEnum):
    """What an event is about, whatever Mono has called it over the years (Mono contract 5.3)."""

    CONNECTED = "connected"
    UPDATED = "updated"
    REAUTHORISED = "reauthorised"
    UNLINKED = "unlinked"
    JOB_UPDATED = "job_updated"
    REAUTHORISATION_REQUIRED = "reauthorisation_required"
    SYNC_FAILED = "sync_failed"
    SYNCED = "synced"
    IGNORED = "ignored"  # documented, and nothing to us: income, credit worthiness, enrichment
    UNKNOWN = "unknown"  # documented nowhere


UNKNOWN_WORD: Final = "UNKNOWN"  # Mono said something that is not on the list; None is that it said nothing
SYNC_STATUSES: Final = frozenset({"SUCCESSFUL", "SUCCESS", "FAILED", "REAUTHORISATION_REQUIRED"})
DATA_STATUSES: Final = frozenset({"AVAILABLE", "PARTIAL", "UNAVAILABLE", "FAILED", "PROCESSING"})
JOB_STATUSES: Final = frozenset({"FINISHED", "PROCESSING", "FAILED"})
RETRIEVABLE: Final = ("identity", "balance", "transactions")

# An event's name without `mono.events.` or `mono.accounts.` (the documents' prose mixes them, Mono contract 7.12), in
# British spelling.
_KINDS: Final = {
    "account_connected": WebhookKind.CONNECTED,
    "account_updated": WebhookKind.UPDATED,
    "account_reauthorised": WebhookKind.REAUTHORISED,
    "account_unlinked": WebhookKind.UNLINKED,
    "jobs.update": WebhookKind.JOB_UPDATED,
    "reauthorisation_required": WebhookKind.REAUTHORISATION_REQUIRED,
    "sync_failed": WebhookKind.SYNC_FAILED,
    "account_synced": WebhookKind.SYNCED,
    "account_income": WebhookKind.IGNORED,
    "account_credit_worthiness": WebhookKind.IGNORED,
    "transaction_categorisation": WebhookKind.IGNORED,
    "transaction_metadata": WebhookKind.IGNORED,
    "statement_insights": WebhookKind.IGNORED,
}

# Forms that no account number, BVN, card number or person's name has.
_NAME = re.compile(r"mono(?:\.[a-z]+(?:_[a-z]+)*){1,4}")
_LONGEST_NAME = 64
_EVENT_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_-]{16,64}")
_JOB_ID = re.compile(r"[0-9a-f]{24}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_APP = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST_TIMESTAMP = 40
_YEARS = range(2020, 2200)


class WebhookEvent(Struct, frozen=True, kw_only=True):
    """An event. None is what Mono did not say, or what is not of its form.

    Attributes:
        name: The event as Mono named it.
        kind: What that means here.
        account_id: Mono's id of the account.
        event_key: The same for every delivery of one event: `event:<event_id>`, else `body:<SHA-256 of the body>`.
        has_event_id: Whether `event_key` is Mono's own; without it two events that look alike have one key.
        happened_at: Mono's `timestamp` in ISO 8601, UTC.
        sync_status: How a real-time sync ended; `UNKNOWN` for a word that is not in `SYNC_STATUSES`.
        data_status: What Mono's stored copy is; sticky, and no sign of freshness (Mono contract 2.5).
        retrieved_data: Which of `RETRIEVABLE` the last scrape brought.
        has_new_data: Mono's word that it brought something; its absence is False.
        job_id: The real-time job that this is about.
        job_status: How that job stands, from `JOB_STATUSES`.
        app: Mono's id of the app whose event this is; `UNKNOWN` where it is named and has no such form.
    """

    name: str | None
    kind: WebhookKind
    account_id: str | None
    event_key: str
    has_event_id: bool
    happened_at: str | None = None
    sync_status: str | None = None
    data_status: str | None = None
    retrieved_data: tuple[str, ...] | None = None
    has_new_data: bool = False
    job_id: str | None = None
    job_status: str | None = None
    app: str | None = None


def read_webhook_event(body: bytes) -> WebhookEvent:
    """Return the event in a webhook's body, in every shape that events have had (Mono contract 5.3).

    Raises:
        InvalidInput: The body is no JSON object; the message repeats nothing of it.
    """
    told = _unwrapped(_document(body))
    about = _object(told, "data")
    meta = _object(about, "meta")
    name = _formed(_NAME, told.get("event"), longest=_LONGEST_NAME)
    kind = _kind(name)
    event_id = _formed(_EVENT_ID, told.get("event_id"))
    is_job = kind is WebhookKind.JOB_UPDATED
    return WebhookEvent(
        name=name,
        kind=kind,
        account_id=account_named(told),
        event_key=f"event:{event_id}" if event_id else f"body:{hashlib.sha256(body).hexdigest()}",
        has_event_id=event_id is not None,
        happened_at=_instant(told.get("timestamp")),
        sync_status=_word(_either(meta, "sync_status", "syncStatus"), SYNC_STATUSES),
        data_status=_word(_either(meta, "data_status", "dataStatus"), DATA_STATUSES),
        retrieved_data=_retrieved(_either(meta, "retrieved_data", "retrievedData")),
        has_new_data=_either(meta, "has_new_data", "hasNewData") is True,
        job_id=_formed(_JOB_ID, about.get("id") if is_job else _either(meta, "job_id", "jobId")),
        job_status=_word(about.get("status"), JOB_STATUSES) if is_job else None,
        app=_app(about.get("app")),
    )


def account_named(told: Mapping[str, object]) -> str | None:
    """Return the Mono id of the account that an event is about; None where it names none.

    Order of Mono contract 5.3: `data.account._id`, `data.account.id`, `data.account` as text, `data.id`. A job's
    `data.id` is the job.
    """
    about = _object(told, "data")
    account = about.get("account")
    own = None if _kind(told.get("event")) is WebhookKind.JOB_UPDATED else about.get("id")
    candidates = (account.get("_id"), account.get("id")) if isinstance(account, dict) else (account, own)
    return next(filter(None, map(_account_id, candidates)), None)


def _document(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # a digit too many is a ValueError, a bracket too many the other
        raise InvalidInput("body", "is not JSON") from error
    if not isinstance(told, dict):
        raise InvalidInput("body", "is not an object")
    return told


def _unwrapped(told: dict[str, Any]) -> dict[str, Any]:
    """The event itself: those of enrichment are wrapped in `data` once more."""
    inner = told.get("data")
    return inner if "event" not in told and isinstance(inner, dict) and "event" in inner else told


def _kind(name: object) -> WebhookKind:
    if not isinstance(name, str):
        return WebhookKind.UNKNOWN
    short = name.removeprefix("mono.").removeprefix("events.").removeprefix("accounts.")
    return _KINDS.get(re.sub(r"(?<=ori)z(?=e|ation)", "s", short), WebhookKind.UNKNOWN)


def _object(within: Mapping[str, object], name: str) -> dict[str, Any]:
    found = within.get(name)
    return found if isinstance(found, dict) else {}


def _either(within: Mapping[str, object], name: str, other: str) -> object:
    return within[name] if name in within else within.get(other)


def _formed(form: re.Pattern[str], value: object, *, longest: int = 128) -> str | None:
    if isinstance(value, str) and len(value) <= longest and form.fullmatch(value):
        return value
    return None


def _word(value: object, known: frozenset[str]) -> str | None:
    """A status as a word of `known`: documents and captures differ in case and spelling (Mono contract 7.12)."""
    if value is None:
        return None
    word = value.upper().replace("REAUTHORIZATION", "REAUTHORISATION") if isinstance(value, str) else ""
    return word if word in known else UNKNOWN_WORD


def _retrieved(value: object) -> tuple[str, ...] | None:
    return tuple(name for name in RETRIEVABLE if name in value) if isinstance(value, list) else None


def _app(value: object) -> str | None:
    return None if value is None else _formed(_APP, value) or UNKNOWN_WORD


def _instant(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > _LONGEST_TIMESTAMP:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None or moment.year not in _YEARS:
        return None
    return moment.astimezone(UTC).isoformat()


def _account_id(value: object) -> str | None:
    try:
        return parse_account_id(value) if isinstance(value, str) else None
    except InvalidInput:
        return None
