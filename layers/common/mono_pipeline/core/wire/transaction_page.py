"""A page of transactions as everything after the wire has it (Mono contract 2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mono_pipeline.core.discreet import Discreet
from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire.envelope import PageMeta, read_meta, refuse_foreign_links
from mono_pipeline.core.wire.refusal import Refusal

if TYPE_CHECKING:
    from mono_pipeline.core.wire.document import Json
    from mono_pipeline.core.wire.quarantine import RejectedRow


class TransactionPage(Discreet, frozen=True, kw_only=True):
    """Page `number` (from 1), with every row either good or rejected: `seen == row_count + len(rejected)`.

    `rows_json` is an array for `json_to_recordset` with one object a good row: `id`, `amount` (minor units), `type`
    (debit or credit), `date` (RFC 3339, as Mono sent it, at most microseconds), and, null or left out where there is
    none, `currency`, `narration`, `category`, `balance` (minor units) and `extra` (an object of the fields that nobody
    knows yet, numbers as they were spelled). `total` counts the rows that Mono has, by its own word. `not_ready` is
    `data: null`: not an empty page but no page.
    """

    hidden = frozenset({"rows_json"})

    number: int
    rows_json: str
    row_count: int
    seen: int
    rejected: tuple[RejectedRow, ...]
    total: int
    has_next: bool
    not_ready: bool


def own_meta(raw: Json, account_id: str, page: int) -> PageMeta:
    """The paging facts of page number `page` (from 1) of `account_id`.

    Raises:
        MonoUnintelligible: `bad_meta`, also for another page, or `wrong_account`.
    """
    meta = read_meta(raw)
    refuse_foreign_links(meta, account_id)
    if meta.page is not None and int(meta.page) != page:
        raise MonoUnintelligible(Refusal.BAD_META)
    return meta
