"""Rows that cannot be trusted: why, and what is kept of them."""

from __future__ import annotations

import json
import re
from enum import StrEnum

from mono_pipeline.core.discreet import Discreet
from mono_pipeline.core.wire.document import Json, Repeated, spell

MAX_PAYLOAD = 64 * 1024  # characters, which are bytes: the payload is ASCII

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class RejectionReason(StrEnum):
    """Why one row is quarantined while the rest of its page lands."""

    NOT_AN_OBJECT = "not_an_object"
    MISSING_ID = "missing_id"
    BAD_ID = "bad_id"
    BAD_AMOUNT = "bad_amount"
    BAD_TYPE = "bad_type"
    BAD_DATE = "bad_date"
    IMPLAUSIBLE_DATE = "implausible_date"
    BAD_CURRENCY = "bad_currency"
    BAD_BALANCE = "bad_balance"
    BAD_CATEGORY = "bad_category"
    BAD_TEXT = "bad_text"
    DUPLICATE_ID = "duplicate_id"
    DUPLICATE_KEY = "duplicate_key"
    NOT_A_NUMBER = "not_a_number"
    NUMBER_TOO_LARGE = "number_too_large"
    TOO_DEEP = "too_deep"


class RejectedRow(Discreet, frozen=True, kw_only=True):
    """A row for quarantine.

    `mono_transaction_id` is None where the row has no usable one. `payload` is the row as ASCII JSON text of at most
    64 KiB, every pair of a repeated key included; a longer one is `{"truncated": "<its beginning>"}`.
    """

    hidden = frozenset({"payload"})

    mono_transaction_id: str | None
    reason: RejectionReason
    payload: str


def reject(entry: Json, reason: RejectionReason) -> RejectedRow:
    """The quarantined form of `entry`."""
    payload = spell(entry)
    if len(payload) > MAX_PAYLOAD:
        payload = json.dumps({"truncated": payload[: MAX_PAYLOAD // 2 - 32]})
    return RejectedRow(mono_transaction_id=_usable_id(entry), reason=reason, payload=payload)


def _usable_id(entry: Json) -> str | None:
    """The id that `entry` names, when it names one that is of the form and only one."""
    pairs = entry.pairs if isinstance(entry, Repeated) else tuple(entry.items()) if isinstance(entry, dict) else ()
    named = [part for key, part in pairs if key == "id"]
    only = named[0] if len(named) == 1 else None
    return only if isinstance(only, str) and _ID.fullmatch(only) else None
