"""Webhooks on their way: sent, held back or lost, and what became of each delivery."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

type OutboxMode = Literal["send", "hold", "drop"]


class WebhookTarget(BaseModel):
    """Where webhooks go; without a URL they are only recorded.

    Attributes:
        url: The receiver.
        secret: The plain text of the header `mono-webhook-secret` (Mono contract 5.1).
        mode: `send` at once, `hold` until released, or `drop` (lost, as Mono loses some).
        copies: How many times each is sent; Mono repeats itself.
        attempts: How often a delivery that is not answered 2xx is tried; Mono's own number is unknown.
        retry_seconds: The pause between attempts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = None
    secret: str = "sandbox-webhook-secret-0123456789"  # noqa: S105 (the sandbox's own, for its own receiver)
    mode: OutboxMode = "send"
    copies: int = 1
    attempts: int = 5
    retry_seconds: float = 1.0


@dataclass(kw_only=True)
class Webhook:
    """One webhook and its deliveries; `answers` holds each attempt's status, or why there was none."""

    number: int
    body: Any
    secret: str | None = None
    state: Literal["waiting", "held", "dropped", "delivered", "failed"] = "waiting"
    answers: list[int | str] = field(default_factory=list)


class Outbox:
    """All webhooks of a sandbox, and those still to be delivered."""

    def __init__(self) -> None:
        self.target = WebhookTarget()
        self.webhooks: list[Webhook] = []
        self._waiting: deque[Webhook] = deque()

    def publish(self, body: Any, *, secret: str | None = None, at_once: bool = False) -> Webhook:
        """Record a webhook, and let it go unless the mode keeps it; `secret` replaces the target's."""
        webhook = Webhook(number=len(self.webhooks), body=body, secret=secret)
        self.webhooks.append(webhook)
        mode = "send" if at_once else self.target.mode
        if mode == "send":
            self._waiting.extend([webhook] * self.target.copies)
        else:
            webhook.state = "held" if mode == "hold" else "dropped"
        return webhook

    def release(self, numbers: list[int] | None = None) -> list[Webhook]:
        """Let held webhooks go: these in this order, or all as they happened; one named twice goes twice."""
        held = [webhook.number for webhook in self.webhooks if webhook.state == "held"]
        released = [self.webhooks[number] for number in (held if numbers is None else numbers)]
        for webhook in released:
            webhook.state = "waiting"
        self._waiting.extend(released)
        return released

    def take(self) -> Webhook | None:
        """The next one to deliver, if there is a receiver."""
        return self._waiting.popleft() if self._waiting and self.target.url else None

    def forget_last(self) -> Webhook:
        """Take back the webhook that was published last."""
        webhook = self.webhooks.pop()
        self._waiting = deque(waiting for waiting in self._waiting if waiting is not webhook)
        return webhook

    def clear(self) -> None:
        """Forget all webhooks; the target stays."""
        self.webhooks.clear()
        self._waiting.clear()
