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


def test_what_mono_told_is_kept_for_its_time_and_what_waits_is_kept(pipeline: Pipeline) -> None:
    """The inbox is what a second delivery is known by; an event that nobody could place yet is not forgotten."""
    pipeline.rows(
        """INSERT INTO webhook_inbox (event_key, kind, mono_account_id, received_at, effect, retry_at, correlation_id)
           SELECT 'event:' || effect || '-' || days, 'updated', repeat('a', 24),
                  pipeline_now() - make_interval(days => days), effect,
                  CASE effect WHEN 'waiting' THEN pipeline_now() END, 'c-old'
             FROM unnest(ARRAY['noted', 'waiting']) AS effect, unnest(ARRAY[179, 181]) AS days"""
    )

    assert forget(pipeline)["forgotten"]["webhooks"] == 1
    left = {row["event_key"] for row in pipeline.rows("SELECT event_key FROM webhook_inbox")}
    assert left == {"event:noted-179", "event:waiting-179", "event:waiting-181"}


def test_the_books_on_dead_letters_are_kept_for_their_time(pipeline: Pipeline) -> None:
    """What was taken off the queue undone, half a year; who did so, as long as any of it is there, and over a year."""
    actions = {"old": 401, "old but its letter is kept": 401, "of this year": 399, "never ended": None}
    for number, (name, days) in enumerate(actions.items()):
        pipeline.rows(
            """INSERT INTO dead_letter_actions (action_id, action, dry_run, forced, filter, asked_by, correlation_id,
                                                started_at, finished_at)
               VALUES (CAST(:id AS uuid), 'purge', false, false, '{}', :name, 'c-old',
                       pipeline_now() - interval '500 days',
                       pipeline_now() - make_interval(days => CAST(:days AS integer)))""",
            id=f"00000000-0000-0000-0000-{number:012}",
            name=name,
            days=days,
        )
    pipeline.rows(
        """INSERT INTO dead_letter_archive (message_id, type, reason, body, body_length, receives, replays, sent_at,
                                            archived_at, archived_as, action_id)
           SELECT 'archived-' || days, 'fetch_failed', 'failed', '{}', 2, 1, 0, pipeline_now(),
                  pipeline_now() - make_interval(days => days), 'purged', a.action_id
             FROM dead_letter_actions a
             JOIN (VALUES ('old but its letter is kept', 179), ('of this year', 181)) AS v (name, days)
               ON v.name = a.asked_by"""
    )
    pipeline.rows(
        """INSERT INTO quarantined_messages (message_id, queue, reason, body, body_length, receives, sent_at,
                                             received_at)
           SELECT 'unreadable-' || days, 'daily', 'no JSON', '{', 1, 1, pipeline_now(),
                  pipeline_now() - make_interval(days => days)
             FROM unnest(ARRAY[89, 91]) AS days"""
    )

    forgotten = forget(pipeline)["forgotten"]

    assert {name: rows for name, rows in forgotten.items() if rows} == {
        "archived dead letters": 1,
        "unreadable messages": 1,
        "dead letter actions": 1,
    }
    kept = {row["asked_by"] for row in pipeline.rows("SELECT asked_by FROM dead_letter_actions")}
    assert kept == set(actions) - {"old"}
    assert pipeline.rows("SELECT message_id FROM dead_letter_archive") == [{"message_id": "archived-179"}]
    assert pipeline.rows("SELECT message_id FROM quarantined_messages") == [{"message_id": "unreadable-89"}]
