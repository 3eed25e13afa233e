"""Webhooks come in every shape Mono has sent, held, lost or doubled as told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from local.sandbox.sandbox import Sandbox


def fired(sandbox: Sandbox, **arguments: Any) -> Any:
    """The body of a webhook fired now."""
    return sandbox.fire_webhook(**arguments)[0]["body"]


@pytest.fixture
def account(sandbox: Sandbox) -> str:
    """An account with a history."""
    return str(sandbox.create_account()["id"])


def named(body: Any) -> str:
    """The account id, by the extraction order of Mono contract 5.3."""
    data = body["data"]
    account = data.get("account")
    if isinstance(account, dict):
        return str(account.get("_id") or account.get("id"))
    return str(account or data["id"])


@pytest.mark.parametrize("shape", ["current", "2025", "2024", "_id", "id", "string"])
@pytest.mark.parametrize(
    "event",
    [
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
    ],
)
def test_every_event_in_every_shape_names_its_account(sandbox: Sandbox, account: str, event: Any, shape: Any) -> None:
    """One extraction order covers them all (Mono contract 5.3)."""
    assert named(fired(sandbox, event=event, account=account, shape=shape)) == account


def test_account_connected_lost_fields_the_further_back_it_is(sandbox: Sandbox, account: str) -> None:
    """Three historical shapes (Mono contract 5.3)."""
    bodies = {
        shape: fired(sandbox, event="account_connected", account=account, shape=shape)
        for shape in ("current", "2025", "2024")
    }
    assert list(bodies["current"]) == ["event", "event_id", "timestamp", "data"]
    assert bodies["current"]["data"]["meta"] == {"data_status": "AVAILABLE", "auth_method": "internet_banking"}
    assert (list(bodies["2025"]), bodies["2025"]["data"]["meta"]) == (["event", "data"], {})
    assert bodies["2024"] == {"event": "mono.events.account_connected", "data": {"id": account}}


def test_account_updated_speaks_camel_case_and_has_no_sync_status_unless_a_job_ran(
    sandbox: Sandbox, account: str
) -> None:
    """Names differ between REST and webhooks (Mono contract 5.3)."""
    data = fired(sandbox, event="account_updated", account=account)["data"]
    assert data["account"].keys() >= {"_id", "accountNumber", "authMethod"}
    assert data["account"]["institution"].keys() == {"name", "bankCode", "type"}
    assert data["meta"].keys() == {"data_status", "auth_method", "data_request_id", "retrieved_data"}


def test_jobs_update_names_the_account_as_a_string_outside_of_mono_events(sandbox: Sandbox, account: str) -> None:
    """Mono contract 5.3."""
    body = fired(sandbox, event="jobs_update", account=account)
    assert (body["event"], body["data"]["account"]) == ("mono.accounts.jobs.update", account)


def test_an_enrichment_is_wrapped_once_more(sandbox: Sandbox, account: str) -> None:
    """As the documents' sample is (Mono contract 4)."""
    body = fired(sandbox, event="transaction_metadata", account=account)
    assert body["data"]["event"] == "mono.events.transaction_metadata"
    assert body["data"]["data"]["account"] == account


def test_copies_of_an_event_are_the_same_event(sandbox: Sandbox, account: str) -> None:
    """A duplicate has the same event_id; the next event has another."""
    copies = sandbox.fire_webhook(event="account_updated", account=account, copies=3)
    assert len({webhook["body"]["event_id"] for webhook in copies}) == 1
    assert fired(sandbox, event="account_updated", account=account) != copies[0]["body"]


def test_any_body_can_be_sent(sandbox: Sandbox) -> None:
    """Events that third parties invented, too."""
    assert fired(sandbox, body={"event": "mono.events.never_heard_of"}) == {"event": "mono.events.never_heard_of"}


def test_held_webhooks_go_in_any_order_and_dropped_ones_never(sandbox: Sandbox, account: str) -> None:
    """Mono promises no order, and loses some (Mono contract 5.2)."""
    sandbox.set_webhook_target(url="http://receiver", mode="hold")
    sandbox.reauthorise(account)
    assert sandbox.outbox.take() is None
    sandbox.release_webhooks(numbers=[1, 0, 1])
    assert [webhook.number for webhook in iter(sandbox.outbox.take, None)] == [1, 0, 1]
    sandbox.set_webhook_target(mode="drop")
    sandbox.reauthorise(account)
    assert sandbox.outbox.take() is None
    assert [webhook["state"] for webhook in sandbox.webhooks()][2:] == ["dropped", "dropped"]


def test_another_apps_webhook_says_so(sandbox: Sandbox, account: str) -> None:
    """`data.app` is all there is to tell by (Mono contract 1)."""
    sandbox.set_app(app="f" * 24)
    assert fired(sandbox, event="account_updated", account=account)["data"]["app"] == "f" * 24
