"""Every event in every shape that it has had: the same effect, on an account that we know and on one that we do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.webhook_life import hear, status

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

SHAPES: Final = ("current", "2025", "2024", "_id", "id", "string")
JOB: Final = "681b431edb122e972b21fd4c"


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What an event does to an account that is linked, and whether it is read."""

    effect: str = "noted"
    status: str = "linked"
    reads: bool = True
    fresh: bool = False


EVENTS: Final = {
    "account_connected": Promise(),
    "account_updated": Promise(),
    "account_reauthorized": Promise(),
    "jobs_update": Promise(fresh=True),
    "account_unlinked": Promise(effect="changed", status="unlinked", reads=False),
    "reauthorisation_required": Promise(effect="changed", status="reauth_required"),
    "sync_failed": Promise(),
    "account_synced": Promise(),
}


def event(pipeline: Pipeline, name: Any, account: str, shape: Any) -> dict[str, Any]:
    """The event as Mono sends it in a shape; a job's names its job."""
    body: dict[str, Any] = pipeline.sandbox.fire_webhook(event=name, account=account, shape=shape)[0]["body"]
    if name == "jobs_update":
        body["data"]["id"] = JOB
    return body


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_does_the_same_in_every_shape(pipeline: Pipeline, name: str) -> None:
    """What is read is the bank's row that came meanwhile; where nothing is read, nothing is asked of Mono."""
    promised = EVENTS[name]
    for shape in SHAPES:
        account = pipeline.link(transactions=3)
        pipeline.sync(account)
        known = pipeline.stored(account)
        pipeline.sandbox.add(account)
        body = event(pipeline, name, account, shape)
        pipeline.sandbox.clear_requests()

        heard = hear(pipeline, body)

        assert (heard.effect, status(pipeline, account)) == (promised.effect, promised.status), shape
        assert pipeline.stored(account) == (pipeline.truth(account) if promised.reads else known), shape
        assert bool(pipeline.sandbox.requests()) == promised.reads, shape
        assert (pipeline.account_row(account)["fresh_as_of"] is not None) == promised.fresh, shape


@pytest.mark.parametrize("name", EVENTS)
def test_any_event_of_an_account_that_nobody_knows_brings_it_in_by_one_look_at_mono(
    pipeline: Pipeline, name: str
) -> None:
    """In every shape. That it is unlinked is written down, and there is nothing to bring in."""
    for shape in SHAPES:
        account = str(pipeline.sandbox.create_account(transactions=3)["id"])
        body = event(pipeline, name, account, shape)
        pipeline.sandbox.clear_requests()

        heard = hear(pipeline, body, read=False)

        asked = [request["path"] for request in pipeline.sandbox.requests()]
        (row,) = pipeline.rows("SELECT effect FROM webhook_inbox WHERE mono_account_id = :id", id=account)
        if name == "account_unlinked":
            assert (heard.effect, row["effect"], asked) == ("unknown_account", "unknown_account", []), shape
            continue
        assert (heard.effect, row["effect"], asked) == ("imported", "imported", [f"/v2/accounts/{account}"]), shape
        assert status(pipeline, account) == EVENTS[name].status, shape
        assert [run["kind"] for run in pipeline.runs(account)] == ["full"], shape
