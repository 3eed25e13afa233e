"""Pages over a set that changes: read again three times at most, and never taken for complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.sandbox.effects.contents import EndlessPages, Meta, Rows
from local.sandbox.effects.detours import Drift, ServePage
from local.sandbox.faults import Fault
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VERIFIED, VerdictReason, unverifiable

if TYPE_CHECKING:
    from local.sandbox.effects.base import BaseEffect
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

DRIFTS: dict[str, BaseEffect] = {
    "a row is added": Drift(operation="add"),
    "a row is removed": Drift(operation="remove"),
    "the order changes": Drift(operation="reshuffle"),
    "page 1 comes again": ServePage(page=1),
}


@pytest.mark.parametrize("kind", ["a row is added", "the order changes", "page 1 comes again"])
def test_a_set_that_moved_once_is_read_again(pipeline: Pipeline, kind: str) -> None:
    """A second pass over a set that stands still is complete."""
    account = pipeline.link(transactions=90)
    pipeline.sandbox.inject(Fault(effect=DRIFTS[kind], path="*/transactions", page=3, times=1))

    end = pipeline.sync(account)

    assert end.status is RunStatus.COMPLETED
    assert pipeline.stored(account) == pipeline.truth(account)
    assert pipeline.run_row(end)["pass"] == 2
    assert pipeline.witness.names().count("mono.fetch.drifted") == 1


def test_a_row_that_went_while_it_was_read_is_kept_until_it_is_proved_gone(pipeline: Pipeline) -> None:
    """The bank's rows are all stored; the one that was read and then removed awaits evidence."""
    account = pipeline.link(transactions=90)
    pipeline.sandbox.inject(Fault(effect=DRIFTS["a row is removed"], path="*/transactions", page=3, times=1))

    end = pipeline.sync(account)

    assert end.status is RunStatus.COMPLETED
    stored, truth = pipeline.stored(account), pipeline.truth(account)
    assert truth.keys() <= stored.keys()
    assert len(stored) - len(truth) <= 1


@pytest.mark.parametrize("kind", DRIFTS)
def test_a_set_that_never_stands_still_is_incomplete(pipeline: Pipeline, kind: str) -> None:
    """Three more passes, then the run says so and the watermark stays."""
    account = pipeline.link(transactions=90, days=5)
    pipeline.sync(account)
    before = pipeline.watermark(account)
    pipeline.let_pass(days=2)
    pipeline.sandbox.add(account)
    pipeline.sandbox.clear_requests()
    pipeline.sandbox.inject(Fault(effect=DRIFTS[kind], path="*/transactions", page=2, times=None))

    end = pipeline.sync(account, kind=RunKind.FULL)

    assert (end.status, end.verdict) == (RunStatus.INCOMPLETE, unverifiable(VerdictReason.DRIFT))
    assert pipeline.run_row(end)["pass"] == 4
    assert [asked["page"] for asked in pipeline.page_requests(account)].count("2") == 4
    assert pipeline.watermark(account) == before


def test_what_drifting_passes_wrote_is_true_and_stays(pipeline: Pipeline) -> None:
    """An incomplete run keeps what it read: the next one writes only the rest."""
    account = pipeline.link(transactions=90)
    pipeline.sandbox.inject(Fault(effect=DRIFTS["a row is added"], path="*/transactions", page=2, times=None))
    pipeline.sync(account)
    pipeline.sandbox.clear_faults()

    end = pipeline.sync(account)

    assert end.verdict == VERIFIED
    assert pipeline.stored(account) == pipeline.truth(account)
    assert pipeline.run_row(end)["rows_updated"] == 0


def test_pages_without_end_are_cut_off(pipeline: Pipeline) -> None:
    """A server that always has one more page costs a bounded number of requests, and no watermark."""
    account = pipeline.link(transactions=40)
    pipeline.sandbox.inject(Fault(effect=EndlessPages(), path="*/transactions", times=None))

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == (RunStatus.INCOMPLETE, unverifiable(VerdictReason.ENDLESS_PAGES))
    assert len(pipeline.page_requests(account)) <= 2 * 2 + 10 + 1
    assert pipeline.watermark(account) is None


@pytest.mark.parametrize(
    "link",
    [
        "https://api.withmono.com/v2/accounts/{}/transactions?page=1",
        "https://elsewhere.example/v2/accounts/{}/transactions?page=2",
        "not a url",
    ],
    ids=["cyclic", "another host", "nonsense"],
)
def test_a_next_link_is_never_followed(pipeline: Pipeline, link: str) -> None:
    """Pages are asked for by number: where a link leads does not matter, only that there is one."""
    account = pipeline.link(transactions=60)
    meta = Meta(meta={"next": link.format(account)})
    pipeline.sandbox.inject(Fault(effect=meta, path="*/transactions", times=None))

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == (RunStatus.COMPLETED, VERIFIED)
    asked = [int(query["page"]) for query in pipeline.page_requests(account)]
    assert sorted(asked) == list(range(1, len(asked) + 1))


@pytest.mark.parametrize("said", [61, 59, 0])
def test_a_full_history_that_is_not_the_total_is_incomplete(pipeline: Pipeline, said: int) -> None:
    """Always, whether Mono gave fewer rows than it has, or more."""
    account = pipeline.link(transactions=60)
    pipeline.sandbox.inject(Fault(effect=Meta(meta={"total": said}), path="*/transactions", times=None))

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == (RunStatus.INCOMPLETE, unverifiable(VerdictReason.TOTAL_DIFFERS))
    assert pipeline.watermark(account) is None


def test_pages_that_end_early_are_incomplete(pipeline: Pipeline) -> None:
    """No next after page 2 of 3 is not the end of the history."""
    account = pipeline.link(transactions=60)
    pipeline.sandbox.inject(Fault(effect=Meta(meta={"next": None}), path="*/transactions", page=2, times=None))

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == (RunStatus.INCOMPLETE, unverifiable(VerdictReason.TOTAL_DIFFERS))


@pytest.mark.parametrize("total", ["filtered", "unfiltered"])
def test_a_window_that_lacks_a_row_of_a_young_account_is_incomplete(pipeline: Pipeline, total: str) -> None:
    """Where all history lies in the window, an unfiltered total that is the same proves nothing about totals."""
    pipeline.sandbox.set_switches(total=total)
    account = pipeline.link(transactions=30, days=2)
    pipeline.sync(account)
    lost = Rows(removed=[0])
    pipeline.sandbox.inject(Fault(effect=lost, path="*/transactions", page=1, times=None))

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == (RunStatus.INCOMPLETE, unverifiable(VerdictReason.TOTAL_DIFFERS))
    assert pipeline.account_row(account)["totals_ignore_window"] is False


def test_a_window_with_more_rows_than_the_total_is_never_complete(pipeline: Pipeline) -> None:
    """Also where totals are known to ignore windows: they count more rows then, never fewer."""
    pipeline.sandbox.set_switches(total="unfiltered")
    account = pipeline.link(transactions=60, days=60)
    pipeline.sync(account)
    assert pipeline.sync(account).verdict == VERIFIED
    pipeline.sandbox.inject(Fault(effect=Meta(meta={"total": 1}), path="*/transactions", times=None))

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == (RunStatus.INCOMPLETE, unverifiable(VerdictReason.TOTAL_DIFFERS))
