"""Pages of transactions: what a query selects, in which order, and the page's bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from local.sandbox.clock import LAGOS, wire_instant
from local.sandbox.message import RequestParts, ResponseParts
from local.sandbox.wire import BASE_URL, encode_row, row_document

if TYPE_CHECKING:
    from local.sandbox.bank import Link
    from local.sandbox.ledger import Entry, Ledger
    from local.sandbox.switches import ServingOrder, Switches

DEFAULT_ROWS_A_PAGE = 20
MASK = (1 << 64) - 1
CACHED_SELECTIONS = 256


class BadParameter(ValueError):
    """A query parameter is not of its form; Mono answers 400."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Query:
    """What one request asks of an account's transactions (Mono contract 2.1)."""

    start: date | None = None
    end: date | None = None
    type: str | None = None
    narration: str | None = None
    page: int = 1
    limit: int = DEFAULT_ROWS_A_PAGE
    paginate: bool = True

    @classmethod
    def of(cls, request: RequestParts) -> Query:
        """Read a request's query string.

        Raises:
            BadParameter: A value is not of its form.
        """
        asked = request.parameters
        return cls(
            start=_day(asked, "start"),
            end=_day(asked, "end"),
            type=_direction(asked),
            narration=asked.get("narration"),
            page=_positive(asked, "page", 1),
            limit=_positive(asked, "limit", DEFAULT_ROWS_A_PAGE),
            paginate=asked.get("paginate") != "false",
        )

    @property
    def filters(self) -> tuple[date | None, date | None, str | None, str | None]:
        """What decides which rows match."""
        return (self.start, self.end, self.type, self.narration)


@dataclass(kw_only=True)
class Page:
    """One page before it is written: rows are raw JSON texts, so that anything at all can be put among them."""

    rows: list[bytes]
    meta: dict[str, Any]
    message: str = "Transaction retrieved successfully"
    is_null: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    def response(self, now: datetime) -> ResponseParts:
        """The page on the wire: a join of encoded rows between the envelope's halves."""
        head = f'{{"status":"successful","message":"{self.message}","timestamp":"{wire_instant(now)}","data":'.encode()
        rows = b"null" if self.is_null else b"[" + b",".join(self.rows) + b"]"
        tail = b',"meta":' + json.dumps(self.meta, separators=(",", ":")).encode() if not self.is_null else b""
        headers = {"content-type": "application/json; charset=utf-8", **self.headers}
        return ResponseParts(status=200, body=head + rows + tail + b"}", headers=headers)


class Selections:
    """Remembers the encoded rows of recent queries, for as long as the stored copy they came from is served."""

    def __init__(self) -> None:
        self._held: dict[tuple[Any, ...], tuple[Ledger, list[bytes]]] = {}

    def rows(self, link: Link, query: Query, switches: Switches) -> list[bytes]:
        """The encoded rows that match, in serving order."""
        ledger = link.copy
        # The link's order and ids can change while the ledger stays.
        key = (link.id, link.order_seed, link.reminted, switches.order, switches.dates_cut, switches.end, query.filters)
        held = self._held.pop(key, None)
        if held is None or held[0] is not ledger:
            held = (ledger, [_encoded(link, entry) for entry in _selected(link, query, switches)])
        self._held[key] = held
        while len(self._held) > CACHED_SELECTIONS:
            del self._held[next(iter(self._held))]
        return held[1]


def page_of(link: Link, query: Query, switches: Switches, selections: Selections) -> Page:
    """The page that `query` asks for, of the link's stored copy."""
    if "transactions" not in link.retrieved_data:
        return Page(rows=[], meta=meta_of(link.id, query, switches, total=0, pages=1))
    rows = selections.rows(link, query, switches)
    size = switches.rows_a_page(query.limit) if query.paginate else max(len(rows), 1)
    page = query.page if query.paginate else 1
    total = len(rows) if switches.total == "filtered" else len(link.copy.entries)
    meta = meta_of(link.id, query, switches, total=total, pages=-(-len(rows) // size))
    return Page(rows=rows[(page - 1) * size : page * size], meta=meta)


def meta_of(link_id: str, query: Query, switches: Switches, *, total: int, pages: int) -> dict[str, Any]:
    """`meta` of a page; links drop the filters as the captured one does, unless switched otherwise."""
    page = query.page if query.paginate else 1

    def link_to(number: int) -> str:
        filters = _filters_again(query) if switches.next_link == "filtered" else {}
        return f"{BASE_URL}/accounts/{link_id}/transactions?{urlencode({**filters, 'page': number})}"

    return {
        "total": total,
        "page": page,
        "previous": link_to(page - 1) if page > 1 else None,
        "next": link_to(page + 1) if page < pages else None,
    }


def _filters_again(query: Query) -> dict[str, str]:
    asked = {
        "start": query.start and f"{query.start:%d-%m-%Y}",
        "end": query.end and f"{query.end:%d-%m-%Y}",
        "type": query.type,
        "narration": query.narration,
        "limit": str(query.limit) if query.limit != DEFAULT_ROWS_A_PAGE else None,
    }
    return {name: text for name, text in asked.items() if text}


def _selected(link: Link, query: Query, switches: Switches) -> list[Entry]:
    zone: tzinfo = UTC if switches.dates_cut == "utc" else LAGOS
    inclusive = switches.end == "inclusive"

    def matches(entry: Entry) -> bool:
        if query.type and entry.type != query.type:
            return False
        if query.narration and query.narration.lower() not in entry.narration.lower():
            return False
        if query.start is None and query.end is None:
            return True
        day = entry.date.astimezone(zone).date()
        if query.start and day < query.start:
            return False
        return query.end is None or day < query.end or (inclusive and day == query.end)

    return [entry for entry in _in_serving_order(link, switches.order) if matches(entry)]


def _in_serving_order(link: Link, order: ServingOrder) -> list[Entry]:
    if order != "shuffled":
        ordered = link.copy.in_order()
        return ordered if order == "oldest_first" else ordered[::-1]
    seed = int(link.id[-12:], 16) ^ (link.order_seed * 0x9E3779B97F4A7C15 & MASK)
    return sorted(link.copy.entries.values(), key=lambda entry: _mixed(entry.key, seed))


def _mixed(key: int, seed: int) -> int:
    """A well-mixed 64-bit number (splitmix64), so that a new row falls in anywhere and moves no other pair of rows."""
    mixed = (key * 0x9E3779B97F4A7C15 + seed) & MASK
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & MASK
    return mixed ^ (mixed >> 31)


def _encoded(link: Link, entry: Entry) -> bytes:
    with_balance = link.bank_account.ledger.mode != "absent"
    return link.encoded(entry, lambda id_, entry: encode_row(row_document(id_, entry, with_balance=with_balance)))


def _day(asked: dict[str, str], name: str) -> date | None:
    text = asked.get(name)
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%d-%m-%Y").replace(tzinfo=UTC).date()
    except ValueError:
        raise BadParameter(f"Invalid {name} query parameter") from None


def _direction(asked: dict[str, str]) -> str | None:
    text = asked.get("type")
    if text not in {None, "debit", "credit"}:
        raise BadParameter("Invalid type query parameter")
    return text


def _positive(asked: dict[str, str], name: str, default: int) -> int:
    text = asked.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text[:18]) > 0):
        raise BadParameter(f"Invalid {name} query parameter")
    return int(text[:18])
