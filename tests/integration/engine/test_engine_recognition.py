"""Rows that come again as the last complete pass landed them are recognised, and only while nothing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects.contents import Rows
from local.sandbox.faults import Fault
from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VERIFIED, VerdictKind

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

RECOGNISE = statements("flush")["recognise_rows"]


def full_pass(pipeline: Pipeline, account: str) -> list[bool]:
    """Read all there is once more; of each flush, whether it was recognised."""
    database = pipeline.worker.database
    plain, outcomes = database.row, list[bool]()

    def watched(statement: str, **parameters: Any) -> dict[str, Any] | None:
        found = plain(statement, **parameters)
        if statement == RECOGNISE:
            outcomes.append(found is not None)
        return found

    database.row = watched  # type: ignore[method-assign]
    try:
        end = pipeline.sync(account, kind=RunKind.FULL)
    finally:
        database.row = plain  # type: ignore[method-assign]
    assert end.status is RunStatus.COMPLETED
    return outcomes


def test_what_comes_again_unchanged_is_recognised_flush_by_flush(pipeline: Pipeline) -> None:
    """All of it from the second pass on, counted as unchanged and proven like any other pass."""
    account = pipeline.link(transactions=250)
    pipeline.sync(account)

    assert full_pass(pipeline, account) == [True, True, True]

    last = pipeline.runs(account)[-1]
    assert (last["rows_seen"], last["rows_unchanged"], last["verdict"]) == (250, 250, "verified")
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_changed_row_is_found_and_the_rest_is_compared_again(pipeline: Pipeline) -> None:
    """A change voids what was known of the whole account; the pass after it knows all again."""
    account = pipeline.link(transactions=250)
    pipeline.sync(account)
    pipeline.sandbox.amend(account)

    assert not all(full_pass(pipeline, account))
    assert pipeline.stored(account) == pipeline.truth(account)
    assert full_pass(pipeline, account) == [True, True, True]


def test_a_row_that_goes_there_and_back_is_written_three_times(pipeline: Pipeline) -> None:
    """Text that was known once is not taken for known after the row had been another in between."""
    account = pipeline.link(transactions=250)
    pipeline.sync(account)
    transaction = next(iter(pipeline.truth(account)))
    first = pipeline.truth(account)[transaction][2]
    for narration in ("B", first, "B", first):
        pipeline.sandbox.amend(account, transaction=transaction, changes={"narration": narration})
        full_pass(pipeline, account)
        assert pipeline.stored(account)[transaction][2] == narration
    version = pipeline.rows("SELECT version FROM bank_transactions WHERE mono_transaction_id = :id", id=transaction)
    assert version[0]["version"] == 5


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE bank_transactions SET narration = 'somebody else' WHERE mono_transaction_id = :id",
        "DELETE FROM bank_transactions WHERE mono_transaction_id = :id",
    ],
)
def test_a_row_that_somebody_else_touched_is_put_right(pipeline: Pipeline, tampering: str) -> None:
    """Whoever writes to the table is counted: the next pass compares row by row."""
    account = pipeline.link(transactions=250)
    pipeline.sync(account)
    pipeline.rows(tampering, id=next(iter(pipeline.truth(account))))

    assert not any(full_pass(pipeline, account)[:1])
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_row_touched_between_two_flushes_of_a_pass_leaves_nothing_known(pipeline: Pipeline) -> None:
    """What an earlier flush landed is not what is stored when the pass ends; the pass after it puts it right."""
    account = pipeline.link(transactions=250)
    flush, touched = pipeline.worker.transactions.flush, list[str]()

    def flush_and_touch(run: Any, pages: Any) -> Any:
        counts = flush(run, pages)
        if not touched:
            touched.append(pipeline.rows("SELECT mono_transaction_id AS id FROM bank_transactions LIMIT 1")[0]["id"])
            other = pipeline.new_worker().database
            other.rows(
                "UPDATE bank_transactions SET narration = 'somebody else' WHERE mono_transaction_id = :id",
                id=touched[0],
            )
        return counts

    pipeline.worker.transactions.flush = flush_and_touch  # type: ignore[method-assign]
    pipeline.sync(account)
    pipeline.worker.transactions.flush = flush  # type: ignore[method-assign]

    assert pipeline.rows("SELECT count(*) AS n FROM landed_flushes")[0]["n"] == 0
    assert full_pass(pipeline, account) == [False, False, False]
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_flush_with_a_broken_row_is_never_recognised(pipeline: Pipeline) -> None:
    """Its text is not all that it held; the flushes beside it are known."""
    account = pipeline.link(transactions=250)
    broken = Rows(patched={0: {"amount": -5}})
    pipeline.sandbox.inject(Fault(effect=broken, path="*/transactions", page=1, times=None))
    pipeline.sync(account)

    assert full_pass(pipeline, account) == [True, True]
    quarantined = pipeline.rows("SELECT times_seen FROM quarantined_transactions WHERE closed_at IS NULL")
    assert [row["times_seen"] for row in quarantined] == [2]


def test_rows_without_a_currency_are_known_for_one_currency_only(pipeline: Pipeline) -> None:
    """They take the account's: the same text says something else once that is another one."""
    account = pipeline.link(transactions=50)
    pipeline.sync(account)
    pipeline.rows("UPDATE bank_accounts SET currency = 'USD'")

    assert full_pass(pipeline, account) == [False]


def test_what_is_known_of_an_account_never_outgrows_its_last_full_reading(pipeline: Pipeline) -> None:
    """Windowed passes add to it; the next full one keeps its own flushes alone."""
    account = pipeline.link(transactions=250)
    pipeline.sync(account)
    pipeline.sync(account)
    assert pipeline.rows("SELECT count(*) AS n FROM landed_flushes")[0]["n"] == 4

    full_pass(pipeline, account)

    assert pipeline.rows("SELECT count(*) AS n FROM landed_flushes")[0]["n"] == 3


def test_after_a_mismatch_every_row_is_compared_again(pipeline: Pipeline) -> None:
    """Tables that do not hold what was landed are not trusted: rows changed behind the triggers are put right."""
    account = pipeline.link(transactions=250)
    pipeline.sync(account)
    pipeline.rows("ALTER TABLE bank_transactions DISABLE TRIGGER ALL")
    pipeline.rows("UPDATE bank_transactions SET amount_minor = amount_minor + 1 WHERE id = 1")
    pipeline.rows("ALTER TABLE bank_transactions ENABLE TRIGGER ALL")

    assert full_pass(pipeline, account) == [True, True, True]
    assert pipeline.runs(account)[-1]["verdict"] == VerdictKind.MISMATCH
    assert full_pass(pipeline, account) == [False, False, False]
    assert pipeline.runs(account)[-1]["verdict"] == VERIFIED.kind
    assert pipeline.stored(account) == pipeline.truth(account)
