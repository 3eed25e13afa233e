"""A page with nothing unusual about it, read whole: the same rows as one by one, at half the price.

Only a page of the documented shape is plain: the known fields and no other, no number but plain integers, no key twice,
every row good and every id once. Whatever is not plain is nobody's fault yet: it is left to be read row by row, which
alone decides what is rejected and what is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, NotRequired, TypedDict

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from pydantic_core import to_json

from mono_pipeline.core.wire.row import MICROSECONDS, Amount, Balance, Currency, Direction, Instant, Text, TransactionId

if TYPE_CHECKING:
    from mono_pipeline.core.wire.row import PlausibleDates

MAX_ROWS = 5_000  # we ask for pages of 100 and never for `paginate=false`

_STRICT = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


@with_config(_STRICT)
class _PlainRow(TypedDict):
    id: TransactionId
    amount: Amount
    type: Direction
    date: Annotated[Instant, Field(max_length=MICROSECONDS)]
    narration: NotRequired[Text | None]
    currency: NotRequired[Currency | None]
    balance: NotRequired[Balance | None]
    category: NotRequired[Text | None]


@with_config(_STRICT)
class _PlainMeta(TypedDict):
    total: int
    page: int
    previous: Text | None
    next: Text | None


@with_config(_STRICT)
class _PlainDocument(TypedDict):
    status: Literal["successful"]
    message: Text
    timestamp: Text
    data: Annotated[list[_PlainRow], Field(max_length=MAX_ROWS)]
    meta: _PlainMeta


@dataclass(frozen=True, kw_only=True, slots=True)
class PlainPage:
    """`rows_json` as `TransactionPage` has it, `row_count` rows in it, and `meta` not yet looked at."""

    rows_json: str = field(repr=False)
    row_count: int
    meta: dict[str, Any]


_DOCUMENT = TypeAdapter(_PlainDocument)
_RARE_SPACES = (b"\t", b"\n", b"\r")  # white space of JSON that Mono does not write
_DATA, _META = b'"data":[', b'],"meta":'


def read_plain_page(body: bytes, plausible: PlausibleDates) -> PlainPage | None:
    """The page that `body` holds, or None where it is not plain; it never fails."""
    document = _plain_document(body)
    if document is None:
        return None
    rows = document["data"]
    if len({row["id"] for row in rows}) != len(rows) or not _all_plausible(rows, plausible):
        return None
    return PlainPage(
        rows_json=_rows_as_they_came(body) or to_json(rows).decode(), row_count=len(rows), meta={**document["meta"]}
    )


def _plain_document(body: bytes) -> _PlainDocument | None:
    # NUL and half a surrogate pair come escaped or not at all. A search for one byte takes a tenth of one for two.
    if b"\\" in body and rb"\u" in body:
        return None
    try:
        document = _DOCUMENT.validate_json(body)
    except ValueError:  # ValidationError is one
        return None
    return document if _names_no_key_twice(body, document) else None


def _names_no_key_twice(body: bytes, document: _PlainDocument) -> bool:
    """Whether `document` has as many keys as `body` names: of two equal ones pydantic keeps the last and says nothing.

    With no white space before a colon, every key is one `":` of the text; one more inside a string only makes the
    page look less plain than it is.
    """
    keys = len(document) + len(document["meta"]) + sum(map(len, document["data"]))
    spaced = b'" :' in body or any(space in body and b'"' + space + b":" in body for space in _RARE_SPACES)
    return not spaced and body.count(b'":') == keys


def _rows_as_they_came(body: bytes) -> str | None:
    """The array of a plain page as Mono spelled it, or None where `meta` does not follow `data` at once.

    Neither mark can be inside a string, where its quotes would be escaped, nor twice: no key is named twice.
    """
    start, end = body.find(_DATA), body.find(_META)
    return body[start + len(_DATA) - 1 : end + 1].decode() if 0 < start < end else None


def _all_plausible(rows: list[_PlainRow], plausible: PlausibleDates) -> bool:
    try:
        instants = [datetime.fromisoformat(row["date"]) for row in rows]
    except ValueError:
        return False
    return not instants or (min(instants) in plausible and max(instants) in plausible)
