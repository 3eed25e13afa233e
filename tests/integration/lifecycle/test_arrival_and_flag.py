"""What was decided where the events themselves decide nothing: reports without a date, and a flag that is off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects import Status
from local.sandbox.faults import Fault
from tests.webhook_life import drain, hear, status, told

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def undated_success(pipeline: Pipeline, account: str) -> dict[str, Any]:
    """Mono was at the bank and let in; nobody says when."""
    body: dict[str, Any] = pipeline.sandbox.fire_webhook(event="account_updated", account=account)[0]["body"]
    body["data"]["meta"]["sync_status"] = "SUCCESSFUL"
    del body["timestamp"]
    return body


def undated_want(pipeline: Pipeline, account: str) -> dict[str, Any]:
    """The bank wants the customer; nobody says since when."""
    body: dict[str, Any] = pipeline.sandbox.fire_webhook(event="reauthorisation_required", account=account)[0]["body"]
    assert "timestamp" not in body
    return body


@pytest.mark.parametrize("last", ["success", "want"])
@pytest.mark.parametrize("delivered", ["in order", "the later one first"])
def test_two_reports_without_a_date_that_contradict_each_other_count_by_arrival(
    pipeline: Pipeline, last: str, delivered: str
) -> None:
    """The one that reached us last holds, in whatever order workers serve the two; nothing in them says more."""
    account = pipeline.link(transactions=5)
    success, want = undated_success(pipeline, account), undated_want(pipeline, account)
    now = pipeline.now()
    arrived = [(want, now), (success, now + 1)] if last == "success" else [(success, now), (want, now + 1)]

    for body, at in arrived if delivered == "in order" else reversed(arrived):
        hear(pipeline, body, received_at=at, read=False)

    assert status(pipeline, account) == ("linked" if last == "success" else "reauth_required")


def test_events_that_wait_for_mono_are_kept_while_the_flag_is_off_and_taken_up_once_it_is_on(
    pipeline: Pipeline,
) -> None:
    """Off for everyone: the event is written down, no round asks Mono of it; the first one with the flag on does."""
    account = pipeline.sandbox.link_account(transactions=20, ready=True)["id"]
    pipeline.ssm.set("false")
    pipeline.sandbox.inject(Fault(effect=Status(status=503), times=None))
    hear(pipeline, told(pipeline)[0])
    pipeline.sandbox.clear_faults()
    pipeline.sandbox.clear_requests()
    pipeline.let_pass(minutes=16)

    for _ in range(2):
        assert pipeline.round().events_taken_up == 0
    assert pipeline.rows("SELECT effect, deliveries FROM webhook_inbox") == [{"effect": "waiting", "deliveries": 1}]
    assert pipeline.sandbox.requests() == []

    pipeline.ssm.set("true")
    assert pipeline.round().events_taken_up == 1
    drain(pipeline)
    assert pipeline.rows("SELECT effect FROM webhook_inbox") == [{"effect": "imported"}]
    assert pipeline.stored(account) == pipeline.truth(account)
