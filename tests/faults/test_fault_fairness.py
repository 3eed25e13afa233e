"""Row L19: an account of a million rows beside hundreds of small ones, in the minutes of a clock of our own."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from statistics import quantiles
from typing import TYPE_CHECKING, Final

import pytest

from mono_pipeline.adapters.rate_budget import RateBudget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mono_pipeline.adapters.postgres import Database
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

PER_MINUTE: Final = 600
SMALL: Final = 60
WORKERS: Final = 6
ANSWER_SECONDS: Final = 0.3
CALLS: Final = 2  # the account's page and one of transactions
FLIGHTS: Final = 4  # pages that a run has in flight


@dataclass
class Minutes:
    """Time that passes only when nobody has anything to do; the database's clock is this one."""

    database: Database
    now: float = 0.0
    waiting: list[tuple[float, int, Iterator[float]]] = field(default_factory=list)
    numbers: int = 0

    def begin(self, work: Iterator[float], at: float = 0.0) -> None:
        """Let work begin at a moment; it yields when it goes on."""
        self.numbers += 1
        heapq.heappush(self.waiting, (at, self.numbers, work))

    def pass_until(self, over: Callable[[], bool]) -> None:
        """Let time pass."""
        while self.waiting and not over():
            at, _, work = heapq.heappop(self.waiting)
            if at > self.now:
                self.now = at
                self.database.rows("UPDATE minutes SET now = to_timestamp(:now)", now=1.8e9 + at)
            goes_on = next(work, None)
            if goes_on is not None:
                self.begin(work, goes_on)


def paid(minutes: Minutes, budget: RateBudget, *, background: bool) -> Iterator[float]:
    """One call: wait for a token, as a worker does, then for Mono's answer."""
    while not (grant := budget.take(1, background=background)).tokens:
        yield minutes.now + max(grant.wait_seconds, 0.001)
    yield minutes.now + ANSWER_SECONDS


def p95_delay(database: Database, *, every: float, big: bool) -> float:
    """How long small accounts wait from when they are due until they are done; one is due `every` so many seconds."""
    minutes = Minutes(database)
    database.rows("UPDATE minutes SET now = to_timestamp(1.8e9)")
    database.rows("UPDATE provider_budget SET tokens = 1000, refilled_at = pipeline_now()")
    due = [number * every for number in range(SMALL)]
    queue, delays = iter(due), list[float]()

    def budget() -> RateBudget:
        return RateBudget(database, per_minute=PER_MINUTE, monotonic=lambda: minutes.now)

    def worker() -> Iterator[float]:
        mine = budget()
        for at in queue:
            yield max(at, minutes.now)
            for _ in range(CALLS):
                yield from paid(minutes, mine, background=False)
            delays.append(minutes.now - at)

    def long_history() -> Iterator[float]:
        mine = budget()
        while True:
            yield from paid(minutes, mine, background=True)

    for _ in range(WORKERS):
        minutes.begin(worker())
    for _ in range(FLIGHTS if big else 0):
        minutes.begin(long_history())
    minutes.pass_until(lambda: len(delays) == SMALL)
    return quantiles(delays, n=20)[-1]


@pytest.mark.parametrize(("every", "how"), [(0.0, "all due at once"), (0.4, "due one by one, half the budget")])
def test_L19_a_million_rows_beside_small_accounts(
    pipeline: Pipeline, seen: Callable[[str], None], every: float, how: str
) -> None:
    """It has a queue of its own and takes what daily work leaves: small ones wait at most twice as long as alone."""
    pipeline.rows("CREATE TABLE minutes AS SELECT pipeline_now() AS now")
    pipeline.rows(
        """CREATE OR REPLACE FUNCTION pipeline_now() RETURNS timestamptz LANGUAGE sql VOLATILE
           AS $$ SELECT now FROM minutes $$"""
    )
    database = pipeline.worker.database

    alone = p95_delay(database, every=every, big=False)
    beside = p95_delay(database, every=every, big=True)

    assert beside <= 2 * alone
    seen(f"{how}: p95 {alone:.1f} s alone, {beside:.1f} s beside it")


def test_L19_a_long_history_is_not_in_the_daily_queue(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """The other half of it: workers of their own."""
    small = pipeline.link(transactions=3)
    pipeline.sync(small)
    pipeline.let_pass(hours=14)
    big = pipeline.link(transactions=500)

    pipeline.tick()

    assert [message.account_id for message in pipeline.daily.messages] == [small]
    assert [message.account_id for message in pipeline.backfill.messages] == [big]
    seen("a queue of its own")
