"""The bank of a benchmark: accounts and transactions from a seed, as pages that are ready to be served.

Pages are true to Mono's wire (Mono contract 2.2 and 3): unsorted, amounts in minor units, half of the rows stamped at
midnight in Lagos and half with milliseconds, `meta` with total, page and links. Every URL form has its file, so that
serving one is nothing but reading it.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from mono_pipeline.core.booking import LAGOS

if TYPE_CHECKING:
    from pathlib import Path

SEED = "mono-pipeline bench"
_NEWEST = datetime(2026, 6, 30, 23, tzinfo=UTC)  # fixed, so that every run reads the same bytes
_DAYS = 730
_NARRATIONS = (
    "NIP/KUDA/SAMUEL OLAMIDE/TRANSFER {n}",
    "POS PURCHASE AT SHOPRITE IKEJA LAGOS NG {n}",
    "NIP CR/MOB/ADEBAYO STORES/GTB/Invoice {n}",
    "ELECTRONIC MONEY TRANSFER LEVY {n}",
    "ATM WDL WEMA BANK VICTORIA ISLAND LA NG {n}",
)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How much a benchmark moves: `transactions` in each account, served `page_rows` a page."""

    accounts: int
    transactions: int
    page_rows: int

    @property
    def rows(self) -> int:
        """All transactions together."""
        return self.accounts * self.transactions

    @property
    def pages(self) -> int:
        """All pages of transactions together."""
        return self.accounts * -(-self.transactions // self.page_rows)

    def __str__(self) -> str:
        return f"{self.accounts} accounts x {self.transactions:,} transactions, {self.page_rows} a page"


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What every copy of the bank must come to: rows, and the sums of credits and debits in minor units."""

    rows: int
    credits: int
    debits: int


def account_ids(shape: Shape) -> list[str]:
    """The accounts' Mono ids."""
    return [f"68626{number:019x}" for number in range(shape.accounts)]


def render(shape: Shape, folder: Path, *, base_url: str) -> Truth:
    """Write every answer of the bank under `folder` and return what they add up to.

    `base_url` goes into the links of `meta`, which dlt follows. Files: `accounts.json`, and for each account
    `<id>/account.json` and `<id>/<page>.json`.
    """
    listed, credited, debits = [], 0, 0
    for number, account_id in enumerate(account_ids(shape)):
        rows = _transactions(shape, number)
        credited += sum(row["amount"] for row in rows if row["type"] == "credit")
        debits += sum(row["amount"] for row in rows if row["type"] == "debit")
        account = _account(account_id, number, balance=rows[0]["balance"])
        listed.append({**account, "status": "AVAILABLE", "customer": {"id": f"{number:024x}"}})
        _write(folder / account_id / "account.json", _snapshot(account, number))
        _write_pages(shape, folder / account_id, account_id, rows, base_url)
    _write(folder / "accounts.json", listed, meta={"total": shape.accounts, "pages": 1, "previous": None, "next": None})
    return Truth(rows=shape.rows, credits=credited, debits=debits)


def _transactions(shape: Shape, account: int) -> list[dict[str, Any]]:
    """Newest first, with running balances that end in the account's."""
    chance = random.Random(f"{SEED} {account}")  # noqa: S311 - a repeatable bank; nothing is kept secret by it
    rows, balance = [], 10_000_000
    step = timedelta(days=_DAYS) / shape.transactions
    for number in range(shape.transactions):
        instant = _NEWEST - timedelta(days=_DAYS) + step * number
        if chance.random() < 0.5:  # noqa: PLR2004 - half of them
            instant = _midnight(instant)
        amount, credit = chance.randrange(1_00, 9_000_000_00), chance.random() < 0.5  # noqa: PLR2004 - half of them
        balance += amount if credit else -amount
        rows.append(
            {
                "id": f"{0x6862_65C6_0000 + account:012x}{number:012x}",
                "narration": chance.choice(_NARRATIONS).format(n=number),
                "amount": amount,
                "type": "credit" if credit else "debit",
                "category": chance.choice((None, None, "bank_charges", "unknown")),
                "currency": "NGN",
                "balance": balance,
                "date": instant.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            }
        )
    return rows[::-1]


def _midnight(instant: datetime) -> datetime:
    """The beginning of the instant's day in Lagos: the day, and with it each day's chain of balances, stays."""
    return instant.astimezone(LAGOS).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


def _write_pages(shape: Shape, folder: Path, account_id: str, rows: list[dict[str, Any]], base_url: str) -> None:
    shuffled = rows.copy()
    random.Random(account_id).shuffle(shuffled)  # noqa: S311 - Mono's pages are in no order (Mono contract 2.3)
    last = -(-len(rows) // shape.page_rows)

    def link(page: int) -> str | None:
        if not 1 <= page <= last:
            return None
        return f"{base_url}/v2/accounts/{account_id}/transactions?page={page}&limit={shape.page_rows}"

    for page in range(1, last + 1):
        on_page = shuffled[(page - 1) * shape.page_rows : page * shape.page_rows]
        meta = {"total": len(rows), "page": page, "previous": link(page - 1), "next": link(page + 1)}
        _write(folder / f"{page}.json", on_page, meta=meta)


def _account(account_id: str, number: int, *, balance: int) -> dict[str, Any]:
    return {
        "id": account_id,
        "name": "Samuel Olamide",
        "account_number": f"01318{number:05}",
        "currency": "NGN",
        "balance": balance,
        "type": "SAVINGS_ACCOUNT",
        "bvn": None,
        "institution": {"name": "Standard Chartered", "bank_code": "068", "type": "PERSONAL_BANKING"},
    }


def _snapshot(account: dict[str, Any], number: int) -> dict[str, Any]:
    meta = {
        "data_status": "AVAILABLE",
        "auth_method": "internet_banking",
        "retrieved_data": ["balance", "transactions"],
    }
    return {"account": account, "customer": {"id": f"{number:024x}"}, "meta": meta}


def _write(path: Path, document: Any, *, meta: dict[str, Any] | None = None) -> None:
    envelope = {
        "status": "successful",
        "message": "Request was succesfully completed",
        "timestamp": "2026-07-01T00:00:00.000Z",
        "data": document,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(envelope if meta is None else {**envelope, "meta": meta}, separators=(",", ":"))
    path.write_text(text, encoding="utf-8")
