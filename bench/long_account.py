"""The bank of the memory measurement: one account with as many transactions as asked for, made without holding them.

The wire is that of `bench.workload`: unsorted, amounts in minor units, running balances that carry the rows.
"""

from __future__ import annotations

import json
import random
from array import array
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench.workload import SEED

if TYPE_CHECKING:
    from pathlib import Path

ACCOUNT = "68626f000000000000000000"
_NEWEST = datetime(2026, 6, 30, 22, tzinfo=UTC)
_DAYS = 730
_OPENING = 10_000_000


def render(folder: Path, *, base_url: str, transactions: int, page_rows: int) -> None:
    """Write the answers of the bank under `folder`, in the files that `bench.page_source` serves."""
    chance = random.Random(f"{SEED} long {transactions}")  # noqa: S311 - a repeatable bank; nothing is kept secret by it
    signed = array("q", (chance.choice((-1, 1)) * chance.randrange(1_00, 900_000_00) for _ in range(transactions)))
    balances = array("q", signed)
    running = _OPENING
    for number, amount in enumerate(signed):
        running += amount
        balances[number] = running
    order = array("l", range(transactions))
    chance.shuffle(order)
    _write_account(folder, balance=running)
    last = -(-transactions // page_rows)
    link = f"{base_url}/v2/accounts/{ACCOUNT}/transactions?page="
    for page in range(1, last + 1):
        on_page = order[(page - 1) * page_rows : page * page_rows]
        rows = [_row(number, transactions, amount=signed[number], balance=balances[number]) for number in on_page]
        meta = {
            "total": transactions,
            "page": page,
            "previous": f"{link}{page - 1}" if page > 1 else None,
            "next": f"{link}{page + 1}" if page < last else None,
        }
        _write(folder / ACCOUNT / f"{page}.json", rows, meta=meta)


def _row(number: int, transactions: int, *, amount: int, balance: int) -> dict[str, Any]:
    instant = _NEWEST - timedelta(days=_DAYS) * (1 - (number + 1) / transactions)
    return {
        "id": f"{0x6862_65C6_0000:012x}{number:012x}",
        "narration": f"NIP/KUDA/SANDBOX CUSTOMER/TRANSFER {number}",
        "amount": abs(amount),
        "type": "credit" if amount > 0 else "debit",
        "category": None,
        "currency": "NGN",
        "balance": balance,
        "date": instant.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def _write_account(folder: Path, *, balance: int) -> None:
    account = {
        "id": ACCOUNT,
        "name": "Samuel Olamide",
        "account_number": "0131800001",
        "currency": "NGN",
        "balance": balance,
        "type": "SAVINGS_ACCOUNT",
        "bvn": None,
        "institution": {"name": "Standard Chartered", "bank_code": "068", "type": "PERSONAL_BANKING"},
    }
    customer = {"id": "000000000000000000000001"}
    listed = [{**account, "status": "AVAILABLE", "customer": customer}]
    paging = {"total": 1, "pages": 1, "previous": None, "next": None}
    state = {
        "data_status": "AVAILABLE",
        "auth_method": "internet_banking",
        "retrieved_data": ["balance", "transactions"],
    }
    _write(folder / "accounts.json", listed, meta=paging)
    _write(folder / ACCOUNT / "account.json", {"account": account, "customer": customer, "meta": state})


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
