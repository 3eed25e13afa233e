"""The life of a link, as its webhooks tell it: linked, dead, signed in again, unlinked, linked anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.webhook_life import drain, hear, hear_all, overtaken_after_finding, status, told

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def test_a_new_link_becomes_an_account_is_read_and_is_looked_at_again_minutes_later(pipeline: Pipeline) -> None:
    """Nobody imported it; the bank's rows that lagged behind the link are there after the second read."""
    account = pipeline.sandbox.link_account(transactions=30, ready=True, reference="TP-7")["id"]

    hear_all(pipeline)
    drain(pipeline)

    row = pipeline.account_row(account)
    assert (row["link_status"], row["reference"]) == ("linked", "TP-7")
    assert pipeline.stored(account) == pipeline.truth(account)
    assert 300 < pipeline.seconds_to_next_attempt(account) <= 600
    pipeline.sandbox.late(account, days_ago=3)
    pipeline.let_pass(minutes=11)
    pipeline.tick()
    drain(pipeline)
    assert pipeline.stored(account) == pipeline.truth(account)
    assert pipeline.seconds_to_next_attempt(account) > 3600


def test_the_first_history_goes_to_the_backfill_queue(pipeline: Pipeline) -> None:
    """It may take as long as it takes, beside the daily work."""
    account = pipeline.sandbox.link_account(transactions=30, ready=True)["id"]

    hear_all(pipeline)

    assert {wake.account_id for wake in pipeline.backfill.messages} == {account}
    assert pipeline.daily.messages == []
    assert [(run["kind"], run["requested_by"]) for run in pipeline.runs(account)] == [("full", "mono.webhook.received")]


def test_events_that_come_twice_leave_the_first_history_to_the_backfill_queue(pipeline: Pipeline) -> None:
    """Mono repeats itself while the history waits: no worker of the daily queue begins to read it."""
    account = pipeline.sandbox.link_account(transactions=30, ready=True)["id"]

    for body in told(pipeline) * 2:
        hear(pipeline, body)

    assert pipeline.page_requests(account) == []
    assert {wake.account_id for wake in pipeline.backfill.messages} == {account}
    assert pipeline.daily.messages == []
    drain(pipeline)
    assert [(run["kind"], run["status"]) for run in pipeline.runs(account)] == [("full", "completed")]
    assert pipeline.stored(account) == pipeline.truth(account)


def test_an_event_that_comes_twice_goes_on_with_what_a_dead_worker_left(pipeline: Pipeline) -> None:
    """The run was asked for and never begun; once it was served, a third copy finds nothing to do."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    pipeline.sandbox.add(account)
    body = pipeline.sandbox.fire_webhook(event="account_updated", account=account)[0]["body"]
    hear(pipeline, body, read=False)

    assert hear(pipeline, body).read == "incremental"

    assert pipeline.stored(account) == pipeline.truth(account)
    assert hear(pipeline, body).read is None
    assert [run["status"] for run in pipeline.runs(account)] == ["completed", "completed"]


def test_a_link_that_wants_its_customer_is_read_on_and_says_so_until_a_success(pipeline: Pipeline) -> None:
    """Real-time failed for want of the customer: cached rows are read, the answer warns, signing in ends it."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    pipeline.sandbox.set_link_state(account, state="dead")
    body = pipeline.sandbox.fire_webhook(event="account_updated", account=account)[0]["body"]
    body["data"]["meta"]["sync_status"] = "REAUTHORISATION_REQUIRED"

    hear(pipeline, body)

    assert status(pipeline, account) == "reauth_required"
    assert pipeline.ask(account).warnings == ("reauth_required",)
    since = len(pipeline.sandbox.webhooks())
    pipeline.sandbox.add(account)
    pipeline.sandbox.reauthorise(account)
    signed_in, updated = told(pipeline, since)
    hear(pipeline, signed_in)
    assert status(pipeline, account) == "reauth_required"  # whether data follow is not said yet
    hear(pipeline, updated)
    assert status(pipeline, account) == "linked"
    assert pipeline.stored(account) == pipeline.truth(account)
    assert pipeline.ask(account).warnings == ()


def test_a_first_update_that_comes_late_is_no_success(pipeline: Pipeline) -> None:
    """The one after linking carries no sync_status: it says that data came once, not that the link works now."""
    account = pipeline.sandbox.link_account(transactions=20, ready=True)["id"]
    connected, updated = told(pipeline)
    hear(pipeline, connected)
    hear(pipeline, pipeline.sandbox.fire_webhook(event="reauthorisation_required", account=account)[0]["body"])

    hear(pipeline, updated)

    assert status(pipeline, account) == "reauth_required"


@pytest.mark.parametrize("word", ["FAILED", "PROCESSING", "OK", "success!"])
def test_only_a_success_is_one(pipeline: Pipeline, word: str) -> None:
    """An allow-list: no other word makes an account fresh or a broken link whole."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    pipeline.sandbox.add(account)
    hear(pipeline, pipeline.sandbox.fire_webhook(event="reauthorisation_required", account=account)[0]["body"])
    body = pipeline.sandbox.fire_webhook(event="account_updated", account=account)[0]["body"]
    body["data"]["meta"]["sync_status"] = word

    hear(pipeline, body)

    row = pipeline.account_row(account)
    assert (row["link_status"], row["fresh_as_of"]) == ("reauth_required", None)
    assert pipeline.stored(account) == pipeline.truth(account)  # what is cached is read all the same


@pytest.mark.parametrize("word", ["SUCCESSFUL", "SUCCESS", "successful"])
def test_a_successful_sync_makes_fresh_and_whole(pipeline: Pipeline, word: str) -> None:
    """In either spelling, and as of when Mono says."""
    account = pipeline.link(transactions=20)
    hear(pipeline, pipeline.sandbox.fire_webhook(event="reauthorisation_required", account=account)[0]["body"])
    body = pipeline.sandbox.fire_webhook(event="account_updated", account=account)[0]["body"]
    body["data"]["meta"]["sync_status"] = word

    hear(pipeline, body)

    row = pipeline.account_row(account)
    assert row["link_status"] == "linked"
    assert row["fresh_as_of"].isoformat(timespec="milliseconds") == body["timestamp"].replace("Z", "+00:00")


def test_a_finished_job_makes_fresh(pipeline: Pipeline) -> None:
    """Mono says so before it says anything of the account."""
    account = pipeline.link(transactions=20)
    body = pipeline.sandbox.fire_webhook(event="jobs_update", account=account)[0]["body"]
    body["data"]["id"] = "681b431edb122e972b21fd4c"

    hear(pipeline, {**body, "data": {**body["data"], "status": "failed"}})
    assert pipeline.account_row(account)["fresh_as_of"] is None
    hear(pipeline, body)

    assert pipeline.account_row(account)["fresh_as_of"] is not None


def test_unlinked_is_the_end_of_reading_and_of_nothing_else(pipeline: Pipeline) -> None:
    """Consent withdrawn: from then on no request for the account, by nobody; its rows stay."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    rows = pipeline.stored(account)
    pipeline.request(account)
    pipeline.sandbox.unlink(account)

    hear_all(pipeline)
    pipeline.sandbox.clear_requests()
    pipeline.let_pass(days=8)
    pipeline.tick()
    drain(pipeline)
    hear(pipeline, pipeline.sandbox.fire_webhook(event="account_updated", account=account)[0]["body"])

    assert status(pipeline, account) == "unlinked"
    assert pipeline.sandbox.requests() == []
    assert pipeline.stored(account) == rows
    assert [run["status"] for run in pipeline.runs(account)] == ["completed", "stopped"]


def test_a_run_that_is_under_way_when_consent_is_withdrawn_writes_nothing_more(pipeline: Pipeline) -> None:
    """Its lease is gone with the event; no later flush of it commits."""
    account = pipeline.link(transactions=60)
    pipeline.request(account)
    leased = pipeline.worker.runs.claim(pipeline.account_row(account)["id"], flag_reason="DEFAULT")
    assert leased is not None
    pipeline.sandbox.unlink(account)

    hear_all(pipeline)

    from mono_pipeline.core.errors import LeaseLost  # noqa: PLC0415 - beside its use

    with pytest.raises(LeaseLost):
        pipeline.worker.runs.hold(leased)
    assert [run["status"] for run in pipeline.runs(account)] == ["stopped"]


@pytest.mark.parametrize("same_ids", [True, False])
def test_a_relink_is_the_same_account_under_another_id(pipeline: Pipeline, same_ids: bool) -> None:  # noqa: FBT001
    """By bank, number and currency: one row, the old id an alias, the rollout's bucket where it was, all read again."""
    old = pipeline.link(transactions=20)
    pipeline.sync(old)
    before = pipeline.account_row(old)
    new = pipeline.sandbox.relink(old, same_ids=same_ids)["id"]

    hear_all(pipeline)
    drain(pipeline)

    (row,) = pipeline.rows("SELECT * FROM bank_accounts")
    assert (row["id"], row["mono_account_id"], row["first_mono_account_id"]) == (before["id"], new, old)
    assert (row["link_status"], row["watermark"]) == ("linked", before["watermark"])
    assert pipeline.worker.accounts.find(old).mono_account_id == new
    assert pipeline.runs(new)[-1]["kind"] == "full"
    assert {run["status"] for run in pipeline.runs(new)} <= {"completed", "stopped"}
    assert pipeline.truth(new).keys() <= pipeline.stored(new).keys()


def test_a_name_recognises_nobody(pipeline: Pipeline) -> None:
    """Another account of the same name at the same bank is another account; so is one without a number."""
    first = pipeline.link(transactions=5, fields={"name": "Samuel Olamide"})
    second = pipeline.sandbox.link_account(transactions=5, ready=True)["id"]
    pipeline.sandbox.link(second).fields.update({"name": "Samuel Olamide", "account_number": None})

    hear_all(pipeline)

    ids = {row["mono_account_id"] for row in pipeline.rows("SELECT mono_account_id FROM bank_accounts")}
    assert ids == {first, second}


@pytest.mark.parametrize(("currency", "accounts"), [("NGN", 1), ("USD", 2)])
def test_one_number_in_another_currency_is_another_account(pipeline: Pipeline, currency: str, accounts: int) -> None:
    """The same bank and number: the same account only where the currency is the same too."""
    first = pipeline.link(transactions=5)
    row = pipeline.account_row(first)
    second = pipeline.sandbox.link_account(transactions=5, ready=True)["id"]
    bank = {"name": "Any", "bank_code": row["bank_code"], "type": "PERSONAL_BANKING"}
    pipeline.sandbox.link(second).fields.update(
        {"account_number": row["account_number"], "institution": bank, "currency": currency}
    )

    hear_all(pipeline)

    ids = {row["mono_account_id"] for row in pipeline.rows("SELECT mono_account_id FROM bank_accounts")}
    assert (len(ids), second in ids) == (accounts, True)


def test_events_of_a_former_link_change_nothing(pipeline: Pipeline) -> None:
    """The old link's end comes after the new one's beginning: the account stays linked."""
    old = pipeline.link(transactions=20)
    pipeline.sandbox.relink(old)
    unlinked, connected, updated = told(pipeline)

    for body in (connected, updated, unlinked):
        hear(pipeline, body)

    (row,) = pipeline.rows("SELECT link_status FROM bank_accounts")
    assert row["link_status"] == "linked"
    assert [row["effect"] for row in pipeline.rows("SELECT effect FROM webhook_inbox ORDER BY recorded_at")] == [
        "relinked",
        "noted",
        "former_link",
    ]


def test_a_former_link_s_event_that_comes_again_has_nothing_to_go_on_with(pipeline: Pipeline) -> None:
    """It tells of rows, but no run was asked for when it came first: its second copy must not say that one goes on."""
    old = pipeline.link(transactions=20)
    pipeline.sync(old)
    body = pipeline.sandbox.fire_webhook(event="account_updated", account=old)[0]["body"]
    since = len(pipeline.sandbox.webhooks())
    pipeline.sandbox.relink(old)
    for each in told(pipeline, since):
        hear(pipeline, each)

    first, second = hear(pipeline, body), hear(pipeline, body)

    assert (first.effect, first.read) == ("former_link", None)
    assert (second.effect, second.read) == (None, None)


@pytest.mark.parametrize("late", ["account_unlinked", "reauthorisation_required"])
def test_an_old_link_s_event_that_is_served_while_the_new_link_takes_over_changes_nothing(
    pipeline: Pipeline, late: Any
) -> None:
    """Two workers: the one with the old link's event has found its account when the other gives it to the new link."""
    old = pipeline.link(transactions=20)
    pipeline.sync(old)
    body = pipeline.sandbox.fire_webhook(event=late, account=old)[0]["body"]
    since = len(pipeline.sandbox.webhooks())
    pipeline.sandbox.relink(old, unlink=False)
    connected, _ = told(pipeline, since)
    slow = pipeline.new_worker()
    overtaken_after_finding(slow, lambda: hear(pipeline, connected, read=False))

    heard = hear(pipeline, body, worker=slow, read=False)

    (row,) = pipeline.rows("SELECT link_status, fence, reauth_required_at FROM bank_accounts")
    assert heard.effect == "former_link"
    assert (row["link_status"], row["reauth_required_at"]) == ("linked", None)
    assert [run["status"] for run in pipeline.rows("SELECT status FROM sync_runs ORDER BY requested_at")] == [
        "completed",
        "running",
    ]


def test_an_event_of_an_account_that_nobody_knows_is_kept_and_asks_once(pipeline: Pipeline) -> None:
    """One look at Mono's page, a 404, a row; no account, no run."""
    body = pipeline.sandbox.fire_webhook(event="account_updated", account=pipeline.sandbox.create_account()["id"])[0]
    body["body"]["data"]["account"]["_id"] = "f" * 24
    pipeline.sandbox.clear_requests()

    for _ in range(3):
        hear(pipeline, body["body"])

    assert [request["path"] for request in pipeline.sandbox.requests()] == [f"/v2/accounts/{'f' * 24}"]
    (row,) = pipeline.rows("SELECT * FROM webhook_inbox")
    assert (row["effect"], row["account_id"], row["run_id"], row["deliveries"]) == ("unknown_account", None, None, 3)
    assert "mono.webhook.unknown_account" in pipeline.witness.names()
    assert pipeline.rows("SELECT FROM bank_accounts") == []


def test_a_link_under_the_same_id_after_unlinking_is_believed_once_mono_s_page_says_so(pipeline: Pipeline) -> None:
    """Dated after we were told of the end, and served by Mono: linked. Without page or date: unlinked."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    pipeline.sandbox.unlink(account)
    since = hear_all(pipeline)
    pipeline.let_pass(minutes=5)
    pipeline.sandbox.fire_webhook(event="account_connected", account=account)
    since = hear_all(pipeline, since)
    assert status(pipeline, account) == "unlinked"  # Mono answers 404

    pipeline.sandbox.set_link_state(account, state="live")
    pipeline.sandbox.fire_webhook(event="account_connected", account=account, shape="2024")
    since = hear_all(pipeline, since)
    assert status(pipeline, account) == "unlinked"  # undated: it may be the first one, late
    pipeline.let_pass(minutes=5)
    pipeline.sandbox.fire_webhook(event="account_connected", account=account)
    hear_all(pipeline, since)

    assert status(pipeline, account) == "linked"
