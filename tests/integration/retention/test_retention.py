"""What is kept is kept for the time that is written down, and nothing that still says something is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.run import RunKind
from mono_pipeline.core.verdict import VERIFIED
from mono_pipeline.usecases import maintenance
from mono_pipeline.usecases.maintenance import Maintenance
from tests.invariants import broken

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def forget(pipeline: Pipeline, seconds: float = 60) -> dict[str, Any]:
    """One run of the schedule."""
    return Maintenance(pipeline.worker.database).run(Deadline.after(seconds))


def count(pipeline: Pipeline, table: str, where: str = "true") -> int:
    """Rows of a table."""
    return int(pipeline.rows(f"SELECT count(*)::int AS n FROM {table} WHERE {where}")[0]["n"])  # noqa: S608 - ours


def test_nothing_is_forgotten_before_its_time(pipeline: Pipeline) -> None:
    """Of a pipeline that has run for a month, all is there."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    pipeline.sandbox.add(account, rows=[{"amount": -1}])
    pipeline.sync(account, kind=RunKind.FULL)
    pipeline.let_pass(days=29)
    pipeline.sync(account, kind=RunKind.FULL)

    answer = forget(pipeline)

    assert answer["unfinished"] == []
    assert set(answer["forgotten"].values()) == {0}


def test_old_runs_go_and_the_newest_stays(pipeline: Pipeline) -> None:
    """How an account stands is never forgotten, and neither is a day that was read."""
    account = pipeline.link(transactions=20)
    for _ in range(3):
        pipeline.sync(account, kind=RunKind.FULL)
    pipeline.let_pass(days=91)

    answer = forget(pipeline)

    assert (answer["forgotten"]["runs"], answer["forgotten"]["coverage"]) == (2, 2)
    assert (count(pipeline, "sync_runs"), count(pipeline, "coverage_ledger")) == (1, 1)
    assert pipeline.sync(account).verdict == VERIFIED
    assert broken(pipeline.worker.database) == []


def test_a_day_that_only_an_old_run_read_stays_read(pipeline: Pipeline) -> None:
    """The ledger forgets a reading only when a later one covers all of it."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account, kind=RunKind.FULL)
    pipeline.let_pass(days=91)
    pipeline.sync(account)  # a window of a few days

    assert forget(pipeline)["forgotten"]["coverage"] == 0


def test_raw_rows_are_kept_while_they_matter(pipeline: Pipeline) -> None:
    """A quarantined row's text goes 90 days after it was closed, and one that is open stays."""
    account = pipeline.link(transactions=20)
    pipeline.sandbox.add(account, rows=[{"amount": -1}, {"amount": -2}])
    pipeline.sync(account, kind=RunKind.FULL)
    pipeline.rows(
        "UPDATE quarantined_transactions SET closed_at = pipeline_now() "
        "WHERE id = (SELECT min(id) FROM quarantined_transactions)"
    )
    pipeline.let_pass(days=91)

    assert forget(pipeline)["forgotten"]["closed quarantine"] == 1
    assert count(pipeline, "quarantined_transactions", "closed_at IS NULL") == 1

    pipeline.let_pass(days=310)
    assert forget(pipeline)["forgotten"]["quarantine not seen"] == 1


def test_what_is_not_done_in_time_is_said(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """In steps, and without a step that could be cut off in the middle."""
    account = pipeline.link(transactions=20)
    for _ in range(4):
        pipeline.sync(account, kind=RunKind.FULL)
    pipeline.let_pass(days=91)

    assert set(forget(pipeline, seconds=1)["unfinished"]) >= {"runs", "coverage"}
    assert count(pipeline, "sync_runs") == 4

    monkeypatch.setattr(maintenance, "ROWS_AT_ONCE", 1)
    assert forget(pipeline)["forgotten"]["runs"] == 3
