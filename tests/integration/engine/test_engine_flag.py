"""The flag over the engine: off stops at the next flush, nothing is lost, on again goes on from where the data are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from local.sandbox.transport import SandboxTransport
from mono_pipeline.core.errors import AccountUnknown
from mono_pipeline.core.run import RunStatus
from mono_pipeline.core.verdict import VERIFIED
from mono_pipeline.usecases.sync_request import SyncAsked, SyncRequest
from mono_pipeline.usecases.wake_up import Served

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from mono_pipeline.usecases.collaborators import Collaborators
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

UNKNOWN = "0" * 24


class _OffBefore(SandboxTransport):
    """Somebody turns the flag off just before a page is answered."""

    def __init__(self, pipeline: Pipeline, page: int, value: str) -> None:
        super().__init__(pipeline.sandbox)
        self._pipeline, self._page, self._value = pipeline, str(page), value

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, after the flag is off."""
        if request.url.path.endswith("/transactions") and request.url.params["page"] == self._page:
            self._pipeline.ssm.set(self._value)
        return super().handle_request(request)


@pytest.mark.parametrize("value", ["false", "flase", '{"enabled": true, "percentage": 0}'])
def test_off_in_the_middle_stops_at_the_next_flush(new_pipeline: Callable[..., Pipeline], value: str) -> None:
    """What was read is kept, the rest is not asked for, and on again the account completes."""
    pipeline = new_pipeline(flush_rows=40, pages_in_flight=1)
    account = pipeline.link(transactions=200)
    worker = pipeline.new_worker(_OffBefore(pipeline, 3, value))

    end = pipeline.sync(account, worker=worker)

    assert (end.status, end.verdict) == (RunStatus.STOPPED, None)
    assert len(pipeline.stored(account)) == 80
    assert len(pipeline.page_requests(account)) == 4
    assert pipeline.watermark(account) is None
    assert 0 < pipeline.seconds_to_next_attempt(account) <= 300
    pipeline.ssm.set("true")
    assert pipeline.sync(account).verdict == VERIFIED
    assert pipeline.stored(account) == pipeline.truth(account)


def test_off_for_everyone_needs_no_database(pipeline: Pipeline) -> None:
    """Nor does it tell whether an account exists; the answer says what the flag is and how to turn it on."""
    pipeline.ssm.set("false")

    answer = SyncRequest(flag=pipeline.worker.flag, observer=pipeline.witness, connect=_never).ask(  # type: ignore[arg-type]
        SyncAsked(account_id=UNKNOWN, window=None, correlation_id="c"), pipeline.soon()
    )

    assert answer.status == "deferred"
    assert answer.guidance is not None
    assert answer.guidance.parameter == "/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED"
    assert UNKNOWN in answer.guidance.enable[0]
    assert pipeline.witness.names() == ["mono.flag.decided", "mono.pipeline.deferred"]


def test_an_unknown_account_is_unknown_before_it_is_deferred(pipeline: Pipeline) -> None:
    """On for somebody: then the account is looked up first."""
    pipeline.ssm.set(json.dumps({"enabled": True, "allow": ["f" * 24]}))

    with pytest.raises(AccountUnknown):
        pipeline.ask(UNKNOWN)


def test_off_for_this_account_defers_it_and_leaves_no_run(pipeline: Pipeline) -> None:
    """Another account that is allowed syncs."""
    account, allowed = pipeline.link(transactions=5), pipeline.link(transactions=5)
    pipeline.ssm.set(json.dumps({"enabled": True, "allow": [allowed]}))

    assert pipeline.ask(account).status == "deferred"
    assert pipeline.runs(account) == []
    assert pipeline.ask(allowed).status == "accepted"


def test_deferred_goes_before_already_running(pipeline: Pipeline) -> None:
    """Off for this account is the answer, also while a run still holds it."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    pipeline.request(account)
    pipeline.worker.runs.claim(pipeline.account_row(account)["id"], flag_reason="DEFAULT")
    pipeline.ssm.set(json.dumps({"enabled": True, "allow": ["f" * 24]}))

    assert pipeline.ask(account).status == "deferred"


def test_a_call_whose_run_is_stopped_is_deferred_with_guidance(new_pipeline: Callable[..., Pipeline]) -> None:
    """The caller is told why there is no result, by the decision that stopped the run."""
    pipeline = new_pipeline(flush_rows=20, pages_in_flight=1)
    account = pipeline.link(transactions=100, days=4)
    pipeline.sync(account)
    pipeline.worker = pipeline.new_worker(
        _OffBefore(pipeline, 2, json.dumps({"enabled": True, "percentage": 100, "deny": [account]}))
    )

    answer = pipeline.ask(account)

    assert answer.status == "deferred"
    assert answer.guidance is not None
    assert answer.guidance.reason == "DENY"
    assert pipeline.runs(account)[-1]["status"] == "stopped"


def test_a_wake_up_while_the_flag_is_off_keeps_what_is_asked_for(pipeline: Pipeline) -> None:
    """The message has done its work; the request stays and is served once the flag is on."""
    account = pipeline.link(transactions=5)
    run_id = pipeline.request(account)
    pipeline.ssm.set("false")

    assert pipeline.wake(account) is Served.DEFERRED
    assert [(run["run_id"], run["started_at"]) for run in pipeline.runs(account)] == [(run_id, None)]
    pipeline.ssm.set("true")
    pipeline.let_pass(minutes=11)
    assert pipeline.tick().woken_again == 1
    for message in pipeline.backfill.drain() + pipeline.daily.drain():
        pipeline.wake(account, message=message)
    assert pipeline.stored(account) == pipeline.truth(account)


def test_the_decision_stands_on_the_run(pipeline: Pipeline) -> None:
    """Which step of the order let it start."""
    account = pipeline.link(transactions=5)
    pipeline.ssm.set(json.dumps({"enabled": True, "allow": [account]}))
    pipeline.wake(account)

    assert [run["flag_reason"] for run in pipeline.runs(account)] == ["ALLOW"]


def _never() -> Collaborators:
    raise AssertionError("the database is touched")
