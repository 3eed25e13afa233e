"""One bank row of Mono's: its rules, and its form for PostgreSQL."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mono_pipeline.core.discreet import Discreet
from mono_pipeline.core.wire.document import Flaw, Json, Repeated, find_flaw, spell
from mono_pipeline.core.wire.quarantine import RejectedRow, RejectionReason, reject
from mono_pipeline.core.wire.row_form import CURRENCY, INSTANT, MAX_MINOR, MICROSECONDS, TRANSACTION_ID

if TYPE_CHECKING:
    from mono_pipeline.core.wire.row_form import PlausibleDates

_BEYOND_MICROSECONDS = re.compile(r"(\.[0-9]{6})[0-9]+")
_quote = json.JSONEncoder(ensure_ascii=False).encode

TransactionId = Annotated[str, Field(pattern=rf"\A{TRANSACTION_ID}\z")]
Amount = Annotated[int, Field(ge=0, le=MAX_MINOR)]
Direction = Literal["debit", "credit"]
Instant = Annotated[str, Field(pattern=rf"\A{INSTANT}\z")]
Text = Annotated[str, Field(pattern=r"\A[^\x00]*\z")]  # the pattern also makes pydantic refuse half a surrogate pair
Currency = Annotated[str, Field(pattern=rf"\A{CURRENCY}\z")]
Balance = Annotated[int, Field(ge=-MAX_MINOR, le=MAX_MINOR)]  # may be negative: an overdraft


class LandedRow(Discreet, frozen=True):
    """A row that may be stored: `spelled` is its JSON object for `json_to_recordset`."""

    hidden = frozenset({"spelled"})

    mono_transaction_id: str
    spelled: str


class _Row(BaseModel):
    # The first field with an error names the rejection, so the order is the order of precedence.
    model_config = ConfigDict(strict=True, frozen=True, hide_input_in_errors=True)

    id: TransactionId
    amount: Amount
    type: Direction
    date: Instant
    narration: Text | None = None
    currency: Currency | None = None
    balance: Balance | None = None
    category: Text | None = None


_FIELDS = frozenset(_Row.model_fields)
_REASONS = {
    "id": RejectionReason.BAD_ID,
    "amount": RejectionReason.BAD_AMOUNT,
    "type": RejectionReason.BAD_TYPE,
    "date": RejectionReason.BAD_DATE,
    "narration": RejectionReason.BAD_TEXT,
    "currency": RejectionReason.BAD_CURRENCY,
    "balance": RejectionReason.BAD_BALANCE,
    "category": RejectionReason.BAD_CATEGORY,
}
_REASON_OF_FLAW = {flaw: RejectionReason(flaw.value) for flaw in Flaw}
_TEXT_ERRORS = frozenset({"string_pattern_mismatch", "string_unicode"})  # text, but with a NUL or half a pair


class _Rejected(Exception):
    def __init__(self, reason: RejectionReason) -> None:
        super().__init__(reason)
        self.reason = reason


def read_row(entry: Json, plausible: PlausibleDates) -> LandedRow | RejectedRow:
    """`entry` as a row that may be stored, or as one for quarantine; it never fails."""
    try:
        return _land(entry, plausible)
    except _Rejected as rejected:
        return reject(entry, rejected.reason)


def _land(entry: Json, plausible: PlausibleDates) -> LandedRow:
    if isinstance(entry, Repeated):
        raise _Rejected(RejectionReason.DUPLICATE_KEY)
    if not isinstance(entry, dict):
        raise _Rejected(RejectionReason.NOT_AN_OBJECT)
    if entry.get("id") is None:
        raise _Rejected(RejectionReason.MISSING_ID)
    row = _validated(entry)
    if _instant(row.date) not in plausible:
        raise _Rejected(RejectionReason.IMPLAUSIBLE_DATE)
    return LandedRow(row.id, _spell_row(row, _extra(entry)))


def _validated(entry: dict[str, Json]) -> _Row:
    try:
        return _Row.model_validate(entry)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        category_text = first["loc"] == ("category",) and first["type"] in _TEXT_ERRORS
        raise _Rejected(RejectionReason.BAD_TEXT if category_text else _REASONS[str(first["loc"][0])]) from None


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # the form is right, but there is no 30 February, no hour 25 and no second 60
        raise _Rejected(RejectionReason.BAD_DATE) from None


def _extra(entry: dict[str, Json]) -> str:
    if entry.keys() <= _FIELDS:
        return "null"
    extra = {key: part for key, part in entry.items() if key not in _FIELDS}
    flaw = find_flaw(extra)
    if flaw is not None:
        raise _Rejected(_REASON_OF_FLAW[flaw])
    return spell(extra)


def _spell_row(row: _Row, extra: str) -> str:
    # Written out, because no JSON encoder would leave the numbers of `extra` as they were spelled.
    # A bank line without words has none: "" and not null, because `NULL = NULL` is unknown in SQL and would blind every
    # comparison of narrations (fingerprints of re-minted ids) to just these rows.
    return (
        f'{{"id":"{row.id}","amount":{row.amount},"type":"{row.type}","currency":{_quoted(row.currency)}'
        f',"narration":{_quote(row.narration or "")},"category":{_quoted(row.category)}'
        f',"balance":{"null" if row.balance is None else row.balance}'
        f',"date":"{_to_microseconds(row.date)}","extra":{extra}}}'
    )


def _to_microseconds(text: str) -> str:
    return text if len(text) <= MICROSECONDS else _BEYOND_MICROSECONDS.sub(r"\1", text)


def _quoted(text: str | None) -> str:
    return "null" if text is None else _quote(text)
