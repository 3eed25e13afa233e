"""Pages of transactions as Mono writes them, for the tests of the wire."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from mono_pipeline.core.wire import RejectedRow, TransactionPage, parse_transactions

ACCOUNT = "686265c6c41fad92985e806c"
OTHER_ACCOUNT = "686265c6c41fad92985e806d"
TODAY = date(2026, 11, 24)
ID = "686265c6ff3885e5e53ab124"


def row(**fields: Any) -> dict[str, Any]:
    """A good row, with `fields` in place of its own."""
    return {
        "id": ID,
        "narration": "NIP/KUDA/TRANSFER 20",
        "amount": 5_959_043,
        "type": "debit",
        "category": None,
        "currency": "NGN",
        "balance": 5_142_770,
        "date": "2025-06-18T07:02:34.588Z",
    } | fields


def without(name: str) -> dict[str, Any]:
    """A good row that lacks one field."""
    fields = row()
    del fields[name]
    return fields


def meta(**fields: Any) -> dict[str, Any]:
    """Paging facts of page 1 of 14, with `fields` in place of their own."""
    link = f"https://api.withmono.com/v2/accounts/{ACCOUNT}/transactions?page=2"
    return {"total": 278, "page": 1, "previous": None, "next": link} | fields


def envelope(**fields: Any) -> bytes:
    """A good answer with one row, with `fields` in place of its own."""
    answer = {
        "status": "successful",
        "message": "Transaction retrieved successfully",
        "timestamp": "2026-11-24T10:24:11.662Z",
        "data": [row()],
        "meta": meta(),
    }
    return json.dumps(answer | fields).encode()


def page_of(*rows: Any) -> bytes:
    """A page of these rows."""
    return envelope(data=list(rows), meta=meta(total=len(rows), next=None))


def page_of_text(*rows: str) -> bytes:
    """A page of rows given as JSON text, which need not be what a JSON library would write."""
    return page_of("ROWS").replace(b'"ROWS"', ",".join(rows).encode("utf-8", "surrogatepass"))


def parse(body: bytes, *, page: int = 1) -> TransactionPage:
    """The page of `ACCOUNT`, read on `TODAY`."""
    return parse_transactions(body, account_id=ACCOUNT, page=page, today=TODAY)


def only_rejection(body: bytes) -> RejectedRow:
    """The one rejected row of a page on which nothing else is."""
    page = parse(body)
    assert (page.row_count, page.rows_json, page.seen) == (0, "[]", 1)
    (rejected,) = page.rejected
    return rejected


def as_postgresql_reads(row: dict[str, Any]) -> dict[str, Any]:
    """The row that a flush stores: what is left out is null, and a narration that is null is empty."""
    fields = dict.fromkeys(("id", "amount", "type", "date", "currency", "category", "balance", "extra"))
    return {**fields, **row, "narration": row.get("narration") or ""}


def landed(page: TransactionPage) -> list[dict[str, Any]]:
    """The good rows, as a JSON library reads them."""
    return [as_postgresql_reads(row) for row in json.loads(page.rows_json)]
