"""A page that is not plain, read row by row: a bad row is rejected alone, with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire.envelope import open_envelope, refuse_flaws
from mono_pipeline.core.wire.plain_page import MAX_ROWS
from mono_pipeline.core.wire.quarantine import RejectedRow, RejectionReason, reject
from mono_pipeline.core.wire.refusal import Refusal
from mono_pipeline.core.wire.row import LandedRow, read_row
from mono_pipeline.core.wire.transaction_page import TransactionPage, own_meta

if TYPE_CHECKING:
    from mono_pipeline.core.wire.document import Json
    from mono_pipeline.core.wire.row_form import PlausibleDates


def read_row_by_row(body: bytes, plausible: PlausibleDates, *, account_id: str, page: int) -> TransactionPage:
    """As `parse_transactions`, for whatever bytes."""
    envelope = open_envelope(body)
    if envelope.payload is None:
        return TransactionPage(
            number=page, rows_json="[]", row_count=0, seen=0, rejected=(), total=0, has_next=False, not_ready=True
        )
    meta = own_meta(envelope.meta, account_id, page)
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
