"""Whatever Mono does where nobody knows what it does, the tables equal the bank after two syncs."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.booking import LAGOS
from mono_pipeline.core.run import RunStatus
from mono_pipeline.core.verdict import VERIFIED

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

_PAGING = list(product(("honoured", "capped:7"), ("bare", "filtered"), ("shuffled", "newest_first", "oldest_first")))


@pytest.mark.parametrize("total", ["filtered", "unfiltered"])
@pytest.mark.parametrize("end", ["inclusive", "exclusive"])
@pytest.mark.parametrize("dates_cut", ["utc", "lagos"])
def test_the_tables_equal_the_bank_under_every_switch(pipeline: Pipeline, dates_cut: str, end: str, total: str) -> None:
    """Late, amended and added rows land, at the very edges of what a window covers too."""
    for number, (limit, next_link, order) in enumerate(_PAGING):
        pipeline.sandbox.set_switches(
            dates_cut=dates_cut, end=end, total=total, limit=limit, next_link=next_link, order=order
        )
        account = pipeline.link(transactions=45, days=30, stamp="midnight" if number % 2 else "instant")
        assert pipeline.sync(account).verdict == VERIFIED
        _change_the_bank(pipeline, account)

        ended = pipeline.sync(account)

        assert (ended.status, ended.verdict) == (RunStatus.COMPLETED, VERIFIED), (limit, next_link, order)
        assert pipeline.stored(account) == pipeline.truth(account), (limit, next_link, order)


def test_one_unfiltered_request_tells_for_good_that_totals_ignore_the_window(pipeline: Pipeline) -> None:
    """A bank whose totals say nothing about windows is asked once, and remembered."""
    pipeline.sandbox.set_switches(total="unfiltered")
    account = pipeline.link(transactions=60, days=60)
    pipeline.sync(account)

    first, second = (_unfiltered_requests_of_a_sync(pipeline, account) for _ in range(2))

    assert first == [{"page": "1", "limit": "1"}]
    assert second == []
    assert pipeline.account_row(account)["totals_ignore_window"] is True


def test_a_bank_whose_totals_respect_the_window_is_not_asked_again(pipeline: Pipeline) -> None:
    """Where the numbers agree there is nothing to find out."""
    account = pipeline.link(transactions=60, days=60)
    pipeline.sync(account)

    assert _unfiltered_requests_of_a_sync(pipeline, account) == []
    assert pipeline.account_row(account)["totals_ignore_window"] is False


def _change_the_bank(pipeline: Pipeline, account: str) -> None:
    watermark = pipeline.watermark(account)
    assert watermark is not None
    first_covered = datetime.combine(watermark - timedelta(days=6), time(), LAGOS)
    now = pipeline.sandbox.clock.now()
    pipeline.sandbox.add(account, instants=[first_covered, first_covered + timedelta(hours=1), now])
    pipeline.sandbox.late(account, days_ago=3)
    newest: dict[str, Any] = pipeline.sandbox.truth(account)["bank"][-1]
    pipeline.sandbox.amend(account, transaction=newest["id"], changes={"narration": "amended", "category": "fees"})


def _unfiltered_requests_of_a_sync(pipeline: Pipeline, account: str) -> list[dict[str, str]]:
    pipeline.sandbox.clear_requests()
    assert pipeline.sync(account).verdict == VERIFIED
    return [asked for asked in pipeline.page_requests(account) if "start" not in asked]
