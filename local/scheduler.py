"""EventBridge Scheduler: invokes the scheduled functions on time, and at once when asked."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.lambda_pool import LambdaService
    from local.resources import Schedule
    from local.template import Template


class Scheduler:
    """The template's schedules; `every` in seconds goes before their own rate."""

    def __init__(self, template: Template, functions: LambdaService, *, every: float | None) -> None:
        self._schedules: Sequence[Schedule] = template.schedules
        self._template = template
        self._functions = functions
        self._every = every

    async def run(self) -> None:
        """Tick for ever; like AWS, the first time one interval from now."""
        async with asyncio.TaskGroup() as group:
            for schedule in self._schedules:
                group.create_task(self._repeat(schedule))

    async def tick(self) -> list[dict[str, Any]]:
        """Run every schedule now, wait, and return what the functions answered."""
        answers = []
        for schedule in self._schedules:
            outcome = await self._functions.invoke(schedule.function, self._payload(schedule))
            answers.append({"schedule": schedule.name, "failed": outcome.failed, "answer": outcome.json()})
        return answers

    async def _repeat(self, schedule: Schedule) -> None:
        while True:
            await asyncio.sleep(self._every or schedule.every.total_seconds())
            self._functions.invoke_later(schedule.function, self._payload(schedule))

    def _payload(self, schedule: Schedule) -> bytes:
        """The schedule's own input, else what EventBridge Scheduler sends where it has none."""
        if schedule.payload is not None:
            return schedule.payload.encode()
        return json.dumps(
            {
                "version": "0",
                "id": str(uuid4()),
                "detail-type": "Scheduled Event",
                "source": "aws.scheduler",
                "account": "000000000000",
                "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "region": "eu-west-1",
                "resources": [self._template.arn("scheduler", f"schedule/default/{schedule.name}")],
                "detail": "{}",
            }
        ).encode()
