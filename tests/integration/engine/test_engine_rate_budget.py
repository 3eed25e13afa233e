"""The request budget: all workers together stay below burst + rate x time, and a pause is everybody's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mono_pipeline.adapters.postgres import Database
from mono_pipeline.adapters.rate_budget import RateBudget

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.postgres import DatabaseAddress
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

PER_MINUTE = 120  # two a second, and a burst of ten


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
    pipeline.rows("UPDATE provider_budget SET tokens = 10, refilled_at = pipeline_now()")
    return standing


def test_many_workers_at_once_never_take_more_than_the_bucket_holds(address: DatabaseAddress, clock: Clock) -> None:
    """Ten of burst, two a second: whoever comes when, and from however many connections."""
    databases = [Database(address) for _ in range(12)]
    try:
        granted = 0
        for second, most in ((0, 10), (1, 12), (1, 12), (4, 18), (60, 28)):
            clock.set(second)
            with ThreadPoolExecutor(max_workers=12) as pool:
                granted += sum(pool.map(lambda database: _take_all(database, tries=30), databases))
            assert granted == most
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
    pipeline.rows("UPDATE provider_budget SET tokens = 10, refilled_at = pipeline_now()")
    second = latest = granted = 0
    for jump, wanted, gives_back in steps:
        second += jump
        latest = max(latest, second)
        clock.set(second)
        budget = RateBudget(pipeline.worker.database, per_minute=PER_MINUTE)
        granted += budget.take(wanted).tokens
        if gives_back:
            budget.give_back()
    assert granted <= 10 + 2 * latest


def test_no_token_tells_how_long_to_wait(pipeline: Pipeline, clock: Clock) -> None:
    """Until there is one token again, by the rate."""
    budget = RateBudget(pipeline.worker.database, per_minute=PER_MINUTE)
    assert budget.take(10).tokens == 10

    grant = budget.take(1)

    assert (grant.tokens, grant.paused) == (0, None)
    assert grant.wait_seconds == pytest.approx(0.5)
    clock.set(0.5)
    assert budget.take(1).tokens == 1


def test_what_is_given_back_can_be_taken_again_and_never_overfills(pipeline: Pipeline, clock: Clock) -> None:
    """A block that a short run did not use is the others', up to the burst."""
    budget, other = (RateBudget(pipeline.worker.database, per_minute=PER_MINUTE) for _ in range(2))
    assert budget.take(1).tokens == 1
    budget.give_back()
    budget.give_back()
    assert other.take(10).tokens == 9
    other.give_back()
    clock.set(3_600)

    assert _take_all(pipeline.worker.database, tries=30) == 10


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


def _take_all(database: Database, *, tries: int) -> int:
    budget = RateBudget(database, per_minute=PER_MINUTE)
    return sum(budget.take(1).tokens for _ in range(tries))
