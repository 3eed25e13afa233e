"""Mono serves its stored copy: what moves it, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from local.sandbox.sandbox import Sandbox

type ReadAll = Callable[..., list[dict[str, Any]]]

REALTIME = {"x-realtime": "true"}


def names(sandbox: Sandbox) -> list[str]:
    """The webhooks' events, in the order in which they were published."""
    return [webhook["body"]["event"].rpartition("mono.")[2] for webhook in sandbox.webhooks()]


def test_a_dead_link_keeps_answering_200_with_old_rows_until_the_customer_returns(
    sandbox: Sandbox, read_all: ReadAll
) -> None:
    """The copy stands still while the bank moves on (Mono contract 2.5)."""
    account = sandbox.create_account(transactions=30)["id"]
    sandbox.set_link_state(account, state="dead")
    old = read_all(account)
    new = sandbox.add(account, count=3)
    assert read_all(account) == old
    assert len(sandbox.truth(account)["bank"]) == 33
    assert sandbox.reauthorise(account)
    assert {row["id"] for row in new} <= {row["id"] for row in read_all(account)}
    assert names(sandbox) == ["events.account_reauthorized", "events.account_updated"]


def test_a_real_time_job_brings_a_cached_copy_up_to_date_but_answers_from_before(
    sandbox: Sandbox, mono: httpx.Client
) -> None:
    """Whoever wants the new rows reads again, without the header (Mono contract 2.6)."""
    account = sandbox.create_account(transactions=30)["id"]
    path = f"/v2/accounts/{account}/transactions"
    sandbox.set_link_state(account, state="cached")
    sandbox.add(account)
    answer = mono.get(path, headers=REALTIME)
    assert answer.json()["meta"]["total"] == 30
    assert (answer.headers["x-job-status"], answer.headers["x-has-new-data"]) == ("finished", "true")
    assert mono.get(path).json()["meta"]["total"] == 31
    assert "x-job-id" not in mono.get(path).headers
    job = mono.get(f"/v2/accounts/{account}/jobs/{answer.headers['x-job-id']}").json()["data"]
    assert (job["status"], job["name"], job["account"]) == ("finished", "jobs.accounts.sync_statement", account)
    assert names(sandbox) == ["accounts.jobs.update", "events.account_updated"]
    meta = sandbox.webhooks()[1]["body"]["data"]["meta"]
    assert (meta["sync_status"], meta["has_new_data"], meta["job_id"]) == ("SUCCESSFUL", True, job["id"])


def test_no_new_data_sends_no_header_and_costs_nothing(sandbox: Sandbox, mono: httpx.Client) -> None:
    """Absent means false, and only news is charged (Mono contract 1, 2.6)."""
    account = sandbox.create_account()["id"]
    answer = mono.get(f"/v2/accounts/{account}/balance", headers=REALTIME)
    assert "x-has-new-data" not in answer.headers
    assert sandbox.job_list(account)[0]["cost_ngn"] == 0
    assert "has_new_data" not in sandbox.webhooks()[1]["body"]["data"]["meta"]


def test_within_five_minutes_the_last_jobs_headers_come_back(sandbox: Sandbox, mono: httpx.Client) -> None:
    """One real-time session per account per five minutes (Mono contract 2.6)."""
    account = sandbox.create_account()["id"]
    path = f"/v2/accounts/{account}/transactions"
    first = mono.get(path, headers=REALTIME).headers["x-job-id"]
    sandbox.set_clock(advance_seconds=299)
    assert mono.get(path, headers=REALTIME).headers["x-job-id"] == first
    sandbox.set_switches(realtime_window="too_many_requests")
    assert mono.get(path, headers=REALTIME).status_code == 429
    sandbox.set_clock(advance_seconds=1)
    assert mono.get(path, headers=REALTIME).headers["x-job-id"] != first


def test_a_dead_links_job_fails_and_asks_for_the_customer_though_the_status_is_available(
    sandbox: Sandbox, mono: httpx.Client
) -> None:
    """data_status is no signal of freshness (Mono contract 3)."""
    account = sandbox.create_account()["id"]
    sandbox.set_link_state(account, state="dead")
    answer = mono.get(f"/v2/accounts/{account}/transactions", headers={"x-real-time": "true"})
    assert (answer.status_code, answer.headers["x-job-status"]) == (200, "failed")
    meta = sandbox.webhooks()[1]["body"]["data"]["meta"]
    assert (meta["data_status"], meta["sync_status"]) == ("AVAILABLE", "REAUTHORISATION_REQUIRED")


def test_a_processing_job_ends_when_its_time_comes(sandbox: Sandbox, mono: httpx.Client) -> None:
    """By the sandbox's clock, not by waiting."""
    account = sandbox.create_account(transactions=30)["id"]
    sandbox.set_switches(realtime_job="processing", realtime_seconds=40, realtime_body="null")
    sandbox.set_link_state(account, state="cached")
    sandbox.add(account)
    path = f"/v2/accounts/{account}/transactions"
    answer = mono.get(path, headers=REALTIME)
    assert (answer.json()["data"], answer.headers["x-job-status"]) == (None, "processing")
    assert mono.get(path).json()["meta"]["total"] == 30
    sandbox.set_clock(advance_seconds=40)
    assert mono.get(path).json()["meta"]["total"] == 31


@pytest.mark.parametrize("status", [404, 400])
def test_an_unlinked_account_answers_as_switched_and_leaves_the_list(
    sandbox: Sandbox, mono: httpx.Client, status: int
) -> None:
    """What reads return then is unknown (Mono contract 4)."""
    account = sandbox.create_account()["id"]
    sandbox.set_switches(unlinked_read=status)
    assert mono.post(f"/v2/accounts/{account}/unlink").json()["status"] == "successful"
    assert mono.get(f"/v2/accounts/{account}/transactions").status_code == status
    assert mono.get("/v2/accounts").json()["data"] == []
    assert sandbox.webhooks()[0]["body"] == {
        "event": "mono.events.account_unlinked",
        "data": {"account": {"id": account}},
    }


@pytest.mark.parametrize("same_ids", [True, False])
def test_a_relink_is_another_account_id_over_the_same_bank_account(
    sandbox: Sandbox, read_all: ReadAll, *, same_ids: bool
) -> None:
    """The evidence on ids points both ways (Mono contract 7.4)."""
    old = sandbox.create_account(transactions=30)
    before = {row["id"] for row in read_all(old["id"])}
    new = sandbox.relink(old["id"], same_ids=same_ids)
    assert new["id"] != old["id"]
    assert (new["bank_code"], new["account_number"]) == (old["bank_code"], old["account_number"])
    after = {row["id"] for row in read_all(new["id"])}
    assert len(after) == 30
    assert (after == before) is same_ids
    assert after == before or after.isdisjoint(before)


def test_a_hosted_link_ends_in_an_account_named_by_the_webhook(sandbox: Sandbox, mono: httpx.Client) -> None:
    """Matched by `meta.ref` (Mono contract 4)."""
    asked = {"scope": "auth", "customer": {"name": "A", "email": "a@example.com"}, "meta": {"ref": "R-1"}}
    begun = mono.post("/v2/accounts/initiate", json=asked).json()["data"]
    token = begun["mono_url"].rpartition("/")[2]
    account = sandbox.complete_session(token)["id"]
    connected = sandbox.webhooks()[0]["body"]
    assert (connected["event"], connected["data"]["id"]) == ("mono.events.account_connected", account)
    assert (connected["data"]["meta"]["ref"], connected["data"]["meta"]["data_status"]) == ("R-1", "PROCESSING")
    assert mono.get(f"/v2/accounts/{account}").json()["data"]["meta"]["ref"] == "R-1"


def test_a_reauthorisation_link_revives_the_account_under_its_id(sandbox: Sandbox, mono: httpx.Client) -> None:
    """The account id survives (Mono contract 4)."""
    account = sandbox.create_account()["id"]
    sandbox.set_link_state(account, state="dead")
    begun = mono.post("/v2/accounts/initiate", json={"scope": "reauth", "account": account}).json()["data"]
    assert (begun["scope"], begun["account"]) == ("reauth", account)
    assert sandbox.complete_session(begun["mono_url"].rpartition("/")[2])["id"] == account
    assert sandbox.accounts()[0]["state"] == "live"


def test_a_code_is_exchanged_in_both_shapes_and_dies_after_ten_minutes(sandbox: Sandbox, mono: httpx.Client) -> None:
    """Flat as documented, enveloped as seen (Mono contract 4)."""
    linked = sandbox.link_account()
    asked = {"code": linked["code"]}
    assert mono.post("/v2/accounts/auth", json=asked).json() == {"id": linked["id"]}
    sandbox.set_switches(exchange="enveloped")
    assert mono.post("/v2/accounts/auth", json=asked).json()["data"] == {"id": linked["id"]}
    sandbox.set_clock(advance_seconds=601)
    assert mono.post("/v2/accounts/auth", json=asked).status_code == 400
