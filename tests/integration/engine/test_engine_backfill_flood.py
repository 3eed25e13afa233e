"""However many backfills are asked for, the daily work goes on: they are read by their own queue's workers alone."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.sandbox.transport import SandboxTransport
from mono_pipeline.usecases.operations import Operations
from mono_pipeline.usecases.wake_up import Served

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

MOST_ASLEEP = 10  # seconds, of one invocation
INTERVAL = 5  # seconds


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


class Stutters(SandboxTransport):
    """Mono answers the fifth attempt at anything, and those before it with 503."""

    attempts = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Four refusals, then the answer."""
        self.attempts += 1
        return super().handle_request(request) if self.attempts % 5 == 0 else httpx.Response(503, request=request)


def test_runs_of_one_invocation_share_its_ten_seconds_of_sleep(pipeline: Pipeline) -> None:
    """However many of an account's backfills it serves; the rest goes on in a message, and none fails for it."""
    account = pipeline.link(transactions=30)
    pipeline.sync(account)
    flood(pipeline, account, windows=6)
    worker = pipeline.new_worker(Stutters(pipeline.sandbox))
    asleep, messages = list[float](), pipeline.backfill.drain()[:1]
    while messages:
        before = sum(pipeline.slept)
        pipeline.wake(account, worker=worker, message=messages.pop())
        asleep.append(sum(pipeline.slept) - before)
        messages = pipeline.backfill.drain()

    assert max(asleep) <= MOST_ASLEEP < sum(asleep)
    assert kinds(pipeline, account, "completed") == ["full"] + ["window"] * 6


def test_an_account_has_one_backfill_at_a_time_and_the_next_after_an_interval(
    new_pipeline: Callable[..., Pipeline],
) -> None:
    """Of its days alone: another account is asked for at once, and the same days again are the same run."""
    pipeline = new_pipeline(backfill_interval_seconds=INTERVAL)
    account, other = pipeline.link(transactions=30), pipeline.link(transactions=30)
    ends = [pipeline.today() - timedelta(days=7 * number) for number in (1, 2, 3)]
    weeks = [(last - timedelta(days=6), last) for last in ends]

    def asked(number: int, of: str = account) -> str:
        return str(ask(pipeline, of, *weeks[number])["status"])

    while_it_waits = [asked(0), asked(1), asked(0), asked(0, other)]
    pipeline.let_pass(seconds=2 * INTERVAL)
    still = asked(1)  # however long the first one waits
    (first, _, _) = pipeline.backfill.drain()
    pipeline.wake(account, message=first)
    just_after = ask(pipeline, account, *weeks[1])
    pipeline.let_pass(seconds=INTERVAL)
    later = [asked(1), asked(2)]

    assert [*while_it_waits, still] == ["accepted", "too_soon", "accepted", "accepted", "too_soon"]
    assert (just_after["status"], 0 < just_after["seconds"] <= INTERVAL) == ("too_soon", True)
    assert later == ["accepted", "too_soon"]
    assert kinds(pipeline, account, "running") == ["window"]


def test_of_many_who_ask_at_once_one_gets_the_account(new_pipeline: Callable[..., Pipeline]) -> None:
    """Each for days of its own; a hundred askers are no hundred runs."""
    pipeline = new_pipeline(backfill_interval_seconds=INTERVAL)
    account = pipeline.link(transactions=30)
    workers = [pipeline.new_worker() for _ in range(8)]

    def start(number: int) -> str:
        last = pipeline.today() - timedelta(days=7 * number + 7)
        days = {"from": (last - timedelta(days=6)).isoformat(), "to": last.isoformat()}
        event = {"action": "backfill.start", "account_id": account, **days}
        return str(Operations(workers[number]).perform(event, pipeline.soon())["status"])

    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = Counter(pool.map(start, range(8)))

    assert answers == {"accepted": 1, "too_soon": 7}
    assert kinds(pipeline, account, "running") == ["window"]
