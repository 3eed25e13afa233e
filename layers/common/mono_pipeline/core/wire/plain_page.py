"""A page with nothing unusual about it, read whole: the same rows as one by one, at a fifth of the price.

Only a page of the documented shape is plain: the known fields and no other, no number but plain integers, no key twice,
every row good and every id once. Whatever is not plain is nobody's fault yet: it is left to be read row by row, which
alone decides what is rejected and what is refused.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import UNSET, Meta, MsgspecError, Struct, UnsetType, to_builtins
from msgspec.json import Decoder, Encoder

from mono_pipeline.core.discreet import Discreet
from mono_pipeline.core.wire.row_form import CURRENCY, INSTANT, MAX_MINOR, MICROSECONDS, TRANSACTION_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mono_pipeline.core.wire.row_form import PlausibleDates

MAX_ROWS = 5_000  # we ask for pages of 100 and never for `paginate=false`


class _PlainRow(Struct, forbid_unknown_fields=True, gc=False):
    id: str
    amount: Annotated[int, Meta(ge=0, le=MAX_MINOR)]
    type: Literal["debit", "credit"]
    date: Annotated[str, Meta(max_length=MICROSECONDS)]
    narration: str | UnsetType | None = UNSET
    currency: str | UnsetType | None = UNSET
    balance: Annotated[int, Meta(ge=-MAX_MINOR, le=MAX_MINOR)] | UnsetType | None = UNSET
    category: str | UnsetType | None = UNSET


class _PlainMeta(Struct, forbid_unknown_fields=True):
    total: int
    page: int
    previous: str | None
    next: str | None


class _PlainDocument(Struct, forbid_unknown_fields=True):
    status: Literal["successful"]
    message: str
    timestamp: str
    data: Annotated[list[_PlainRow], Meta(max_length=MAX_ROWS)]
    meta: _PlainMeta


class PlainPage(Discreet, frozen=True, kw_only=True):
    """`rows_json` as `TransactionPage` has it, `row_count` rows in it, and `meta` not yet looked at."""

    hidden = frozenset({"rows_json"})

    rows_json: str
    row_count: int
    meta: dict[str, Any]


_read = Decoder(_PlainDocument).decode
_spell = Encoder().encode
_ENVELOPE_KEYS = len(_PlainDocument.__struct_fields__) + len(_PlainMeta.__struct_fields__)
_RARE_SPACES = (b"\t", b"\n", b"\r")  # white space of JSON that Mono does not write
_DATA, _META = b'"data":[', b'],"meta":'
# One match for a whole column takes a quarter of one match for each of its values.
_all_ids = re.compile(rf"(?:{TRANSACTION_ID}\n)*").fullmatch
_all_instants = re.compile(rf"(?:{INSTANT}\n)*").fullmatch
_all_currencies = re.compile(rf"(?:{CURRENCY}\n)*").fullmatch


def read_plain_page(body: bytes, plausible: PlausibleDates) -> PlainPage | None:
    """The page that `body` holds, or None where it is not plain; it never fails."""
    document = _plain_document(body)
    if document is None or not _every_row_is_good(document.data, plausible):
        return None
    return PlainPage(
        rows_json=_rows_as_they_came(body) or _spell(document.data).decode(),
        row_count=len(document.data),
        meta=to_builtins(document.meta),
    )


def _plain_document(body: bytes) -> _PlainDocument | None:
    # NUL and half a surrogate pair come escaped or not at all. A search for one byte takes a tenth of one for two.
    if b"\\" in body and rb"\u" in body:
        return None
    try:
        document = _read(body)
    except (MsgspecError, ValueError, RecursionError):  # a ValueError is text that is not UTF-8
        return None
    return document if _names_no_key_twice(body, document) else None


def _names_no_key_twice(body: bytes, document: _PlainDocument) -> bool:
    """Whether `document` has as many keys as `body` names: of two equal ones the last is kept and nothing said.

    With no white space before a colon, every key is one `":` of the text; one more inside a string only makes the
    page look less plain than it is.
    """
    rows = document.data
    left_out = sum(
        [
            [row.narration for row in rows].count(UNSET),
            [row.currency for row in rows].count(UNSET),
            [row.balance for row in rows].count(UNSET),
            [row.category for row in rows].count(UNSET),
        ]
    )
    keys = _ENVELOPE_KEYS + len(rows) * len(_PlainRow.__struct_fields__) - left_out
    spaced = b'" :' in body or any(space in body and b'"' + space + b":" in body for space in _RARE_SPACES)
    return not spaced and body.count(b'":') == keys


def _every_row_is_good(rows: list[_PlainRow], plausible: PlausibleDates) -> bool:
    ids = [row.id for row in rows]
    dates = [row.date for row in rows]
    currencies = {row.currency for row in rows} - {None, UNSET}
    return (
        len(set(ids)) == len(ids)
        and _all_ids(_column(ids)) is not None
        and _all_instants(_column(dates)) is not None
        and _all_currencies(_column(currencies)) is not None
        and _all_plausible(dates, plausible)
    )


def _column(values: Iterable[Any]) -> str:
    """The values, each with an end: one that holds such an end itself has no form that any of the columns allows."""
    return "\n".join([*values, ""])


def _all_plausible(dates: list[str], plausible: PlausibleDates) -> bool:
    try:
        instants = [datetime.fromisoformat(date) for date in dates]
    except ValueError:
        return False
    return not instants or (min(instants) in plausible and max(instants) in plausible)


def _rows_as_they_came(body: bytes) -> str | None:
    """The array of a plain page as Mono spelled it, or None where `meta` does not follow `data` at once.

    Neither mark can be inside a string, where its quotes would be escaped, nor twice: no key is named twice.
    """
    start, end = body.find(_DATA), body.find(_META)
    return body[start + len(_DATA) - 1 : end + 1].decode() if 0 < start < end else None
