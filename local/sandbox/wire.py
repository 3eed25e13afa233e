"""The JSON shapes that Mono sends (Mono contract 2 to 4 and 6)."""

from __future__ import annotations

import json
from http.client import responses
from typing import TYPE_CHECKING, Any

from local.sandbox.clock import wire_instant
from local.sandbox.message import ResponseParts, json_response

if TYPE_CHECKING:
    from datetime import datetime

    from local.sandbox.bank import Link
    from local.sandbox.ledger import Entry

# Links always name the real host, whatever host the sandbox listens on (Mono contract 2.2).
BASE_URL = "https://api.withmono.com/v2"

REFUSALS = {
    400: "Invalid id query parameter",
    401: "Unauthorized request.",
    402: "Request failed. Please fund your wallet",
    403: "Forbidden request.",
    404: "Unable to fetch connected account from customer supplied",
    409: "Conflict.",
    429: "Too many requests",
}


def row_document(transaction_id: str, entry: Entry, *, with_balance: bool = True) -> dict[str, Any]:
    """One transaction as Mono sends it (captured)."""
    row = {
        "id": transaction_id,
        "narration": entry.narration,
        "amount": entry.amount,
        "type": entry.type,
        "category": entry.category,
        "currency": entry.currency,
        "balance": entry.balance,
        "date": wire_instant(entry.date),
    }
    if not with_balance:
        del row["balance"]
    return row if entry.metadata is None else {**row, "metadata": dict(entry.metadata)}


def encode_row(document: dict[str, Any]) -> bytes:
    """A row's bytes as they stand in a page."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def success(document: Any, *, now: datetime, message: str, meta: dict[str, Any] | None = None) -> ResponseParts:
    """Mono's envelope of a success."""
    envelope = {"status": "successful", "message": message, "timestamp": wire_instant(now), "data": document}
    return json_response(200, envelope if meta is None else {**envelope, "meta": meta})


def failure(status: int, *, now: datetime, message: str | None = None) -> ResponseParts:
    """Mono's body of an error (captured 404; Mono contract 6)."""
    text = message or REFUSALS.get(status) or responses.get(status, "Unknown")
    return json_response(status, {"status": "failed", "message": text, "timestamp": wire_instant(now), "data": None})


def account_document(link: Link) -> dict[str, Any]:
    """`data` of `GET /v2/accounts/{id}` (Mono contract 3)."""
    account = link.bank_account
    document: dict[str, Any] = {
        "account": {
            "id": link.id,
            "name": account.name,
            "account_number": account.account_number,
            "currency": account.currency,
            "balance": link.copy.balance,
            "type": account.type,
            "bvn": account.bvn[-4:] or None,
            "institution": _institution(link),
        },
        "customer": {"id": link.customer.id},
        "meta": account_meta(link),
    }
    document["account"].update(link.fields)
    return document


def account_meta(link: Link) -> dict[str, Any]:
    """`meta` of an account: what is there, never how fresh it is."""
    meta: dict[str, Any] = {
        "data_status": link.data_status,
        "auth_method": link.auth_method,
        "session_id": link.id[:20],
        "data_request_id": link.id[-12:].upper(),
        "retrieved_data": list(link.retrieved_data),
    }
    return meta if link.reference is None else {**meta, "ref": link.reference}


def listed_account_document(link: Link) -> dict[str, Any]:
    """One account of `GET /v2/accounts`; carries the whole BVN (Mono contract 4)."""
    account = link.bank_account
    return {
        "id": link.id,
        "name": account.name,
        "account_number": account.account_number,
        "currency": account.currency,
        "balance": link.copy.balance,
        "auth_method": link.auth_method,
        "status": link.data_status,
        "bvn": account.bvn,
        "type": account.type,
        "institution": {"id": account.institution.id, **_institution(link)},
        "customer": {"id": link.customer.id, "name": link.customer.name, "email": link.customer.email},
    }


def balance_document(link: Link) -> dict[str, Any]:
    """`data` of `GET /v2/accounts/{id}/balance`."""
    account = link.bank_account
    return {
        "id": link.id,
        "name": account.name,
        "account_number": account.account_number,
        "balance": link.copy.balance,
        "currency": account.currency,
    }


def _institution(link: Link) -> dict[str, str]:
    institution = link.bank_account.institution
    return {"name": institution.name, "bank_code": institution.bank_code, "type": institution.type}
