"""Mono's events as the door hands them on, for tests that play their delivery: any order, any number of times."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.adapters.queue import WebhookReceived, read_webhook_received
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.webhook_event import read_webhook_event
from mono_pipeline.usecases.lifecycle import Heard, Lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.core.run import Account
    from mono_pipeline.usecases.collaborators import Collaborators
    from tests.harness import Pipeline

_IN_TRANSACTION: Final = 2


def message(body: dict[str, Any], *, correlation_id: str = "c-hook") -> WebhookReceived:
    """The message that a webhook's body becomes, once through the queue's JSON."""
    event = read_webhook_event(json.dumps(body).encode())
    assert event.account_id is not None
    sent = WebhookReceived(event=event, account_id=event.account_id, correlation_id=correlation_id)
    return read_webhook_received(sent.body())


def hear(
    pipeline: Pipeline,
    body: dict[str, Any],
    *,
    worker: Collaborators | None = None,
    received_at: float | None = None,
    read: bool = True,
) -> Heard:
    """Deliver a webhook to a worker, received just now by the database's clock; `read` what it asks for, or not yet."""
    using = worker or pipeline.worker
    at = pipeline.now(using) if received_at is None else received_at
    lifecycle = Lifecycle(using)
    deliver = lifecycle.serve if read else lifecycle.hear
    return deliver(message(body), received_at=datetime.fromtimestamp(at, UTC), deadline=Deadline.after(60))


def told(pipeline: Pipeline, since: int = 0) -> list[dict[str, Any]]:
    """The bodies of the webhooks that the sandbox has made, from number `since` on."""
    return [webhook["body"] for webhook in pipeline.sandbox.webhooks()[since:]]


def hear_all(pipeline: Pipeline, since: int = 0) -> int:
    """Deliver all that the sandbox has made since, in order; returns the number of the next one."""
    bodies = told(pipeline, since)
    for body in bodies:
        hear(pipeline, body)
    return since + len(bodies)


def overtaken_after_finding(worker: Collaborators, overtake: Callable[[], object]) -> None:
    """Let something else happen just behind the worker's second search for an account: the one in its transaction."""
    find, searches = worker.accounts.find, count(1)

    def found(mono_account_id: str) -> Account:
        account = find(mono_account_id)
        if next(searches) == _IN_TRANSACTION:
            overtake()
        return account

    worker.accounts.find = found  # type: ignore[method-assign]


def drain(pipeline: Pipeline) -> None:
    """Let workers serve all wake-ups that lie in the queues."""
    for queue in (pipeline.backfill, pipeline.daily):
        for wake in queue.drain():
            pipeline.wake(wake.account_id, message=wake)


def status(pipeline: Pipeline, account_id: str) -> str:
    """How the account's link stands."""
    return str(pipeline.account_row(account_id)["link_status"])
