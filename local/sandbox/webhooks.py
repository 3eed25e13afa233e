"""Webhook bodies in every shape Mono has sent them (Mono contract 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from local.sandbox.bank import Link, SyncStatus, hexadecimal
from local.sandbox.clock import wire_instant
from local.sandbox.wire import account_meta

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

type EventName = Literal[
    "account_connected",
    "account_updated",
    "account_reauthorized",
    "jobs_update",
    "account_unlinked",
    "reauthorisation_required",
    "sync_failed",
    "account_synced",
    "account_income",
    "account_credit_worthiness",
    "transaction_categorisation",
    "transaction_metadata",
    "statement_insights",
]
# `current` is 2026-01-28 and after (with event_id); `2025` has none; `2024` has the account id alone.
# `_id`, `id` and `string` say how the account is named where the sources differ.
type Shape = Literal["current", "2025", "2024", "_id", "id", "string"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """What a webhook is about.

    Attributes:
        name: The event, without its `mono.events.` prefix.
        link: The account.
        at: When it happened.
        number: Counts the sandbox's events; makes `event_id`.
        app: Mono's id of the app.
        business: Mono's id of the business.
        shape: Which of the event's historical shapes.
        sync_status: The outcome of a real-time sync; None after anything else.
        job_id: The job it was.
        job_name: What the job did.
        job_status: How the job ended.
        has_new_data: Whether it brought rows; left out unless true.
    """

    name: EventName
    link: Link
    at: datetime
    number: int
    app: str
    business: str
    shape: Shape = "current"
    sync_status: SyncStatus | None = None
    job_id: str | None = None
    job_name: str = "jobs.accounts.sync_statement"
    job_status: str = "finished"
    has_new_data: bool = False


def webhook_body(event: Event) -> dict[str, Any]:
    """The event's JSON document."""
    return BODIES.get(event.name, _other)(event)


def _envelope(event: Event, data: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"event": f"mono.events.{event.name}"}
    if event.shape == "current":
        body["event_id"] = hexadecimal(37, event.app, event.link.id, event.number)
        body["timestamp"] = wire_instant(event.at)
    return {**body, "data": data}


def _app(event: Event) -> dict[str, Any]:
    return {"app": event.app, "business": event.business}


def _connected(event: Event) -> dict[str, Any]:
    if event.shape == "2024":
        return _envelope(event, {"id": event.link.id})
    meta = account_meta(event.link)
    kept = {name: meta[name] for name in ("data_status", "auth_method", "ref") if name in meta}
    customer = {"id": event.link.id, "customer": event.link.customer.id}
    return _envelope(event, {**customer, "meta": kept if event.shape == "current" else {}, **_app(event)})


def _updated(event: Event) -> dict[str, Any]:
    meta = account_meta(event.link)
    meta.pop("session_id")
    if event.shape == "2024":
        meta.pop("retrieved_data")
    if event.sync_status is not None:
        meta["sync_status"] = event.sync_status
        meta["job_id"] = event.job_id
    if event.has_new_data:
        meta["has_new_data"] = True
    return _envelope(event, {"account": _camel_case_account(event), "meta": meta, **_app(event)})


def _camel_case_account(event: Event) -> dict[str, Any]:
    """The account in the names of webhooks: `_id` and camelCase, the full BVN (Mono contract 5.3)."""
    account = event.link.bank_account
    institution = account.institution
    return {
        _id_key(event): event.link.id,
        "name": account.name,
        "accountNumber": account.account_number,
        "currency": account.currency,
        "balance": event.link.copy.balance,
        "type": account.type,
        "bvn": account.bvn,
        "authMethod": event.link.auth_method,
        "institution": {"name": institution.name, "bankCode": institution.bank_code, "type": institution.type},
        "created_at": wire_instant(event.link.linked_at),
        "updated_at": wire_instant(event.at),
    }


def _reauthorized(event: Event) -> dict[str, Any]:
    return _envelope(event, {"account": {_id_key(event): event.link.id}, **_app(event)})


def _jobs_update(event: Event) -> dict[str, Any]:
    job = {"id": event.job_id, "name": event.job_name, "status": event.job_status}
    return {"event": "mono.accounts.jobs.update", "data": {"account": event.link.id, **_app(event), **job}}


def _unlinked(event: Event) -> dict[str, Any]:
    key = "_id" if event.shape == "_id" else "id"
    return {"event": "mono.events.account_unlinked", "data": {"account": {key: event.link.id}}}


def _legacy(event: Event) -> dict[str, Any]:
    """Data Sync's events of 2022, which carry no event_id."""
    account: Any = event.link.id if event.shape == "string" else {_id_key(event): event.link.id}
    data = {"account": account, "updated": True} if event.shape == "string" else {"account": account}
    return {"event": f"mono.events.{event.name}", "data": data}


def _enrichment(event: Event) -> dict[str, Any]:
    """Wrapped once more, as the documents' sample is."""
    inner = {"account": event.link.id, "status": "available", "message": "Enrichment completed", "action": event.name}
    return {"data": {"event": f"mono.events.{event.name}", "data": inner}}


def _other(event: Event) -> dict[str, Any]:
    return _envelope(event, {"account": event.link.id, **_app(event)})


def _id_key(event: Event) -> str:
    return "id" if event.shape == "id" else "_id"


BODIES: dict[str, Callable[[Event], dict[str, Any]]] = {
    "account_connected": _connected,
    "account_updated": _updated,
    "account_reauthorized": _reauthorized,
    "jobs_update": _jobs_update,
    "account_unlinked": _unlinked,
    "reauthorisation_required": _legacy,
    "sync_failed": _legacy,
    "account_synced": _legacy,
    "transaction_categorisation": _enrichment,
    "transaction_metadata": _enrichment,
    "statement_insights": _enrichment,
}
