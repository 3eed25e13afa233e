"""I5: an event that was acknowledged to Mono is in exactly one place, whatever fails while it is on its way."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.adapters.postgres import Database
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import DatabaseUnavailable, DependencyUnavailable
from mono_pipeline.usecases.lifecycle import Lifecycle
from tests.invariants import broken
from tests.link_lives import a_working_link
from tests.webhook_life import drain, message

if TYPE_CHECKING:
    from mono_pipeline.adapters.queue import WebhookReceived
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

MOST_RECEIVES = 5
WHERE = """
SELECT i.event_key,
       CASE WHEN i.effect = 'waiting' OR (r.status = 'running' AND r.started_at IS NULL) THEN 'queued'
            WHEN r.status = 'running' THEN 'in flight'
            WHEN i.run_id IS NOT NULL AND row_number() OVER (PARTITION BY i.run_id ORDER BY i.recorded_at) > 1
            THEN 'coalesced'
            ELSE 'done' END AS place
FROM webhook_inbox i LEFT JOIN sync_runs r USING (run_id)
"""


@dataclass
class Delivery:
    """A message of the queue; `receives` as SQS counts."""

    message: WebhookReceived
    received_at: datetime
    receives: int = 0


@dataclass
class Queue:
    """SQS's part: what was acknowledged to Mono is here until a worker is done with it, or given up for dead."""

    messages: list[Delivery] = field(default_factory=list)
    dead: list[Delivery] = field(default_factory=list)

    def deliver(self, pipeline: Pipeline, chance: Random) -> None:
        """Hand one message to a worker; one that fails comes back, or is dead after five receives."""
        delivery = self.messages.pop(chance.randrange(len(self.messages)))
        delivery.receives += 1
        try:
            Lifecycle(pipeline.worker).serve(
                delivery.message, received_at=delivery.received_at, deadline=Deadline.after(30)
            )
        except DependencyUnavailable:
            (self.dead if delivery.receives == MOST_RECEIVES else self.messages).append(delivery)


@pytest.mark.parametrize("seed", range(8))
def test_I5_every_acknowledged_event_is_in_exactly_one_place(  # noqa: N802 - the invariant's name
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """PostgreSQL fails at any statement, SQS delivers in any order: after each delivery no event is lost or double."""
    chance = Random(seed)  # noqa: S311 - an order of failures, no secret
    bodies = a_working_link(pipeline.sandbox)
    now = datetime.fromtimestamp(pipeline.now(), UTC)
    queue = Queue([Delivery(message(body), now) for body in bodies])
    keys = {delivery.message.event.event_key for delivery in queue.messages}
    _fail_sometimes(monkeypatch, chance)

    while queue.messages:
        queue.deliver(pipeline, chance)
        with monkeypatch.context() as well:
            well.setattr(Database, "_execute", _EXECUTE)
            _in_one_place(pipeline, queue, keys)

    monkeypatch.setattr(Database, "_execute", _EXECUTE)
    pipeline.let_pass(minutes=11)
    pipeline.tick()
    drain(pipeline)
    places = _in_one_place(pipeline, queue, keys)
    assert set(places) <= {"done", "coalesced", "dead letter"}
    assert broken(pipeline.worker.database) == []


_EXECUTE = Database._execute


def _fail_sometimes(monkeypatch: pytest.MonkeyPatch, chance: Random) -> None:
    def execute(self: Database, statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        if chance.random() < 0.02 and not statement.startswith("ROLLBACK"):
            raise DatabaseUnavailable("made up")
        done = _EXECUTE(self, statement, parameters)
        if statement == "COMMIT" and chance.random() < 0.1:
            raise DatabaseUnavailable("done, and its answer lost")
        return done

    monkeypatch.setattr(Database, "_execute", execute)


def _in_one_place(pipeline: Pipeline, queue: Queue, keys: set[str]) -> Counter[str]:
    """Where all of them are; one that is written down and delivered again is what it was: not a second one."""
    written = {row["event_key"]: row["place"] for row in pipeline.rows(WHERE)}
    places = {
        **{delivery.message.event.event_key: "queued" for delivery in queue.messages},
        **{delivery.message.event.event_key: "dead letter" for delivery in queue.dead},
        **written,
    }
    assert places.keys() == keys
    assert len(written) == pipeline.rows("SELECT count(*) AS number FROM webhook_inbox")[0]["number"]
    return Counter(places.values())
