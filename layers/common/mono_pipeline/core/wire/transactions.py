"""A page of `GET /v2/accounts/{id}/transactions` (Mono contract 2.2): from bytes to rows for PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire.document import refuse_excess
from mono_pipeline.core.wire.envelope import PageMeta, open_envelope, read_meta, refuse_flaws, refuse_foreign_links
from mono_pipeline.core.wire.plain_page import MAX_ROWS, read_plain_page
from mono_pipeline.core.wire.quarantine import RejectedRow, RejectionReason, reject
from mono_pipeline.core.wire.refusal import Refusal
from mono_pipeline.core.wire.row import LandedRow, PlausibleDates, read_row

if TYPE_CHECKING:
    from datetime import date

    from mono_pipeline.core.wire.document import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class TransactionPage:
    """Page `number` (from 1), with every row either good or rejected: `seen == row_count + len(rejected)`.

    `rows_json` is an array for `json_to_recordset` with one object a good row: `id`, `amount` (minor units), `type`
    (debit or credit), `date` (RFC 3339, as Mono sent it, at most microseconds), and, null or left out where there is
    none, `currency`, `narration`, `category`, `balance` (minor units) and `extra` (an object of the fields that nobody
    knows yet, numbers as they were spelled). `total` counts the rows that Mono has, by its own word. `not_ready` is
    `data: null`: not an empty page but no page.
    """

    number: int
    rows_json: str = field(repr=False)
    row_count: int
    seen: int
    rejected: tuple[RejectedRow, ...]
    total: int
    has_next: bool
    not_ready: bool


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
        return read_row_by_row(body, plausible, account_id=account_id, page=page)
    meta = _own_meta(plain.meta, account_id, page)
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


def read_row_by_row(body: bytes, plausible: PlausibleDates, *, account_id: str, page: int) -> TransactionPage:
    """As `parse_transactions`, for whatever bytes."""
    envelope = open_envelope(body)
    if envelope.payload is None:
        return TransactionPage(
            number=page, rows_json="[]", row_count=0, seen=0, rejected=(), total=0, has_next=False, not_ready=True
        )
    meta = _own_meta(envelope.meta, account_id, page)
    entries = _rows_of(envelope.payload, account_id)
    good, rejected = _settle_ids(entries, [read_row(entry, plausible) for entry in entries])
    return TransactionPage(
        number=page,
        rows_json=f"[{','.join(row.spelled for row in good)}]",
        row_count=len(good),
        seen=len(entries),
        rejected=tuple(rejected),
        total=meta.total,
        has_next=bool(meta.next),
        not_ready=False,
    )


def _own_meta(raw: Json, account_id: str, page: int) -> PageMeta:
    meta = read_meta(raw)
    refuse_foreign_links(meta, account_id)
    if meta.page is not None and int(meta.page) != page:
        raise MonoUnintelligible(Refusal.BAD_META)
    return meta


def _rows_of(payload: Json, account_id: str) -> list[Json]:
    if isinstance(payload, list):
        if len(payload) > MAX_ROWS:
            raise MonoUnintelligible(Refusal.TOO_MANY_ROWS)
        return payload
    refuse_flaws(payload)
    account = payload.get("account") if isinstance(payload, dict) else None
    named = account.get("id") if isinstance(account, dict) else None
    foreign = named is not None and named != account_id
    raise MonoUnintelligible(Refusal.WRONG_ACCOUNT if foreign else Refusal.NOT_AN_ENVELOPE)


def _settle_ids(entries: list[Json], rows: list[LandedRow | RejectedRow]) -> tuple[list[LandedRow], list[RejectedRow]]:
    """Let each id land once: of equal rows the first, of contradicting ones none, for nobody knows which is right."""
    versions: dict[str | None, set[str]] = {}
    for row in rows:
        spelled = row.spelled if isinstance(row, LandedRow) else row.payload
        versions.setdefault(row.mono_transaction_id, set()).add(spelled)
    good: dict[str, LandedRow] = {}
    rejected: list[RejectedRow] = []
    for entry, row in zip(entries, rows, strict=True):
        if isinstance(row, RejectedRow):
            rejected.append(row)
        elif row.mono_transaction_id in good or len(versions[row.mono_transaction_id]) > 1:
            rejected.append(reject(entry, RejectionReason.DUPLICATE_ID))
        else:
            good[row.mono_transaction_id] = row
    return list(good.values()), rejected
