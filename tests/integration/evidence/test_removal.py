"""Rows that the bank no longer shows: two independent absences make one disappear, and nothing is ever deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mono_pipeline.core.run import RunKind
from mono_pipeline.core.verdict import VERIFIED, VerdictReason, unverifiable

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

PENDING = unverifiable(VerdictReason.REMOVAL_PENDING)


def full(pipeline: Pipeline, account: str) -> object:
    """The verdict of a reading of the whole history."""
    return pipeline.sync(account, kind=RunKind.FULL).verdict


def take_one_out(pipeline: Pipeline, account: str) -> str:
    """The bank takes a row out of the middle of its book; the row's id."""
    middle = sorted(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])[20]["id"]
    pipeline.sandbox.remove(account, transactions=[middle])
    return str(middle)


def test_one_absence_is_no_proof(pipeline: Pipeline) -> None:
    """The row stays, and the verdict says that a removal is pending."""
    account = pipeline.link(transactions=40)
    pipeline.sync(account)
    gone = take_one_out(pipeline, account)

    assert full(pipeline, account) == PENDING
    assert gone in pipeline.stored(account)


def test_a_second_absence_of_the_same_cached_copy_is_the_same_evidence(pipeline: Pipeline) -> None:
    """An hour later Mono may have shown us the very same copy."""
    account = pipeline.link(transactions=40)
    pipeline.sync(account)
    gone = take_one_out(pipeline, account)
    full(pipeline, account)
    pipeline.let_pass(hours=1)

    assert full(pipeline, account) == PENDING
    assert gone in pipeline.stored(account)


def test_a_second_absence_a_day_later_makes_the_row_disappear(pipeline: Pipeline) -> None:
    """It is superseded by a version that says so, is out of the totals, and the data are verified again."""
    account = pipeline.link(transactions=40)
    pipeline.sync(account)
    gone = take_one_out(pipeline, account)
    full(pipeline, account)
    pipeline.let_pass(hours=24)

    assert full(pipeline, account) == VERIFIED
    assert pipeline.stored(account) == pipeline.truth(account)
    kept = pipeline.rows(
        "SELECT version, disappeared_at FROM bank_transactions WHERE mono_transaction_id = :id", id=gone
    )
    assert kept[0]["version"] == 2
    assert kept[0]["disappeared_at"] is not None
    assert pipeline.rows("SELECT FROM canonical_bank_transactions WHERE transaction_id = :id", id=gone) == []
    assert pipeline.rows("SELECT FROM removal_evidence") == []


def test_fresh_bank_data_make_the_second_absence_evidence_at_once(pipeline: Pipeline) -> None:
    """After `fresh_as_of` rose the copy cannot be the same one."""
    account = pipeline.link(transactions=40)
    pipeline.sync(account)
    gone = take_one_out(pipeline, account)
    full(pipeline, account)
    pipeline.rows("UPDATE bank_accounts SET fresh_as_of = pipeline_now()")

    assert full(pipeline, account) == VERIFIED
    assert gone not in pipeline.stored(account)


def test_a_row_that_is_shown_again_is_restored_as_a_new_version(pipeline: Pipeline) -> None:
    """Gone and back: three versions without a gap, and the row counts again."""
    account = pipeline.link(transactions=40, balances="null")
    pipeline.sync(account)
    row = sorted(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])[20]
    put_back = pipeline.take_out(account, row["id"])
    full(pipeline, account)
    pipeline.let_pass(hours=25)
    full(pipeline, account)
    put_back()

    full(pipeline, account)

    versions = pipeline.rows(
        "SELECT version, disappeared_at FROM transaction_versions WHERE mono_transaction_id = :id ORDER BY version",
        id=row["id"],
    )
    assert [(kept["version"], kept["disappeared_at"] is None) for kept in versions] == [
        (1, True),
        (2, False),
        (3, True),
    ]
    assert row["id"] in pipeline.stored(account)


def test_a_row_that_is_shown_again_in_between_starts_afresh(pipeline: Pipeline) -> None:
    """Absent, present, absent: the first absence no longer counts."""
    account = pipeline.link(transactions=40, balances="null")
    pipeline.sync(account)
    row = sorted(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])[20]
    put_back = pipeline.take_out(account, row["id"])
    full(pipeline, account)
    put_back()
    full(pipeline, account)
    pipeline.sandbox.remove(account, transactions=[row["id"]])
    pipeline.let_pass(hours=25)

    assert full(pipeline, account) == PENDING
    assert row["id"] in pipeline.stored(account)


@pytest.mark.parametrize("share", ["a fifth and more", "the oldest days"])
def test_a_history_that_shrinks_is_an_anomaly_and_never_a_removal(pipeline: Pipeline, share: str) -> None:
    """However often it is read and however much time passes, no row disappears."""
    account = pipeline.link(transactions=40)
    pipeline.sync(account)
    by_date = sorted(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])
    some = [row["id"] for row in (by_date[:3] if share == "the oldest days" else by_date[10:20])]
    pipeline.sandbox.remove(account, transactions=some)

    for _ in range(3):
        assert full(pipeline, account) == unverifiable(VerdictReason.HISTORY_TRUNCATED)
        pipeline.let_pass(hours=30)

    assert set(some) <= set(pipeline.stored(account))


def test_an_empty_answer_from_an_account_with_history_is_never_evidence(pipeline: Pipeline) -> None:
    """It is suspicious, three times over."""
    account = pipeline.link(transactions=40)
    pipeline.sync(account)
    pipeline.sandbox.remove(account, transactions=list(pipeline.stored(account)))

    for _ in range(3):
        assert full(pipeline, account) == unverifiable(VerdictReason.SUSPICIOUS_EMPTY)
        pipeline.let_pass(hours=30)

    assert len(pipeline.stored(account)) == 40


def test_days_that_a_pass_does_not_cover_are_not_evidence(pipeline: Pipeline) -> None:
    """An incremental pass says nothing of a row that is older than its window."""
    account = pipeline.link(transactions=40, days=90)
    pipeline.sync(account)
    oldest = min(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])["id"]
    pipeline.sandbox.remove(account, transactions=[oldest], rerun_balances=False)

    pipeline.sync(account)
    pipeline.let_pass(hours=30)
    pipeline.sync(account)

    assert oldest in pipeline.stored(account)
    assert pipeline.rows("SELECT FROM removal_evidence") == []
