"""Not yet is not nothing: an account whose data Mono does not have is incomplete, never empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.sandbox.effects.contents import NullRows
from local.sandbox.faults import Fault
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VERIFIED, VerdictReason, unverifiable
from tests.fetching_anew import FetchingAnew

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

NOT_READY = (RunStatus.INCOMPLETE, unverifiable(VerdictReason.NOT_READY))


@pytest.mark.parametrize("data_status", ["PROCESSING", "UNAVAILABLE", "FAILED", "processing"])
def test_an_empty_page_before_the_data_are_ready_is_not_an_empty_history(pipeline: Pipeline, data_status: str) -> None:
    """The run is incomplete, is tried again at the next tick, and completes once the data are there."""
    account = str(pipeline.sandbox.link_account(transactions=30)["id"])
    pipeline.sandbox.set_data_status(account, data_status=data_status, retrieved_data=[])
    pipeline.import_account(account)

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == NOT_READY
    assert pipeline.watermark(account) is None
    assert pipeline.witness.zero_runs == 0
    assert 0 < pipeline.seconds_to_next_attempt(account) <= 300
    pipeline.sandbox.set_data_status(account, data_status="AVAILABLE")
    assert pipeline.sync(account).verdict == VERIFIED
    assert pipeline.stored(account) == pipeline.truth(account)


@pytest.mark.parametrize("read_before", [True, False])
def test_an_empty_page_of_an_account_that_was_ready_before_it_is_asked_about(
    pipeline: Pipeline, *, read_before: bool
) -> None:
    """That it was ready when the run began says nothing of a page read later: its first row came meanwhile."""
    account = pipeline.link(transactions=0)
    if read_before:
        assert pipeline.sync(account).verdict == VERIFIED
    pipeline.sandbox.add(account, count=1)

    end = pipeline.sync(account, worker=pipeline.new_worker(FetchingAnew(pipeline.sandbox)))

    assert (end.status, end.verdict) == NOT_READY
    pipeline.sandbox.set_data_status(account, data_status="AVAILABLE")
    assert pipeline.sync(account).verdict == VERIFIED
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_balance_without_transactions_is_not_ready(pipeline: Pipeline) -> None:
    """PARTIAL says what was retrieved; a domiciliary account's transactions were not."""
    account = str(pipeline.sandbox.link_account(transactions=30)["id"])
    pipeline.sandbox.set_data_status(account, data_status="PARTIAL")
    pipeline.import_account(account)

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == NOT_READY


def test_rows_that_come_while_mono_is_still_processing_land_and_prove_nothing(pipeline: Pipeline) -> None:
    """Half a first history must not set the watermark: what follows it may be older than any overlap."""
    account = pipeline.link(transactions=30, days=60)
    pipeline.sandbox.set_data_status(account, data_status="PROCESSING", retrieved_data=["transactions"])

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == NOT_READY
    assert len(pipeline.stored(account)) == 30
    assert pipeline.watermark(account) is None
    assert pipeline.account_row(account)["last_full_read_at"] is None


def test_null_in_the_place_of_rows_is_not_ready(pipeline: Pipeline) -> None:
    """`data: null` is no page at all."""
    account = pipeline.link(transactions=30, days=5)
    pipeline.sandbox.set_null_rows(account, is_null=True)

    assert (end := pipeline.sync(account)).verdict == NOT_READY[1], end
    pipeline.sandbox.set_null_rows(account, is_null=False)
    assert pipeline.sync(account).verdict == VERIFIED
    assert pipeline.stored(account) == pipeline.truth(account)


def test_null_in_the_middle_of_a_pass_is_not_ready(pipeline: Pipeline) -> None:
    """A later page that is none ends the pass without a conclusion."""
    account = pipeline.link(transactions=90, days=5)
    pipeline.sync(account)
    before = pipeline.watermark(account)
    pipeline.sandbox.inject(Fault(effect=NullRows(), path="*/transactions", page=3, times=1))

    end = pipeline.sync(account, kind=RunKind.FULL)

    assert (end.status, end.verdict) == NOT_READY
    assert pipeline.watermark(account) == before


def test_an_account_that_really_is_empty_completes(pipeline: Pipeline) -> None:
    """Ready and empty is a history without rows; it is counted, for a bank that suddenly shows nothing looks so too."""
    account = pipeline.link(transactions=0)

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == (RunStatus.COMPLETED, VERIFIED)
    assert pipeline.witness.zero_runs == 1
