"""Delivers webhooks as Mono does: POST with the plain secret, again when the answer is not 2xx (Mono contract 5.2)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Self

import httpx

if TYPE_CHECKING:
    from types import TracebackType

    from local.sandbox.outbox import Webhook
    from local.sandbox.world import World

PATIENCE_SECONDS = 30.0


class Courier:
    """Takes webhooks out of the outbox and sends each on its own, so that a slow receiver delays none."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._http = httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False)
        self._sending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._sending:
            task.cancel()
        await self._http.aclose()

    def send_waiting(self) -> None:
        """Start a delivery for everything that waits."""
        while webhook := self._world.outbox.take():
            task = asyncio.create_task(self._deliver(webhook))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _deliver(self, webhook: Webhook) -> None:
        target = self._world.outbox.target
        for _ in range(target.attempts):
            answer = await self._attempt(webhook)
            webhook.answers.append(answer)
            if isinstance(answer, int) and httpx.codes.is_success(answer):
                webhook.state = "delivered"
                return
            await asyncio.sleep(target.retry_seconds)
        webhook.state = "failed"

    async def _attempt(self, webhook: Webhook) -> int | str:
        target = self._world.outbox.target
        secret = target.secret if webhook.secret is None else webhook.secret
        headers = {"content-type": "application/json", "mono-webhook-secret": secret}
        try:
            response = await self._http.post(str(target.url), content=json.dumps(webhook.body), headers=headers)
        except httpx.TransportError as error:
            return type(error).__name__
        return response.status_code
