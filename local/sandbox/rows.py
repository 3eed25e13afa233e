"""Rows and accounts in the shapes that the control API speaks: the wire's, or near them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from local.sandbox.clock import aware
from local.sandbox.wire import row_document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.sandbox.bank import Link
    from local.sandbox.ledger import Entry

type Row = dict[str, Any]


def row_documents(link: Link, entries: Iterable[Entry]) -> list[Row]:
    """The entries as the link's transactions on the wire."""
    with_balance = link.bank_account.ledger.mode != "absent"
    return [row_document(link.transaction_id(entry.key), entry, with_balance=with_balance) for entry in entries]


def reversal_of(entry: Entry, key: int) -> Entry:
    """The booking that undoes `entry` at once."""
    return replace(
        entry,
        key=key,
        follows=entry.key if entry.follows is None else entry.follows,
        type="debit" if entry.type == "credit" else "credit",
        narration=f"REVERSAL/{entry.narration}",
        balance=None if entry.balance is None else entry.balance - entry.signed,
    )


def entry_fields(row: Row) -> Row:
    """A row's wire fields as an entry's."""
    fields = {name: text for name, text in row.items() if name != "id"}
    if "date" in fields:
        fields["date"] = instant_of(fields["date"], None)
    return fields


def instant_of(given: Any, default: datetime | None) -> Any:
    """An instant from its ISO text or itself; a text that names a day alone is midnight in Lagos."""
    if given is None:
        return default
    return aware(datetime.fromisoformat(given) if isinstance(given, str) else given)


def summary(link: Link) -> Row:
    """What an operation says of a new link."""
    account = link.bank_account
    return {
        "id": link.id,
        "customer_id": link.customer.id,
        "bank_code": account.institution.bank_code,
        "account_number": account.account_number,
    }
