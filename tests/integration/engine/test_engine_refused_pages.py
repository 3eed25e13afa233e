"""A page that cannot be trusted is refused whole; a failure is never an empty success; what heals is waited for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from local.sandbox.effects.answers import Body, Html, RateLimited, Redirect, Status
from local.sandbox.effects.deliveries import Hang, Headers, Reset, Truncate
from local.sandbox.effects.detours import WrongAccount
from local.sandbox.faults import Fault
from mono_pipeline.core.run import RunStatus
from mono_pipeline.core.verdict import VERIFIED

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.sandbox.effects.base import BaseEffect
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

_ENVELOPE = {"status": "successful", "message": "", "timestamp": ""}
_META = {"total": 3, "page": 1, "previous": None, "next": None}
REFUSED: dict[str, BaseEffect] = {
    "broken JSON": Body(text='{"status": "successful", "data": [{"id"'),
    "nothing at all": Body(text=""),
    "HTML with 200": Html(),
    "the wrong content type": Headers(headers={"content-type": "text/plain"}),
    "a truncated body": Truncate(after_bytes=300),
    "a body that ends before its length": Truncate(after_bytes=300, announced="whole"),
    "a bare null": Body(document=None),
    "a failure with 200": Body(document={"status": "failed", "message": "", "data": None}),
    "no meta": Body(document={**_ENVELOPE, "data": []}),
    "a total that is no number": Body(document={**_ENVELOPE, "data": [], "meta": {**_META, "total": "3"}}),
    "a repeated key outside the rows": Body(
        text=json.dumps({**_ENVELOPE, "data": [], "meta": _META})[:-1] + ',"data":[]}'
    ),
    "204": Body(status=204, text=""),
    "a redirect": Redirect(location="https://api.withmono.com/elsewhere"),
    "a server that fails": Status(status=503),
    "an answer that never comes": Hang(),
    "a connection that is reset": Reset(after_bytes=0),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_nothing_of_a_refused_page_is_written(new_pipeline: Callable[..., Pipeline], kind: str) -> None:
    """The pages before it stay, the run fails with its reason, and the watermark does not move."""
    pipeline = new_pipeline(flush_rows=20, pages_in_flight=1)
    account = pipeline.link(transactions=60)
    first_page = _ids_of_page(pipeline, account, 1)
    pipeline.sandbox.inject(Fault(effect=REFUSED[kind], path="*/transactions", page=2, times=None))

    end = pipeline.sync(account)

    assert end.status is RunStatus.FAILED
    assert pipeline.run_row(end)["error_code"] == end.error_code is not None
    assert set(pipeline.stored(account)) == first_page
    assert pipeline.watermark(account) is None
    assert pipeline.account_row(account)["failure_streak"] == 1


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refused_first_page_is_no_empty_success(pipeline: Pipeline, kind: str) -> None:
    """The account keeps its rows, and nothing says that there are none."""
    account = pipeline.link(transactions=10, days=3)
    pipeline.sync(account)
    before = pipeline.stored(account)
    pipeline.sandbox.inject(Fault(effect=REFUSED[kind], path="*/transactions", times=None))

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == (RunStatus.FAILED, None)
    assert pipeline.stored(account) == before
    assert pipeline.witness.zero_runs == 0


def test_another_accounts_data_are_refused_whole(pipeline: Pipeline) -> None:
    """Somebody else's rows never come near this account, and nobody looks again before a person has."""
    other = pipeline.link(transactions=30)
    account = pipeline.link(transactions=60)
    pipeline.sandbox.inject(
        Fault(effect=WrongAccount(account=other), account=account, path="*/transactions", times=None)
    )

    end = pipeline.sync(account)

    assert (end.status, end.error_code) == (RunStatus.FAILED, "mono_wrong_account")
    assert pipeline.stored(account) == {}
    assert len(pipeline.page_requests(account)) == 1


def test_another_account_in_the_accounts_own_page_is_refused(pipeline: Pipeline) -> None:
    """Its balance and customer would be somebody else's."""
    other, account = pipeline.link(transactions=3), pipeline.link(transactions=3)
    pipeline.sandbox.inject(Fault(effect=WrongAccount(account=other), path=f"/v2/accounts/{account}", times=None))

    end = pipeline.sync(account)

    assert (end.status, end.error_code) == (RunStatus.FAILED, "mono_wrong_account")
    assert pipeline.stored(account) == {}


@pytest.mark.parametrize(
    "effect",
    [Status(status=500), Reset(after_bytes=0), Reset(after_bytes=400), Hang(), Html(), Truncate(after_bytes=9)],
    ids=lambda effect: f"{effect.kind}",
)
def test_a_fault_that_heals_is_waited_for(pipeline: Pipeline, effect: BaseEffect) -> None:
    """Twice wrong and then right is a complete run."""
    account = pipeline.link(transactions=60)
    pipeline.sandbox.inject(Fault(effect=effect, path="*/transactions", page=2, times=2))

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == (RunStatus.COMPLETED, VERIFIED)
    assert pipeline.stored(account) == pipeline.truth(account)
    assert [asked["page"] for asked in pipeline.page_requests(account)].count("2") == 3
    assert 0 < sum(pipeline.slept) <= 10


def test_a_fault_that_does_not_heal_is_tried_five_times_at_most(pipeline: Pipeline) -> None:
    """And no longer than ten seconds are slept away."""
    account = pipeline.link(transactions=60)
    pipeline.sandbox.inject(Fault(effect=Status(status=502), path="*/transactions", times=None))

    end = pipeline.sync(account)

    assert (end.status, end.error_code) == (RunStatus.FAILED, "mono_server_error")
    assert len(pipeline.page_requests(account)) == 5
    assert sum(pipeline.slept) <= 10


def test_all_the_sleep_of_a_run_is_ten_seconds_at_most(pipeline: Pipeline) -> None:
    """However many pages heal, the rest of the waiting is the queue's."""
    account = pipeline.link(transactions=400)
    for page in range(1, 21):
        pipeline.sandbox.inject(Fault(effect=Status(status=500), path="*/transactions", page=page, times=4))

    end = pipeline.sync(account)

    assert end.status is RunStatus.FAILED
    assert 5 < sum(pipeline.slept) <= 10


def test_what_cannot_get_better_is_not_tried_again(pipeline: Pipeline) -> None:
    """A request that Mono takes for wrong stays wrong: an hour's rest instead of four more tries."""
    account = pipeline.link(transactions=60)
    pipeline.sandbox.inject(Fault(effect=Status(status=400), path="*/transactions", times=None))

    end = pipeline.sync(account)

    assert (end.status, end.error_code) == (RunStatus.FAILED, "mono_rejected")
    assert len(pipeline.page_requests(account)) == 1
    assert 3_500 < pipeline.seconds_to_next_attempt(account) <= 3_600


def test_failures_in_a_row_are_counted_and_rested_from_longer_and_longer(pipeline: Pipeline) -> None:
    """Doubling from five minutes; a success begins anew."""
    account = pipeline.link(transactions=5)
    pipeline.sandbox.inject(Fault(effect=Status(status=502), path="*/transactions", times=None))
    rests = []
    for _ in range(4):
        pipeline.sync(account)
        rests.append(round(pipeline.seconds_to_next_attempt(account), -1))

    assert rests == [300, 600, 1_200, 2_400]
    pipeline.sandbox.clear_faults()
    pipeline.sync(account)
    assert pipeline.account_row(account)["failure_streak"] == 0


def test_a_rate_limit_that_mono_states_pauses_everybody(pipeline: Pipeline) -> None:
    """429 is about the key and not about the account: nobody calls until it is over, and the run stays open."""
    account, other = pipeline.link(transactions=60), pipeline.link(transactions=5)
    pipeline.sandbox.inject(Fault(effect=RateLimited(retry_after="120"), path="*/transactions", page=2, times=1))

    end = pipeline.sync(account)

    assert end.status is RunStatus.RUNNING
    assert end.paused is not None
    assert end.paused.seconds == pytest.approx(120, abs=1)  # less, where it is there before the next page is asked for
    pipeline.sandbox.clear_requests()
    assert pipeline.sync(other).paused is not None
    assert pipeline.sandbox.requests() == []
    pipeline.let_pass(seconds=121)
    assert pipeline.sync(other).status is RunStatus.COMPLETED
    assert pipeline.sync(account).status is RunStatus.COMPLETED
    assert pipeline.stored(account) == pipeline.truth(account)


def _ids_of_page(pipeline: Pipeline, account: str, number: int) -> set[str]:
    page = pipeline.worker.mono.transactions(
        account, window=None, page=number, limit=20, deadline=pipeline.soon(), today=pipeline.today()
    )
    return {row["id"] for row in json.loads(page.rows_json)}
