"""However many backfills are asked for, the daily work goes on: they are read by their own queue's workers alone."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.usecases.operations import Operations
from mono_pipeline.usecases.wake_up import Served

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def ask(pipeline: Pipeline, account: str, first: date, last: date) -> dict[str, Any]:
    """Ask for a backfill of some days, as `monoctl backfill` does."""
    event = {"action": "backfill.start", "account_id": account, "from": first.isoformat(), "to": last.isoformat()}
    return Operations(pipeline.worker).perform(event, pipeline.soon())


def flood(pipeline: Pipeline, account: str, *, windows: int) -> None:
    """Ask for so many weeks, one by one."""
    for number in range(1, windows + 1):
        last = pipeline.today() - timedelta(days=7 * number)
        assert ask(pipeline, account, last - timedelta(days=6), last)["status"] == "accepted"


def kinds(pipeline: Pipeline, account: str, status: str) -> list[str]:
    """The kinds of the account's runs that stand so, in the order in which they were asked for."""
    return [run["kind"] for run in pipeline.runs(account) if run["status"] == status]


def test_a_daily_worker_reads_the_new_and_leaves_the_backfills_to_their_queue(pipeline: Pipeline) -> None:
    """Twenty windows were asked for before the account changed: neither the change nor a daily worker waits."""
    account = pipeline.link(transactions=30)
    pipeline.sync(account)
    flood(pipeline, account, windows=20)
    pipeline.backfill.drain()
    pipeline.sandbox.add(account)

    assert pipeline.wake(account) is Served.CONTINUES

    assert kinds(pipeline, account, "completed") == ["full", "incremental"]
    assert kinds(pipeline, account, "running") == ["window"] * 20
    assert pipeline.stored(account) == pipeline.truth(account)
    (onward,) = pipeline.backfill.messages
    assert (onward.requested_by, onward.hop) == ("backfill", 1)
    pipeline.drain()
    assert kinds(pipeline, account, "running") == []


def test_the_account_s_daily_run_goes_before_backfills_that_wait(pipeline: Pipeline) -> None:
    """Also where a worker of the backfill queue has the account: at most one window is in front of it."""
    account = pipeline.link(transactions=30)
    pipeline.sync(account)
    flood(pipeline, account, windows=3)
    pipeline.request(account)

    pipeline.wake(account, message=pipeline.backfill.drain()[0])

    begun = sorted(pipeline.runs(account)[1:], key=lambda run: run["started_at"])
    assert [run["kind"] for run in begun] == ["incremental", "window", "window", "window"]


def test_what_a_backfill_lost_is_sent_to_its_own_queue_again(pipeline: Pipeline) -> None:
    """A window of the API's is daily work; a backfill's is not, whoever reminds of it."""
    account = pipeline.link(transactions=30)
    pipeline.sync(account)
    flood(pipeline, account, windows=1)
    pipeline.backfill.drain()
    pipeline.let_pass(minutes=11)

    pipeline.tick()

    assert [message.account_id for message in pipeline.backfill.messages] == [account]
    assert pipeline.daily.messages == []


def test_the_same_backfill_asked_for_a_hundred_times_is_one(pipeline: Pipeline) -> None:
    """While it waits and while it is under way; the messages of the others find nothing to do, and ask Mono nothing."""
    account = pipeline.link(transactions=30)
    pipeline.sync(account)
    last = pipeline.today() - timedelta(days=3)
    answers = {ask(pipeline, account, last - timedelta(days=20), last)["run_id"] for _ in range(100)}
    first, *others = pipeline.backfill.drain()
    pipeline.wake(account, message=first)
    pipeline.sandbox.clear_requests()

    assert {pipeline.wake(account, message=message) for message in others} == {Served.DONE}

    assert len(answers) == 1
    assert kinds(pipeline, account, "completed") == ["full", "window"]
    assert pipeline.sandbox.requests() == []
