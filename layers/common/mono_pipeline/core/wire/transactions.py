"""A page of `GET /v2/accounts/{id}/transactions` (Mono contract 2.2): from bytes to rows for PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mono_pipeline.core.wire.document import refuse_excess
from mono_pipeline.core.wire.plain_page import read_plain_page
from mono_pipeline.core.wire.row_form import PlausibleDates
from mono_pipeline.core.wire.transaction_page import TransactionPage, own_meta

if TYPE_CHECKING:
    from datetime import date


def parse_transactions(body: bytes, *, account_id: str, page: int, today: date) -> TransactionPage:
    """Page number `page` (from 1) of `account_id`, as it is on the Lagos date `today`.

    A plain page is read whole; any other row by row, and a bad row is rejected alone.

    Raises:
        MonoUnintelligible: the page is refused whole; nothing of it may be used.
    """
    plausible = PlausibleDates.until(today)
    refuse_excess(body)
    plain = read_plain_page(body, plausible)
    if plain is None:
        # loads pydantic, for a page that needs it
        from mono_pipeline.core.wire.row_by_row import read_row_by_row  # noqa: PLC0415

        return read_row_by_row(body, plausible, account_id=account_id, page=page)
    meta = own_meta(plain.meta, account_id, page)
    return TransactionPage(
        number=page,
        rows_json=plain.rows_json,
        row_count=plain.row_count,
        seen=plain.row_count,
        rejected=(),
        total=meta.total,
        has_next=bool(meta.next),
        not_ready=False,
    )
