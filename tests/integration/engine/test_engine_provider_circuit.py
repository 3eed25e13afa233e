"""While Mono serves nobody, nobody calls it but one probe a minute; after a 429 nobody calls before its time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest

from local.sandbox.effects import RateLimited, Status
from local.sandbox.faults import Fault
from local.sandbox.transport import SandboxTransport
from mono_pipeline.adapters.rate_budget import OPEN_SECONDS, PROBE_SECONDS, TOKEN_SECONDS, RateBudget
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import MonoRateLimited
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.usecases.paid_calls import PaidCalls
from mono_pipeline.usecases.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from mono_pipeline.usecases.account_sync import RunEnd
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

WORKERS = 16
AWAY = 2  # seconds that Mono asks for
SLACK = 0.25  # for a thread to be given the processor, once it may call


class Watched(SandboxTransport):
    """A transport that takes down when each request started, and when the first 429 was answered."""

    def __init__(self, sandbox: Any, log: list[tuple[float, int]]) -> None:
        super().__init__(sandbox)
        self._log = log

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        began = time.monotonic()
        response = super().handle_request(request)
        self._log.append((began, response.status_code))
        return response


def down(pipeline: Pipeline, status: int = 503, **where: Any) -> None:
    """Mono answers everything, or everything of an account, with a status."""
    pipeline.sandbox.inject(Fault(effect=Status(status=status), times=None, **where))


def circuit(pipeline: Pipeline) -> str | None:
    """Why the circuit is open, None while it is closed."""
    (row,) = pipeline.rows("SELECT open_reason FROM provider_budget")
    return None if row["open_reason"] is None else str(row["open_reason"])


def calls(pipeline: Pipeline, what: Callable[[], object]) -> int:
    """How many requests something makes."""
    pipeline.sandbox.clear_requests()
    what()
    return len(pipeline.sandbox.requests())


def test_after_a_429_sixteen_workers_start_no_call_before_its_time(new_pipeline: Callable[..., Pipeline]) -> None:
    """From the commit of the pause (and the 50 ms that a token may be old) on; calls in flight then may end."""
    pipeline = new_pipeline(pages_in_flight=2)
    accounts = [pipeline.link(transactions=60) for _ in range(WORKERS)]
    log: list[tuple[float, int]] = []
    paused_at: list[float] = []
    workers = [pipeline.new_worker(Watched(pipeline.sandbox, log)) for _ in range(WORKERS)]
    for worker in workers:
        _note_pauses(worker.budget, paused_at)
    over = threading.Event()

    def work(number: int) -> None:
        while not over.is_set():
            pipeline.sync(accounts[number], worker=workers[number], kind=RunKind.FULL)

    pipeline.sandbox.inject(Fault(effect=RateLimited(retry_after=str(AWAY)), path="*/transactions", nth=80, times=1))
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        under_way = [pool.submit(work, number) for number in range(WORKERS)]
        _wait_until(lambda: bool(paused_at) or any(each.done() for each in under_way), seconds=60)
        _wait_until(lambda: any(began > paused_at[0] + AWAY for began, _ in list(log)), seconds=60)
        over.set()
        for each in under_way:
            each.result()

    refused = next(began for began, status in log if status == 429)
    started = sorted(began for began, _ in log)
    assert [at for at in started if paused_at[0] + TOKEN_SECONDS + SLACK < at < refused + AWAY] == []
    assert paused_at[0] - refused < 1.0
    assert len([at for at in started if at < refused]) >= 79
    assert [at for at in started if at > refused + AWAY] != []


def _note_pauses(budget: RateBudget, paused_at: list[float]) -> None:
    """Take down when a pause was committed."""
    pause = budget.pause

    def noted(seconds: float, reason: str) -> None:
        pause(seconds, reason)
        paused_at.append(time.monotonic())

    budget.pause = noted  # type: ignore[method-assign]


def _wait_until(there: Callable[[], bool], *, seconds: float) -> None:
    give_up = time.monotonic() + seconds
    while not there() and time.monotonic() < give_up:
        time.sleep(0.01)
    assert there()


def test_a_429_is_everybodys_while_its_worker_waits_for_another_answer(pipeline: Pipeline) -> None:
    """Of several flights the refused one need not be the one that is waited for."""
    refused, released = threading.Event(), threading.Event()
    paused: list[float] = []
    _note_pauses(pipeline.worker.budget, paused)

    def limited() -> None:
        refused.set()
        raise MonoRateLimited(7.0)

    with ThreadPoolExecutor(max_workers=2) as executor:
        asked = PaidCalls(
            budget=pipeline.worker.budget, patience=Patience(), executor=executor, deadline=Deadline.after(60)
        )
        slow = asked.start(lambda: released.wait(60))
        asked.start(limited)
        refused.wait(60)
        main = ThreadPoolExecutor(max_workers=1)
        waiting = main.submit(asked.finish, slow)
        _wait_until(lambda: bool(paused), seconds=60)
        ended_first = waiting.done()
        released.set()
        waiting.result()
        main.shutdown()

    assert ended_first is False
    assert (
        6
        < pipeline.rows("SELECT extract(epoch FROM paused_until - pipeline_now())::float8 AS s FROM provider_budget")[
            0
        ]["s"]
        <= 7
    )


def test_a_call_that_is_alone_is_made_by_its_own_thread_and_paid_for(pipeline: Pipeline) -> None:
    """Its refusal pauses everybody as another's does, and is the caller's."""
    executor = Mock()
    asked = PaidCalls(
        budget=pipeline.worker.budget, patience=Patience(), executor=executor, deadline=Deadline.after(60)
    )
    paused: list[float] = []
    _note_pauses(pipeline.worker.budget, paused)

    assert asked.once(threading.get_ident) == threading.get_ident()
    with pytest.raises(MonoRateLimited):
        asked.once(Mock(side_effect=MonoRateLimited(7.0)))

    assert executor.mock_calls == []
    assert len(paused) == 1
    assert asked.seconds > 0


def test_three_accounts_in_a_row_that_find_mono_down_open_the_circuit(pipeline: Pipeline) -> None:
    """The third one is put off and has not failed; a fourth makes no call."""
    accounts = [pipeline.link(transactions=20) for _ in range(4)]
    down(pipeline)

    ends = [pipeline.sync(account) for account in accounts[:3]]
    more = calls(pipeline, lambda: ends.append(pipeline.sync(accounts[3])))

    assert [end.status for end in ends] == [RunStatus.FAILED, RunStatus.FAILED, RunStatus.RUNNING, RunStatus.RUNNING]
    assert [_reason(end) for end in ends] == [None, None, "mono_server_error", "mono_server_error"]
    assert (circuit(pipeline), more) == ("mono_server_error", 0)
    assert pipeline.account_row(accounts[2])["failure_streak"] == 0
    assert "mono.provider.circuit_opened" in pipeline.witness.names()
    assert ("backfill", "mono_server_error") in pipeline.witness.errors


def test_one_account_that_fails_again_and_again_shuts_nobody_out(pipeline: Pipeline) -> None:
    """Its pages may be what Mono cannot serve."""
    bad, good = pipeline.link(transactions=20), pipeline.link(transactions=20)
    down(pipeline, account=bad)

    ends = [pipeline.sync(bad) for _ in range(4)]

    assert [end.status for end in ends] == [RunStatus.FAILED] * 4
    assert circuit(pipeline) is None
    assert pipeline.sync(good).status is RunStatus.COMPLETED


def test_a_success_in_between_ends_the_row(pipeline: Pipeline) -> None:
    """Two accounts that Mono cannot serve, one that it can, and two more: their own trouble."""
    bad = [pipeline.link(transactions=20) for _ in range(4)]
    good = pipeline.link(transactions=20)
    for account in bad:
        down(pipeline, account=account)

    for account in (*bad[:2], good, *bad[2:]):
        pipeline.sync(account)

    assert circuit(pipeline) is None


def opened(pipeline: Pipeline, *, status: int = 503) -> list[str]:
    """Three accounts, and a circuit that they opened, at the moment when a probe is due."""
    accounts = [pipeline.link(transactions=20) for _ in range(3)]
    down(pipeline, status)
    for account in accounts:
        pipeline.sync(account)
    assert circuit(pipeline) is not None
    pipeline.let_pass(seconds=int(OPEN_SECONDS) + 1)
    return accounts


def test_a_probe_that_fails_is_one_call_and_a_minute_more_of_silence(pipeline: Pipeline) -> None:
    """No second attempt, and nobody else tries before the minute is over."""
    accounts = opened(pipeline)

    probe = calls(pipeline, lambda: pipeline.sync(accounts[0]))
    others = calls(pipeline, lambda: [pipeline.sync(account) for account in accounts])
    pipeline.let_pass(seconds=int(OPEN_SECONDS) + 1)
    next_probe = calls(pipeline, lambda: pipeline.sync(accounts[1]))

    assert (probe, others, next_probe) == (1, 0, 1)
    assert circuit(pipeline) == "mono_server_error"


def test_the_first_success_of_a_probe_opens_mono_to_everybody(pipeline: Pipeline) -> None:
    """The run that probes goes on, and so do the others; nothing is left of the outage."""
    accounts = opened(pipeline)
    pipeline.sandbox.clear_faults()

    ends = [pipeline.sync(account) for account in accounts]

    assert [end.status for end in ends] == [RunStatus.COMPLETED] * 3
    assert circuit(pipeline) is None
    assert pipeline.rows("SELECT probe_until, failing_accounts FROM provider_budget") == [
        {"probe_until": None, "failing_accounts": []}
    ]


def test_while_a_probe_is_under_way_nobody_else_calls(pipeline: Pipeline) -> None:
    """However many come; one that dies with its worker is followed by another half a minute later."""
    opened(pipeline)
    budgets = [RateBudget(pipeline.worker.database, per_minute=6_000) for _ in range(WORKERS)]

    grants = [budget.take(1) for budget in budgets]
    pipeline.let_pass(seconds=int(PROBE_SECONDS) + 1)
    after = budgets[1].take(1)

    assert [grant.tokens for grant in grants] == [1] + [0] * (WORKERS - 1)
    assert grants[1].paused == "mono_server_error"
    assert 0 < grants[1].wait_seconds <= PROBE_SECONDS
    assert after.tokens == 1


def test_a_probe_whose_account_alone_is_refused_opens_mono_all_the_same(pipeline: Pipeline) -> None:
    """The account list answers: that account is blocked, and nobody else."""
    accounts = [pipeline.link(transactions=20) for _ in range(2)]
    down(pipeline, 403)
    assert pipeline.sync(accounts[0]).paused is not None
    pipeline.let_pass(seconds=int(OPEN_SECONDS) + 1)
    pipeline.sandbox.clear_faults()
    down(pipeline, 403, account=accounts[0])

    end = pipeline.sync(accounts[0])

    assert (end.blocked, circuit(pipeline)) == ("mono_forbidden", None)
    assert pipeline.sync(accounts[1]).status is RunStatus.COMPLETED


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_provider_that_refuses_us_is_probed_by_one_worker_a_minute(pipeline: Pipeline, status: int) -> None:
    """The probe is an account's page and, as that is refused, the account list: two calls, and silence again."""
    accounts = [pipeline.link(transactions=20) for _ in range(3)]
    down(pipeline, status)

    first = calls(pipeline, lambda: pipeline.sync(accounts[0]))
    pipeline.let_pass(seconds=int(OPEN_SECONDS) + 1)
    minute = calls(pipeline, lambda: [pipeline.sync(account) for account in accounts])
    pipeline.let_pass(seconds=int(OPEN_SECONDS) + 1)
    pipeline.sandbox.clear_faults()
    ends = [pipeline.sync(account) for account in accounts]

    assert (first, minute) == (2, 2)
    assert [end.status for end in ends] == [RunStatus.COMPLETED] * 3


def test_a_tick_probes_before_it_sends_for_what_is_due(pipeline: Pipeline) -> None:
    """While Mono is down a tick costs one call; when it is back, all that waited runs after the first tick."""
    accounts = opened(pipeline)
    pipeline.let_pass(seconds=600)
    asked = calls(pipeline, lambda: (pipeline.round(), pipeline.drain()))
    still = circuit(pipeline)
    pipeline.sandbox.clear_faults()
    pipeline.let_pass(seconds=1_200)
    pipeline.round()
    pipeline.drain()

    assert (asked, still, circuit(pipeline)) == (1, "mono_server_error", None)
    assert [pipeline.runs(account)[-1]["status"] for account in accounts] == ["completed"] * 3
    assert {"mono.provider.still_down", "mono.provider.circuit_closed"} <= set(pipeline.witness.names())


def test_a_day_without_mono_makes_no_dead_letter(pipeline: Pipeline) -> None:
    """An outage is nobody's failure: all accounts go on afterwards from where they were."""
    accounts = [pipeline.link(transactions=20) for _ in range(6)]
    for account in accounts:
        pipeline.sync(account)
    down(pipeline)
    for _ in range(24):
        pipeline.let_pass(hours=1)
        pipeline.round()
        pipeline.drain()
    streaks = [pipeline.account_row(account)["failure_streak"] for account in accounts]
    pipeline.sandbox.clear_faults()
    pipeline.let_pass(hours=1)
    for _ in range(2):
        pipeline.round()
        pipeline.drain()
        pipeline.let_pass(hours=13)

    assert max(streaks) < 5
    assert pipeline.dead_letters.letters == []
    assert [pipeline.runs(account)[-1]["status"] for account in accounts] == ["completed"] * 6


def _reason(end: RunEnd) -> str | None:
    return None if end.paused is None else end.paused.reason
