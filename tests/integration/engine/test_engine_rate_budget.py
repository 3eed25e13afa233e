"""The request budget: all workers together stay within it in every minute, and a pause is everybody's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import floor
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mono_pipeline.adapters.postgres import Database
from mono_pipeline.adapters.rate_budget import TOKEN_SECONDS, Bucket, RateBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.postgres import DatabaseAddress
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

PER_MINUTE = 600
BUCKET = Bucket.of(PER_MINUTE)
BURST = 18  # three of a hundred


class Clock:
    """The database's clock, standing still at a second of the test's choice."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.set(0)

    def set(self, second: float) -> None:
        """Let it be that second."""
        self._database.rows(
            f"""CREATE OR REPLACE FUNCTION pipeline_now() RETURNS timestamptz
                AS $$ SELECT timestamptz '2026-09-30 12:00Z' + interval '{second} seconds' $$ LANGUAGE sql VOLATILE"""
        )


@pytest.fixture
def clock(pipeline: Pipeline) -> Clock:
    """Second 0: the bucket is full."""
    standing = Clock(pipeline.worker.database)
    _fill(pipeline)
    return standing


class Hand:
    """A worker's own clock, which moves when the test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """Its time."""
        return self.seconds


@pytest.mark.parametrize("per_minute", [1, 2, 3, 20, 39, 60, 599, 6_000, 100_000])
def test_a_full_bucket_and_a_minutes_refill_are_the_budget(per_minute: int) -> None:
    """Whatever was saved up, no minute of calls exceeds it; what can be had in the long run is nearly all of it."""
    bucket = Bucket.of(per_minute)

    assert bucket.burst >= 1
    assert floor(bucket.burst + bucket.per_second * (60 + TOKEN_SECONDS)) <= per_minute
    assert bucket.per_second * 60 >= per_minute * (0.95 if per_minute >= 39 else 0.49)
    assert bucket.burst - bucket.reserve >= 1  # else background work would never begin


def test_many_workers_at_once_never_take_more_than_the_bucket_holds(address: DatabaseAddress, clock: Clock) -> None:
    """The burst, and the rate after it: whoever comes when, and from however many connections."""
    databases = [Database(address) for _ in range(12)]
    try:
        level, before = BUCKET.burst, 0
        for second in (0, 1, 1, 2, 60):
            clock.set(second)
            with ThreadPoolExecutor(max_workers=12) as pool:
                granted = sum(pool.map(lambda database: _take_all(database, tries=30), databases))
            level = min(BUCKET.burst, level + BUCKET.per_second * (second - before))
            assert granted == floor(level)
            level, before = level - granted, second
    finally:
        for database in databases:
            database.close()


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(steps=st.lists(st.tuples(st.integers(-20, 20), st.integers(1, 12), st.booleans()), max_size=12))
def test_a_clock_that_jumps_fills_nothing_twice(
    pipeline: Pipeline, clock: Clock, steps: list[tuple[int, int, bool]]
) -> None:
    """Set back and forth as it may, in all no more is granted than burst + rate x (latest - first moment)."""
    clock.set(0)
    _fill(pipeline)
    second = latest = granted = 0
    for jump, wanted, gives_back in steps:
        second += jump
        latest = max(latest, second)
        clock.set(second)
        budget = RateBudget(pipeline.worker.database, per_minute=PER_MINUTE)
        granted += budget.take(wanted).tokens
        if gives_back:
            budget.give_back()
    assert granted <= BUCKET.burst + BUCKET.per_second * latest


def test_no_token_tells_how_long_to_wait(pipeline: Pipeline, clock: Clock) -> None:
    """Until there is one token again, by the rate."""
    budget = RateBudget(pipeline.worker.database, per_minute=PER_MINUTE)
    assert budget.take(BURST).tokens == BURST

    grant = budget.take(1)

    assert (grant.tokens, grant.paused) == (0, None)
    assert grant.wait_seconds == pytest.approx(1 / BUCKET.per_second)
    clock.set(grant.wait_seconds + 0.001)
    assert budget.take(1).tokens == 1


def test_what_is_given_back_can_be_taken_again_and_never_overfills(pipeline: Pipeline, clock: Clock) -> None:
    """A block that a short run did not use is the others', up to the burst."""
    blocks = 60_000  # allowed a minute: a block has many tokens
    budget, other = (RateBudget(pipeline.worker.database, per_minute=blocks) for _ in range(2))
    pipeline.rows("UPDATE provider_budget SET tokens = 100")
    assert budget.take(1).tokens == 1
    (held,) = pipeline.rows("SELECT 100 - tokens AS block FROM provider_budget")
    budget.give_back()
    budget.give_back()
    assert held["block"] > 40
    assert other.take(200).tokens == 99
    other.give_back()
    clock.set(3_600)

    assert _take_all(pipeline.worker.database, tries=30) == BURST


def test_an_old_block_is_handed_in_for_a_new_one(pipeline: Pipeline, clock: Clock) -> None:  # noqa: ARG001
    """A token is good for a call that starts at once; nothing is lost by its age."""
    hand = Hand()
    budget = RateBudget(pipeline.worker.database, per_minute=60_000, monotonic=hand)
    pipeline.rows("UPDATE provider_budget SET tokens = 100")

    taken = 0
    for _ in range(20):
        taken += budget.take(1).tokens
        hand.seconds += TOKEN_SECONDS * 1.01
    budget.give_back()

    assert (taken, pipeline.rows("SELECT tokens FROM provider_budget")) == (20, [{"tokens": 80}])


def test_tokens_in_hand_are_worth_nothing_once_a_pause_is_committed(pipeline: Pipeline, clock: Clock) -> None:  # noqa: ARG001
    """Another worker that took a block before the pause stops at the latest when the block is 50 ms old."""
    hand = Hand()
    budget = RateBudget(pipeline.worker.database, per_minute=60_000, monotonic=hand)
    pipeline.rows("UPDATE provider_budget SET tokens = 100")
    assert budget.take(1).tokens == 1

    RateBudget(pipeline.worker.database, per_minute=60_000).pause(30, "mono_rate_limited")
    hand.seconds = TOKEN_SECONDS * 1.01

    grant = budget.take(1)
    assert (grant.tokens, grant.wait_seconds, grant.paused) == (0, 30.0, "mono_rate_limited")


def test_background_work_leaves_a_fifth_of_the_bucket(pipeline: Pipeline, clock: Clock) -> None:  # noqa: ARG001
    """However many backfills there are, a daily call finds a token at once; what comes in then is the daily work's."""
    budget = RateBudget(pipeline.worker.database, per_minute=PER_MINUTE)
    background = sum(budget.take(1, background=True).tokens for _ in range(100))
    refused = budget.take(1, background=True)
    daily = sum(budget.take(1).tokens for _ in range(100))

    assert (background, daily) == (14, 4)
    assert refused.wait_seconds == pytest.approx((1 + BUCKET.reserve - 4) / BUCKET.per_second)


def test_daily_work_that_wants_all_gets_all_beside_a_flood_of_backfills(pipeline: Pipeline, clock: Clock) -> None:
    """In the long run too: a second's refill goes to whoever may go below the reserve."""
    flood = [RateBudget(pipeline.worker.database, per_minute=PER_MINUTE) for _ in range(16)]
    daily = RateBudget(pipeline.worker.database, per_minute=PER_MINUTE)
    had = {"daily": 0, "background": 0}
    for tenth in range(1, 301):
        clock.set(tenth / 10)
        had["background"] += sum(each.take(1, background=True).tokens for each in flood)
        had["daily"] += sum(daily.take(1).tokens for _ in range(4))

    assert had["daily"] >= 0.95 * BUCKET.per_second * 30
    assert had["background"] <= BURST


def test_a_pause_is_everybodys_and_a_longer_one_is_not_shortened(pipeline: Pipeline, clock: Clock) -> None:
    """Not one token until it ends, also of what the pausing worker has in hand."""
    budget, other = (RateBudget(pipeline.worker.database, per_minute=PER_MINUTE) for _ in range(2))
    assert budget.take(1).tokens == 1
    budget.pause(60, "mono_rate_limited")
    other.pause(5, "mono_forbidden")
    clock.set(59)

    for one in (budget, other):
        grant = one.take(1)
        assert (grant.tokens, grant.wait_seconds, grant.paused is None) == (0, 1.0, False)
    clock.set(61)
    assert budget.take(1).tokens == 1
    assert pipeline.rows("SELECT paused_until, pause_reason FROM provider_budget") == [
        {"paused_until": None, "pause_reason": None}
    ]


def test_without_a_token_no_call_is_made(new_pipeline: Callable[..., Pipeline]) -> None:
    """The run waits within its patience, then is left to the tick; Mono hears nothing of it."""
    pipeline = new_pipeline(mono_rate_limit_per_minute=1)
    account = pipeline.link(transactions=5)
    pipeline.rows("UPDATE provider_budget SET tokens = 0, refilled_at = pipeline_now()")
    pipeline.sandbox.clear_requests()

    end = pipeline.sync(account)

    assert end.paused is not None
    assert end.paused.reason == "rate_budget"
    assert pipeline.sandbox.requests() == []
    assert pipeline.slept == []


def test_each_call_to_mono_is_paid_for(new_pipeline: Callable[..., Pipeline]) -> None:
    """The account's page, every page of rows, every attempt that failed, and the probe of the account list."""
    from local.sandbox.effects.answers import Status  # noqa: PLC0415 - only here
    from local.sandbox.faults import Fault  # noqa: PLC0415 - only here

    pipeline = new_pipeline(pages_in_flight=1)
    account = pipeline.link(transactions=60)
    Clock(pipeline.worker.database)
    pipeline.sandbox.inject(
        Fault(effect=Status(status=500), path="*/transactions", page=2, times=2),
        Fault(effect=Status(status=403), path="*/transactions", page=3, times=1),
    )
    pipeline.rows("UPDATE provider_budget SET tokens = 1000, refilled_at = pipeline_now()")
    pipeline.sandbox.clear_requests()

    pipeline.sync(account)

    (left,) = pipeline.rows("SELECT tokens FROM provider_budget")
    assert 1_000 - left["tokens"] == len(pipeline.sandbox.requests()) == 7


def _fill(pipeline: Pipeline) -> None:
    pipeline.rows("UPDATE provider_budget SET tokens = :burst, refilled_at = pipeline_now()", burst=BUCKET.burst)


def _take_all(database: Database, *, tries: int) -> int:
    budget = RateBudget(database, per_minute=PER_MINUTE)
    return sum(budget.take(1).tokens for _ in range(tries))
