"""What judges a soak sees what it is there to see: rows lost, kept too long or altered, and versions that turn back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from mono_pipeline.core.run import RunKind
from mono_pipeline.core.verdict import VerdictReason
from tests.chaos.always import not_as_always
from tests.chaos.order import Version, out_of_order, turns_back
from tests.chaos.reckoning import Kind, differences

if TYPE_CHECKING:
    from tests.chaos.bank import Contents
    from tests.harness import Pipeline

RUN, OTHER = UUID(int=1), UUID(int=2)
A: Contents = (100, "debit", "RENT", None, 900, None)
B: Contents = (100, "debit", "RENT (AMENDED)", None, 900, None)
C: Contents = (100, "debit", "RENT (AMENDED) (AMENDED)", None, 900, None)


@pytest.fixture
def account(pipeline: Pipeline) -> str:
    """An account that was read once, whole."""
    linked = pipeline.link(transactions=12)
    pipeline.sync(linked, kind=RunKind.FULL)
    return linked


def found(pipeline: Pipeline, account: str) -> dict[str, Kind]:
    """What the reckoning says of each row that differs."""
    rows = differences(pipeline.worker.database, account, pipeline.sandbox.truth(account)["bank"])
    return {row.transaction: row.kind for row in rows}


@pytest.mark.integration
def test_what_is_the_banks_differs_in_nothing(pipeline: Pipeline, account: str) -> None:
    """A reading of an honest bank has nothing to reckon."""
    assert found(pipeline, account) == {}


@pytest.mark.integration
@pytest.mark.parametrize(
    ("kind", "harm"),
    [
        (Kind.LOST, "UPDATE bank_transactions SET disappeared_at = now() WHERE mono_transaction_id = :id"),
        (Kind.OTHER, "UPDATE bank_transactions SET amount_minor = amount_minor + 1 WHERE mono_transaction_id = :id"),
        (Kind.OTHER, "UPDATE bank_transactions SET category = 'food' WHERE mono_transaction_id = :id"),
    ],
)
def test_a_row_that_was_spoilt_differs(pipeline: Pipeline, account: str, kind: Kind, harm: str) -> None:
    """One row, whatever of it is not the bank's."""
    spoilt = sorted(pipeline.truth(account))[3]
    pipeline.rows(harm, id=spoilt)

    assert found(pipeline, account) == {spoilt: kind}


@pytest.mark.integration
def test_a_row_that_the_bank_took_back_differs_and_tells_its_story(pipeline: Pipeline, account: str) -> None:
    """Its versions, the absence that is not yet proof, and the runs with their verdicts."""
    gone = sorted(pipeline.truth(account))[6]
    pipeline.sandbox.remove(account, transactions=[gone])
    pipeline.sync(account, kind=RunKind.FULL)

    (difference,) = differences(pipeline.worker.database, account, pipeline.sandbox.truth(account)["bank"])

    assert (difference.transaction, difference.kind) == (gone, Kind.EXTRA)
    story = "\n".join(difference.history)
    assert "version: version 1" in story
    assert "removal pending: first_missed_at" in story
    assert "verdict_reason removal_pending" in story


@pytest.mark.integration
def test_an_oldest_row_that_the_bank_takes_back_is_kept_under_a_verdict_that_says_so(
    pipeline: Pipeline, account: str
) -> None:
    """That is a bank that shortened its history, however often it is read: why a soak's bank takes back no such row."""
    oldest = min(pipeline.sandbox.truth(account)["bank"], key=lambda row: str(row["date"]))["id"]
    pipeline.sandbox.remove(account, transactions=[oldest])

    for _ in range(3):
        end = pipeline.sync(account, kind=RunKind.FULL)
        pipeline.let_pass(days=8)

    assert end.verdict is not None
    assert end.verdict.reason == VerdictReason.HISTORY_TRUNCATED
    assert found(pipeline, account) == {oldest: Kind.EXTRA}


@pytest.mark.integration
def test_a_flush_behind_the_end_of_its_run_is_seen(pipeline: Pipeline, account: str) -> None:
    """That is a worker which had lost its lease and wrote all the same."""
    assert not_as_always(pipeline.worker.database) == []
    pipeline.rows(
        """INSERT INTO sync_flushes (run_id, pass, first_page, last_page, rows_read, lowest_total, highest_total, ids,
             rejected_ids, days, counts, credits, debits)
           VALUES (:run, 1, 1, 1, 0, 0, 0, '{}', '{}', '{}', '{}', '{}', '{}')""",
        run=pipeline.runs(account)[0]["run_id"],
    )

    assert any(problem.startswith("a flush of a run") for problem in not_as_always(pipeline.worker.database))


@pytest.mark.integration
def test_a_mismatch_is_seen(pipeline: Pipeline, account: str) -> None:
    """No run may say so of a bank that tells the truth."""
    run = pipeline.runs(account)[0]["run_id"]
    pipeline.rows("UPDATE sync_runs SET verdict = 'mismatch' WHERE run_id = :run", run=run)

    assert any(problem.startswith("a mismatch") for problem in not_as_always(pipeline.worker.database))


@pytest.mark.integration
def test_a_version_that_nobody_showed_is_out_of_order(pipeline: Pipeline, account: str) -> None:
    """Even where the row itself has long been put right."""
    shown = {(account, key): [contents] for key, contents in pipeline.truth(account).items()}
    assert out_of_order(pipeline.worker.database, shown) == []
    spoilt = sorted(pipeline.truth(account))[3]
    pipeline.rows("UPDATE bank_transactions SET narration = 'x' WHERE mono_transaction_id = :id", id=spoilt)
    pipeline.sync(account, kind=RunKind.FULL)

    (problem,) = out_of_order(pipeline.worker.database, shown)

    assert found(pipeline, account) == {}
    assert problem.startswith(f"{spoilt} of {account}: the bank never showed")


def version(contents: Contents, *, run: UUID = RUN, drifted: bool = False) -> Version:
    """What a run stored."""
    return Version(run, drifted, contents)


@pytest.mark.parametrize(
    "versions",
    [
        [],
        [version(A), version(B, run=OTHER), version(C)],
        [version(A), version(C)],
        [version(B), version(B, run=OTHER)],  # it disappeared and came back
        [version(B), version(A, drifted=True), version(C)],  # two pages of one run, fetched together
    ],
)
def test_versions_that_follow_the_bank_are_in_order(versions: list[Version]) -> None:
    """They may leave out what the bank showed between two readings."""
    assert turns_back(versions, [A, B, C]) is None


@pytest.mark.parametrize(
    ("versions", "problem"),
    [
        ([version(A), version(B, run=OTHER), version(A)], "again"),  # a worker that had read it long ago
        ([version(B), version(A), version(C)], "again"),  # and that works on the run that another has taken up
        ([version(B), version(A, run=OTHER, drifted=True), version(C)], "again"),
        ([version(A), version((1, "debit", "?", None, 0, None))], "never showed"),
    ],
)
def test_versions_that_turn_back_or_come_from_nowhere_are_not(versions: list[Version], problem: str) -> None:
    """A reading in full would hide them: the last version is the bank's."""
    assert problem in str(turns_back(versions, [A, B, C]))


def test_what_the_bank_showed_twice_may_be_stored_twice() -> None:
    """A balance that moved and moved back."""
    assert turns_back([version(A), version(B), version(A)], [A, B, A]) is None
