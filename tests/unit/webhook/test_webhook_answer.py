"""What Mono is answered: 200 only for what is on a queue, so that everything else is sent again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from functions.webhook import app
from mono_pipeline.adapters.webhook_settings import WebhookSettings
from mono_pipeline.core.errors import QueueUnavailable
from mono_pipeline.core.secret import Secret

if TYPE_CHECKING:
    from mono_pipeline.adapters.queue import FetchRequested

SECRET = "made_up_" * 5
ACCOUNT = "686265c6ff3885e5e53ab900"
ABOUT = {"account": {"_id": ACCOUNT}, "app": "our-app"}
TOLD = {"event": "mono.events.account_updated", "data": ABOUT}


class Queue:
    """A queue that takes messages, or does not."""

    def __init__(self, *, takes: bool) -> None:
        self.takes = takes
        self.messages: list[FetchRequested] = []

    def send(self, message: FetchRequested, *, group: str) -> None:
        """Take the message, or fail as SQS may."""
        assert group == ACCOUNT
        if not self.takes:
            raise QueueUnavailable("SQS did not take the message")
        self.messages.append(message)


def answered(
    monkeypatch: pytest.MonkeyPatch, *, takes: bool = True, secret: str = SECRET, told: Any = None
) -> tuple[int, Queue]:
    """The status code of the answer to a webhook, and the queue behind it."""
    queue = Queue(takes=takes)
    settings = WebhookSettings(
        environment="local",
        mono_webhook_secret=Secret(SECRET),
        mono_webhook_secret_previous=None,
        mono_app_id="our-app",
        queue_url="memory/daily",
    )
    monkeypatch.setattr(app, "_settings", lambda: settings)
    monkeypatch.setattr(app, "_queue", lambda _url: queue)
    event = {"headers": {"Mono-Webhook-Secret": secret}, "body": json.dumps(TOLD if told is None else told)}
    return app.handler(event, None)["statusCode"], queue  # type: ignore[arg-type]


def test_a_wake_up_is_on_the_queue_when_mono_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """One message with the account's id and nothing else of the body."""
    code, queue = answered(monkeypatch)

    assert code == 200
    assert [(message.account_id, message.requested_by) for message in queue.messages] == [(ACCOUNT, "webhook")]


def test_a_wake_up_that_no_queue_took_is_not_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    """503, so that Mono sends it again."""
    assert answered(monkeypatch, takes=False)[0] == 503


def test_nothing_is_done_for_a_wrong_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """401, and no message."""
    code, queue = answered(monkeypatch, secret="made_up_" * 4 + "guessed!")

    assert (code, queue.messages) == (401, [])


@pytest.mark.parametrize(
    "told", [{**TOLD, "data": {**ABOUT, "app": "another"}}, {**TOLD, "data": {}}], ids=["another app", "nobody"]
)
def test_what_is_not_ours_wakes_nobody(monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]) -> None:
    """200 all the same: sending it again would change nothing."""
    code, queue = answered(monkeypatch, told=told)

    assert (code, queue.messages) == (200, [])
