"""Ids: twins both live, re-minted ones raise a suspicion, and only a person decides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from mono_pipeline.adapters.suspicion_store import SuspicionStore
from mono_pipeline.core.run import RunKind
from mono_pipeline.core.verdict import VERIFIED, VerdictReason, unverifiable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

SUSPECTED = unverifiable(VerdictReason.DUPLICATE_SUSPECTED)


def full(pipeline: Pipeline, account: str) -> object:
    """The verdict of a reading of the whole history."""
    return pipeline.sync(account, kind=RunKind.FULL).verdict


def in_view(pipeline: Pipeline) -> set[str]:
    """The ids that count."""
    return {row["transaction_id"] for row in pipeline.rows("SELECT transaction_id FROM canonical_bank_transactions")}


def suspicions(pipeline: Pipeline) -> SuspicionStore:
    """The open questions."""
    return SuspicionStore(pipeline.worker.database)


class Reminted(NamedTuple):
    """An account of which one row has come under another id; `put_back` makes the bank show the old one as well."""

    account: str
    row: dict[str, Any]
    again: dict[str, Any]
    put_back: Callable[[], None]


def reminted_one(pipeline: Pipeline, *, nth: int = 15) -> Reminted:
    """Its `nth` oldest row, which is under suspicion now."""
    account = pipeline.link(transactions=30, balances="null")
    row = sorted(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])[nth]
    _, again = pipeline.sandbox.twin(account, transaction=row["id"])
    show_both = pipeline.take_out(account, again["id"])
    pipeline.sync(account)
    show_both()
    put_back = pipeline.take_out(account, row["id"])
    assert full(pipeline, account) == SUSPECTED
    return Reminted(account, row, again, put_back)


def test_two_real_twins_both_live(pipeline: Pipeline) -> None:
    """Same day, amount, direction, narration and balance, two ids: two transactions."""
    account = pipeline.link(transactions=30)
    pipeline.sync(account)
    pipeline.sandbox.twin(account)

    assert full(pipeline, account) == VERIFIED
    assert pipeline.stored(account) == pipeline.truth(account)
    assert suspicions(pipeline).page(account=None, every=True) == []


def test_a_twin_whose_brother_goes_is_no_suspect(pipeline: Pipeline) -> None:
    """They were shown together once: the one that stays cannot be the other under a new id."""
    account = pipeline.link(transactions=30, balances="null")
    pipeline.sync(account)
    old, _twin = pipeline.sandbox.twin(account)
    full(pipeline, account)
    pipeline.sandbox.remove(account, transactions=[old["id"]])

    assert full(pipeline, account) == unverifiable(VerdictReason.REMOVAL_PENDING)
    assert suspicions(pipeline).page(account=None, every=True) == []


def test_reminted_ids_raise_a_suspicion_for_each_pair_and_count_once(pipeline: Pipeline) -> None:
    """Nothing is merged or dropped; the new ids are out of the totals until somebody decides."""
    account = pipeline.link(transactions=30)
    pipeline.sync(account)
    old = set(pipeline.stored(account))
    pipeline.sandbox.remint(account)

    assert full(pipeline, account) == SUSPECTED
    pairs = suspicions(pipeline).page(account=account, every=False)
    assert {pair["old_id"] for pair in pairs} == old
    assert {pair["new_id"] for pair in pairs} == set(pipeline.truth(account))
    assert in_view(pipeline) == old
    assert len(pipeline.stored(account)) == 60


def test_the_old_side_of_an_open_suspicion_never_disappears_by_itself(pipeline: Pipeline) -> None:
    """No pass is evidence against it, however much time passes."""
    account = pipeline.link(transactions=30)
    pipeline.sync(account)
    old = set(pipeline.stored(account))
    pipeline.sandbox.remint(account)

    for _ in range(3):
        assert full(pipeline, account) == SUSPECTED
        pipeline.let_pass(hours=30)

    assert in_view(pipeline) == old


def test_accept_makes_the_new_id_the_transaction(pipeline: Pipeline) -> None:
    """The old rows are superseded, the new ones count, and the data are verified."""
    account = pipeline.link(transactions=30)
    pipeline.sync(account)
    pipeline.sandbox.remint(account)
    full(pipeline, account)

    for pair in suspicions(pipeline).page(account=account, every=False):
        assert suspicions(pipeline).decide(pair["id"], same=True, decided_by="test")

    assert pipeline.stored(account) == pipeline.truth(account)
    assert in_view(pipeline) == set(pipeline.truth(account))
    assert full(pipeline, account) == VERIFIED


def test_reject_makes_both_real_and_the_old_one_a_matter_of_evidence(pipeline: Pipeline) -> None:
    """Both count at once; the old one disappears only after two independent absences."""
    account, row, again, _ = reminted_one(pipeline)
    (pair,) = suspicions(pipeline).page(account=account, every=False)

    assert suspicions(pipeline).decide(pair["id"], same=False, decided_by="test")

    assert {row["id"], again["id"]} <= in_view(pipeline)
    assert full(pipeline, account) == unverifiable(VerdictReason.REMOVAL_PENDING)
    pipeline.let_pass(hours=25)
    full(pipeline, account)
    assert row["id"] not in in_view(pipeline)


def test_a_pass_that_shows_both_ids_answers_the_question(pipeline: Pipeline) -> None:
    """They are two transactions, and nobody has to say so."""
    account, row, again, put_back = reminted_one(pipeline)
    put_back()

    assert full(pipeline, account) != SUSPECTED
    (pair,) = suspicions(pipeline).page(account=account, every=True)
    assert (pair["status"], pair["decided_by"]) == ("rejected", "pipeline: both are shown")
    assert {row["id"], again["id"]} <= in_view(pipeline)


def test_a_question_of_days_that_were_not_read_stays_open(pipeline: Pipeline) -> None:
    """What a window shows agrees with the tables, and the account is not verified for it."""
    account, *_ = reminted_one(pipeline, nth=0)

    assert pipeline.sync(account).verdict == SUSPECTED
    (pair,) = suspicions(pipeline).page(account=account, every=False)
    assert pipeline.runs(account)[-1]["window_start"] > pair["booking_date"]


def test_a_question_is_decided_once(pipeline: Pipeline) -> None:
    """A second decision changes nothing and says so."""
    account = pipeline.link(transactions=30)
    pipeline.sync(account)
    pipeline.sandbox.remint(account)
    full(pipeline, account)
    pair = suspicions(pipeline).page(account=account, every=False)[0]
    suspicions(pipeline).decide(pair["id"], same=False, decided_by="test")

    assert not suspicions(pipeline).decide(pair["id"], same=True, decided_by="test")
    assert pair["old_id"] in in_view(pipeline)
