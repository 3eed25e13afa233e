"""A message says when to look, the database what is owed: no delivery is harmful, and none is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.sandbox.effects.answers import RateLimited
from local.sandbox.faults import Fault
from local.sandbox.transport import SandboxTransport
from mono_pipeline.adapters.queue import MAX_HOPS, FetchRequested
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.run import RunKind
from mono_pipeline.usecases.account_sync import AccountSync
from mono_pipeline.usecases.wake_up import Served

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def test_ten_deliveries_of_a_served_message_change_nothing(pipeline: Pipeline) -> None:
    """SQS delivers at least once; what was served is not served again."""
    account = pipeline.link(transactions=30)
    sent_at = pipeline.now()
    assert pipeline.wake(account, sent_at=sent_at) is Served.DONE
    pipeline.sandbox.clear_requests()
    before = _state(pipeline)

    for _ in range(10):
        assert pipeline.wake(account, sent_at=sent_at) is Served.DONE

    assert _state(pipeline) == before
    assert pipeline.sandbox.requests() == []


def test_a_message_from_outside_starts_a_run(pipeline: Pipeline) -> None:
    """A webhook writes no row: the worker asks for the newest, which for a new account is everything."""
    account = pipeline.link(transactions=30)

    assert pipeline.wake(account) is Served.DONE

    (run,) = pipeline.runs(account)
    assert (run["kind"], run["requested_by"], run["status"]) == ("full", "webhook", "completed")
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_later_message_starts_another_run(pipeline: Pipeline) -> None:
    """What it tells of may be newer than the run before it."""
    account = pipeline.link(transactions=30)
    pipeline.wake(account)
    pipeline.sandbox.add(account)

    pipeline.wake(account)

    assert len(pipeline.runs(account)) == 2
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_message_whose_run_waits_asks_for_no_second_one(pipeline: Pipeline) -> None:
    """The row was written first; the message only says when to look."""
    account = pipeline.link(transactions=30)
    run_id = pipeline.request(account, kind=RunKind.FULL)

    pipeline.wake(account)

    assert [run["run_id"] for run in pipeline.runs(account)] == [run_id]


def test_a_wake_up_during_a_run_is_not_lost(new_pipeline: Callable[..., Pipeline]) -> None:
    """The bank changed behind the pages that were read: who holds the account looks once more, by itself."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = pipeline.link(transactions=100, days=5)
    pipeline.sync(account)
    heard: list[Served] = []
    webhook_worker = pipeline.new_worker()

    class Webhook(SandboxTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            """Answer page 3 after a row of page 1 has changed and Mono has said so."""
            if request.url.params.get("page") == "3" and not heard:
                first = pipeline.page_ids(account, 1)
                pipeline.sandbox.amend(
                    account, transaction=first[0], changes={"category": "late"}, rerun_balances=False
                )
                heard.append(pipeline.wake(account, worker=webhook_worker))
            return super().handle_request(request)

    pipeline.wake(account, worker=pipeline.new_worker(Webhook(pipeline.sandbox)))

    assert heard == [Served.ALREADY_RUNNING]
    assert [run["status"] for run in pipeline.runs(account)] == ["completed"] * 3
    assert pipeline.stored(account) == pipeline.truth(account)


def test_wake_ups_during_a_run_ask_for_one_more_run_between_them(pipeline: Pipeline) -> None:
    """Twenty webhooks are one reason to look again."""
    account = pipeline.link(transactions=30, days=5)
    pipeline.sync(account)
    pipeline.request(account)
    pipeline.worker.runs.claim(pipeline.account_row(account)["id"], flag_reason="DEFAULT")
    other = pipeline.new_worker()

    assert {pipeline.wake(account, worker=other) for _ in range(20)} == {Served.ALREADY_RUNNING}

    assert [run["status"] for run in pipeline.runs(account)] == ["completed", "running", "running"]


def test_our_own_message_for_an_interrupted_run_asks_for_no_other(new_pipeline: Callable[..., Pipeline]) -> None:
    """A continuation and the tick's reminder come after their row: it is all that they ask for."""
    pipeline = new_pipeline(pages_in_flight=1)
    for message in (
        lambda account: FetchRequested(account_id=account, correlation_id="c", requested_by="webhook", hop=1),
        pipeline.from_schedule,
    ):
        account = pipeline.link(transactions=60)
        _interrupt(pipeline, account)

        assert pipeline.wake(account, message=message(account)) is Served.DONE

        assert [run["status"] for run in pipeline.runs(account)] == ["completed"]


def test_our_own_message_that_comes_late_asks_for_nothing(pipeline: Pipeline) -> None:
    """The run it was sent for is over: the queue delivered it again, or the tick's reminder came behind it."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    pipeline.let_pass(minutes=11)
    pipeline.sandbox.clear_requests()
    onward = FetchRequested(account_id=account, correlation_id="c", requested_by="webhook", hop=1)

    for message in (pipeline.from_schedule(account), onward):
        assert pipeline.wake(account, message=message) is Served.DONE

    assert len(pipeline.runs(account)) == 1
    assert pipeline.page_requests(account) == []


def test_out_of_time_passes_the_run_on_with_one_more_hop(new_pipeline: Callable[..., Pipeline]) -> None:
    """One message, to the queue it came from, as often as it takes."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = pipeline.link(transactions=70)

    assert pipeline.wake(account, seconds=0) is Served.CONTINUES

    hops = []
    while messages := pipeline.daily.drain():
        (message,) = messages
        hops.append(message.hop)
        pipeline.wake(account, message=message, seconds=0)
    assert hops == [1, 2, 3]
    assert pipeline.stored(account) == pipeline.truth(account)
    assert [run["status"] for run in pipeline.runs(account)] == ["completed"]


def test_from_the_hop_cap_on_the_tick_goes_on(new_pipeline: Callable[..., Pipeline]) -> None:
    """AWS cuts a chain of messages at sixteen: ours ends before, and the run is not forgotten."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = pipeline.link(transactions=70)
    pipeline.request(account)
    last = FetchRequested(account_id=account, correlation_id="c", requested_by="test", hop=MAX_HOPS)

    assert pipeline.wake(account, message=last, seconds=0) is Served.CONTINUES
    assert pipeline.daily.messages == []
    pipeline.let_pass(minutes=11)
    assert pipeline.tick().woken_again == 1
    (message,) = {message.account_id: message for message in pipeline.backfill.drain()}.values()
    assert message.hop == 0
    assert pipeline.wake(account, message=message) is Served.DONE
    assert pipeline.stored(account) == pipeline.truth(account)


def test_an_unknown_account_is_no_reason_to_come_back(pipeline: Pipeline) -> None:
    """The message has done its work; a redelivery would find no more."""
    assert pipeline.wake("0" * 24) is Served.UNKNOWN_ACCOUNT


def test_an_unlinked_account_is_left_alone(pipeline: Pipeline) -> None:
    """No run, no request."""
    account = pipeline.link(transactions=5)
    pipeline.rows("UPDATE bank_accounts SET link_status = 'unlinked'")
    pipeline.sandbox.clear_requests()

    assert pipeline.wake(account) is Served.UNLINKED
    assert pipeline.runs(account) == pipeline.sandbox.requests() == []


def test_a_paused_provider_leaves_the_run_to_the_tick(pipeline: Pipeline) -> None:
    """The message is acknowledged, so that an outage burns no receive count; the run goes on when the pause is over."""
    account = pipeline.link(transactions=5)
    pipeline.sandbox.inject(Fault(effect=RateLimited(retry_after="30"), path="*/transactions"))

    assert pipeline.wake(account) is Served.PAUSED
    pipeline.let_pass(seconds=31)
    assert pipeline.tick().requested == 1
    for message in pipeline.daily.drain() + pipeline.backfill.drain():
        assert pipeline.wake(account, message=message) is Served.DONE
    assert [run["status"] for run in pipeline.runs(account)] == ["completed"]


def test_a_failed_run_is_not_repeated_by_its_own_message(pipeline: Pipeline) -> None:
    """The account has its next attempt: hammering Mono with redeliveries helps nobody."""
    account = pipeline.link(transactions=5)
    sent_at = pipeline.now()
    pipeline.sandbox.set_link_state(account, state="unlinked")
    pipeline.wake(account, sent_at=sent_at)
    pipeline.sandbox.clear_requests()

    assert pipeline.wake(account, sent_at=sent_at) is Served.DONE
    assert pipeline.sandbox.requests() == []


def _interrupt(pipeline: Pipeline, account: str) -> None:
    pipeline.request(account)
    leased = pipeline.worker.runs.claim(pipeline.account_row(account)["id"], flag_reason="DEFAULT")
    assert leased is not None
    AccountSync(pipeline.worker).run(leased, Deadline.after(0))


def _state(pipeline: Pipeline) -> list[object]:
    return [
        pipeline.rows(f"SELECT * FROM {table}")  # noqa: S608 - names of ours
        for table in ("bank_accounts", "sync_runs", "bank_transactions", "bank_transaction_versions")
    ]
