"""However many webhooks an account has, they start a few runs in an interval; what they tell of is read after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.transport import SandboxTransport
from mono_pipeline.usecases.lifecycle import RUNS_IN_AN_INTERVAL, URGENT_RUNS_IN_AN_INTERVAL
from tests.webhook_life import drain, hear, status

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

INTERVAL = 300


def news(pipeline: Pipeline, account: str) -> dict[str, Any]:
    """A row more at the bank, and an event of its own that tells of it."""
    pipeline.sandbox.add(account)
    return dict(pipeline.sandbox.fire_webhook(event="account_updated", account=account)[0]["body"])


def by_webhooks(pipeline: Pipeline, account: str) -> int:
    """How many runs of the account webhooks have asked for."""
    return sum(run["requested_by"] == "mono.webhook.received" for run in pipeline.runs(account))


def test_a_hundred_events_one_after_the_other_are_five_runs_and_one_more(pipeline: Pipeline) -> None:
    """Each comes when the run before it has ended, so that no waiting run covers it; the last row is not lost."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    for _ in range(100):
        hear(pipeline, news(pipeline, account))
        drain(pipeline)
    assert by_webhooks(pipeline, account) == RUNS_IN_AN_INTERVAL
    assert 0 < pipeline.seconds_to_next_attempt(account) <= INTERVAL

    pipeline.let_pass(seconds=INTERVAL + 1)
    assert pipeline.tick().requested == 1
    pipeline.drain()

    assert [run["status"] for run in pipeline.runs(account)] == ["completed"] * (1 + RUNS_IN_AN_INTERVAL + 1)
    assert pipeline.stored(account) == pipeline.truth(account)


def test_what_is_told_during_the_last_run_is_read_after_the_interval(new_pipeline: Callable[..., Pipeline]) -> None:
    """The run that is under way has read past it, and its end does not forget it for half a day."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = pipeline.link(transactions=60, days=5)
    pipeline.sync(account)
    for _ in range(RUNS_IN_AN_INTERVAL - 1):
        hear(pipeline, news(pipeline, account))
    listener = pipeline.new_worker()
    late: list[object] = []

    class TellsOfMore(SandboxTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            """Answer page 3 once the first page is old."""
            if request.url.params.get("page") == "3" and not late:
                late.append(hear(pipeline, news(pipeline, account), worker=listener))
            return super().handle_request(request)

    hear(pipeline, news(pipeline, account), worker=pipeline.new_worker(TellsOfMore(pipeline.sandbox)))
    assert len(late) == 1
    assert by_webhooks(pipeline, account) == RUNS_IN_AN_INTERVAL
    assert 0 < pipeline.seconds_to_next_attempt(account) <= INTERVAL

    pipeline.let_pass(seconds=INTERVAL + 1)
    pipeline.tick()
    pipeline.drain()
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_person_is_served_at_once_and_so_are_other_accounts(pipeline: Pipeline) -> None:
    """The interval is of one account's webhooks, and of nobody else."""
    flooded, quiet = (pipeline.link(transactions=5) for _ in range(2))
    for account in (flooded, quiet):
        pipeline.sync(account)
    for _ in range(RUNS_IN_AN_INTERVAL + 3):
        hear(pipeline, news(pipeline, flooded))

    assert pipeline.ask(flooded).status == "completed"
    assert pipeline.stored(flooded) == pipeline.truth(flooded)
    hear(pipeline, news(pipeline, quiet))
    assert pipeline.stored(quiet) == pipeline.truth(quiet)


def test_a_link_that_stands_otherwise_is_read_at_once(pipeline: Pipeline) -> None:
    """Its owner has signed in after a flood: the rows that were missing do not wait for a tick."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    for _ in range(RUNS_IN_AN_INTERVAL + 1):
        hear(pipeline, news(pipeline, account))
    runs = by_webhooks(pipeline, account)
    dead = news(pipeline, account)
    dead["data"]["meta"]["sync_status"] = "REAUTHORISATION_REQUIRED"

    hear(pipeline, dead)

    assert by_webhooks(pipeline, account) == runs + 1
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_link_that_breaks_and_heals_by_turns_is_read_ten_times_an_interval(pipeline: Pipeline) -> None:
    """Each turn is written down as it comes; the reading of the last one follows when the interval is over."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    for turn in range(31):
        pipeline.let_pass(seconds=1)
        body = news(pipeline, account)
        body["data"]["meta"]["sync_status"] = "SUCCESSFUL" if turn % 2 else "REAUTHORISATION_REQUIRED"
        hear(pipeline, body)
        drain(pipeline)
        assert status(pipeline, account) == ("linked" if turn % 2 else "reauth_required")
    assert by_webhooks(pipeline, account) == URGENT_RUNS_IN_AN_INTERVAL

    pipeline.let_pass(seconds=INTERVAL + 1)
    pipeline.tick()
    pipeline.drain()
    assert pipeline.stored(account) == pipeline.truth(account)


def test_without_an_interval_every_event_is_read(new_pipeline: Callable[..., Pipeline]) -> None:
    """An operator may want that: 0 is none."""
    pipeline = new_pipeline(webhook_interval_seconds=0)
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    for _ in range(RUNS_IN_AN_INTERVAL + 1):
        hear(pipeline, news(pipeline, account))

    assert by_webhooks(pipeline, account) == RUNS_IN_AN_INTERVAL + 1
