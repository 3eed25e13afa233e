"""From the door to the tables: repeated, reordered and ill-timed events, by the function and the worker together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import batched
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.transport import SandboxTransport
from mono_pipeline.adapters.queue import read_webhook_received
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.usecases.lifecycle import Lifecycle
from tests.faults.recovery import equal_to_the_bank, sound
from tests.webhook_life import drain, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import httpx

    from mono_pipeline.usecases.collaborators import Collaborators
    from tests.harness import Pipeline
    from tests.webhook_door import Door

pytestmark = pytest.mark.integration

TIMES = 1_000
AT_ONCE = 8
ORDERS = 12
STATE = """
SELECT link_status, fresh_as_of, reauth_required_at, (SELECT count(*) FROM webhook_inbox) AS events FROM bank_accounts
"""


def serve(worker: Collaborators, bodies: Iterable[str], *, received_at: float) -> None:
    """Let a worker serve messages as the door sent them."""
    for body in bodies:
        Lifecycle(worker).serve(
            read_webhook_received(body),
            received_at=datetime.fromtimestamp(received_at, UTC),
            deadline=Deadline.after(60),
        )


@pytest.mark.parametrize("shape", ["current", "2025"])
def test_W10_same_event_a_thousand_times(
    pipeline: Pipeline, door: Door, seen: Callable[[str], None], shape: Any
) -> None:
    """At once, by eight callers and eight workers: each call is answered with 200, two reads come of them all."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    event = pipeline.sandbox.fire_webhook(event="account_updated", account=account, shape=shape)[0]["body"]
    workers = [pipeline.new_worker() for _ in range(AT_ONCE)]
    received_at = pipeline.now()
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        statuses = set(pool.map(lambda _: door.post(event).status, range(TIMES)))
        parts = batched(door.queue.bodies, TIMES // AT_ONCE, strict=True)
        list(pool.map(lambda pair: serve(pair[0], pair[1], received_at=received_at), zip(workers, parts, strict=True)))

    runs = pipeline.runs(account)[1:]
    assert (statuses, len(door.queue.bodies)) == ({200}, TIMES)
    assert 1 <= len(runs) <= 2
    assert {run["status"] for run in runs} == {"completed"}
    sound(pipeline)
    equal_to_the_bank(pipeline, account)
    seen(f"{TIMES} x 200, {len(runs)} sync")


def test_W11_events_in_every_order(pipeline: Pipeline, door: Door, seen: Callable[[str], None]) -> None:
    """Linked, filled, the customer wanted, signed in again: shuffled and with repetitions, the same state and rows.

    All 720 orders of six events, for five lives of a link, are in tests/integration/lifecycle.
    """
    bank = pipeline.sandbox
    account = str(bank.link_account(transactions=12, ready=True)["id"])
    bank.set_clock(advance_seconds=60)
    wanted = bank.fire_webhook(event="account_updated", account=account)[0]["body"]
    wanted["data"]["meta"]["sync_status"] = "REAUTHORISATION_REQUIRED"
    bank.set_clock(advance_seconds=60)
    bank.reauthorise(account)
    events = [wanted if body["event_id"] == wanted["event_id"] else body for body in told(pipeline)]
    received_at = pipeline.now()
    ends: set[str] = set()
    for number in range(ORDERS):
        order = Random(number).sample([*events, *events[: number % 3]], len(events) + number % 3)  # noqa: S311 - no secret
        pipeline.rows("DELETE FROM webhook_inbox")
        pipeline.rows("UPDATE bank_accounts SET link_status = 'linked', fresh_as_of = NULL, reauth_required_at = NULL")
        door.queue.bodies.clear()
        assert {door.post(event).status for event in order} == {200}
        serve(pipeline.worker, door.queue.bodies, received_at=received_at)
        drain(pipeline)
        ends.add(str(pipeline.rows(STATE)))

    assert len(ends) == 1, "\n".join(sorted(ends))
    sound(pipeline)
    equal_to_the_bank(pipeline, account)
    seen(f"{ORDERS} orders, 1 state")


def test_W13_webhook_during_a_sync(
    new_pipeline: Callable[..., Pipeline], door: Door, seen: Callable[[str], None]
) -> None:
    """What the bank changed behind the reader's back, and Mono told at once, is read by the run that follows."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = pipeline.link(transactions=100, days=5)
    pipeline.sync(account)
    other = pipeline.new_worker()
    answers: list[int] = []

    class Webhook(SandboxTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            """Answer page 3 after a row of page 1 has changed and the event of it was served."""
            if request.url.params.get("page") == "3" and not answers:
                first = pipeline.page_ids(account, 1)[0]
                pipeline.sandbox.amend(account, transaction=first, changes={"category": "late"}, rerun_balances=False)
                event: Any = pipeline.sandbox.fire_webhook(event="account_updated", account=account)[0]["body"]
                answers.append(door.post(event).status)
                serve(other, door.queue.bodies, received_at=pipeline.now(other))
            return super().handle_request(request)

    pipeline.wake(account, worker=pipeline.new_worker(Webhook(pipeline.sandbox)))

    assert answers == [200]
    assert [run["status"] for run in pipeline.runs(account)] == ["completed"] * 3
    equal_to_the_bank(pipeline, account)
    seen("200; the run ends, another follows and has the change")
