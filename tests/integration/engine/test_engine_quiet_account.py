"""Four weeks of an account on which little happens: nothing is read that need not be, and nothing is missed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

ROWS = 140
WEEKS = 4
TURN_HOURS = 15  # longer than the interval with its jitter: each turn finds the account due
WRITES = """
SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::int AS writes FROM pg_stat_user_tables
WHERE relname IN ('bank_transactions', 'bank_transaction_versions')
"""


def turns(pipeline: Pipeline, number: int) -> None:
    """Let the schedule fire and workers serve what it asks for, so many times."""
    for _ in range(number):
        pipeline.let_pass(hours=TURN_HOURS)
        pipeline.tick()
        pipeline.drain()


def kinds(pipeline: Pipeline) -> Counter[str]:
    """How often what was read."""
    return Counter(row["kind"] for row in pipeline.rows("SELECT kind FROM sync_runs WHERE status = 'completed'"))


def test_of_a_quiet_account_the_newest_days_are_read_and_once_a_week_everything(pipeline: Pipeline) -> None:
    """A page at each turn, the whole history every seven days, and not a row is written twice."""
    account = pipeline.link(transactions=ROWS, days=90)
    turns(pipeline, 1)
    before = written(pipeline)
    pages = len(pipeline.page_requests(account))
    assert pages >= ROWS // 20

    turns(pipeline, WEEKS * 7 * 24 // TURN_HOURS)

    runs = kinds(pipeline)
    assert runs["full"] == 1 + WEEKS - 1  # the first one, and one a week since
    assert runs["incremental"] > WEEKS * 7
    asked = pipeline.page_requests(account)[pages:]
    whole = [request for request in asked if "start" not in request]
    assert len(asked) - len(whole) == runs["incremental"]  # nothing is in the window but a page
    assert len(whole) == (WEEKS - 1) * (ROWS // 20)
    assert written(pipeline) == before


def test_one_late_row_in_four_quiet_weeks_is_not_missed(pipeline: Pipeline) -> None:
    """Within the overlap the next turn has it; long before it, the week's reading of everything."""
    account = pipeline.link(transactions=ROWS, days=90)
    turns(pipeline, 2 * 7 * 24 // TURN_HOURS)
    newest = pipeline.watermark(account)
    assert newest is not None
    since = (pipeline.today() - newest).days

    pipeline.sandbox.late(account, days_ago=since + 3)
    turns(pipeline, 1)
    assert pipeline.stored(account) == pipeline.truth(account)

    pipeline.sandbox.late(account, days_ago=since + 40)
    turns(pipeline, 7 * 24 // TURN_HOURS + 1)
    assert pipeline.stored(account) == pipeline.truth(account)


def test_the_ledger_has_a_row_for_each_reading_and_none_for_a_day(pipeline: Pipeline) -> None:
    """Ninety days of history and fourteen of readings are as many rows as readings."""
    pipeline.link(transactions=ROWS, days=90)

    turns(pipeline, 14)

    kept = pipeline.rows("SELECT run_id FROM coverage_ledger")
    assert len(kept) == len({row["run_id"] for row in kept}) == sum(kinds(pipeline).values()) == 14


def written(pipeline: Pipeline) -> int:
    """How often a row of transactions or of their history was written."""
    pipeline.rows("SELECT pg_stat_force_next_flush()")
    return int(pipeline.rows(WRITES)[0]["writes"])
