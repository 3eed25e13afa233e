"""The local Lambda service: functions by name, each with a few execution environments that come and go."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import httpx

from local.lambda_runtime import ExecutionEnvironment, Outcome, function_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from local.resources import Function
    from local.template import Template

type SendToQueue = Callable[[str, str], Awaitable[None]]

LOG: Final = logging.getLogger("local.lambda")
_RETRY_DELAYS: Final = (60.0, 120.0)  # AWS's own between attempts of an asynchronous invocation, in seconds


class FunctionUnknown(Exception):
    """No function has this name."""


class FunctionPool:
    """The execution environments of one function: launched when needed, at most `limit`, replaced when they die."""

    def __init__(
        self, function: Function, *, launch: Callable[[], Awaitable[ExecutionEnvironment]], limit: int
    ) -> None:
        self.function = function
        self.limit = limit
        self._launch = launch
        self._slots = asyncio.Semaphore(limit)
        self._idle: list[ExecutionEnvironment] = []
        self._all: set[ExecutionEnvironment] = set()

    async def invoke(self, payload: bytes, *, http: httpx.AsyncClient) -> Outcome:
        """Invoke the function, waiting while all its environments are busy."""
        async with self._environment() as environment:
            return await environment.invoke(payload, http=http)

    @property
    def environments(self) -> tuple[ExecutionEnvironment, ...]:
        """Those that run now."""
        return tuple(environment for environment in self._all if environment.is_alive)

    def stop(self) -> None:
        """Kill every environment."""
        for environment in self._all:
            environment.stop()
        self._all.clear()
        self._idle.clear()

    @asynccontextmanager
    async def _environment(self) -> AsyncIterator[ExecutionEnvironment]:
        async with self._slots:
            environment = self._warm() or await self._launched()
            try:
                yield environment
            except BaseException:  # a cancelled invocation may still be running inside
                environment.stop()
                raise
            finally:
                if environment.is_alive:
                    self._idle.append(environment)
                else:
                    self._all.discard(environment)

    def _warm(self) -> ExecutionEnvironment | None:
        while self._idle:
            environment = self._idle.pop()
            if environment.is_usable:
                return environment
            environment.stop()
            self._all.discard(environment)
        return None

    async def _launched(self) -> ExecutionEnvironment:
        environment = await self._launch()
        self._all.add(environment)
        return environment


class LambdaService:
    """Every function of the template, invoked as AWS would: by name or ARN, waiting for the answer or not."""

    def __init__(
        self,
        template: Template,
        *,
        build: Path,
        runtime: Path,
        logs: Path,
        shared_environment: Mapping[str, str],
        concurrency: int,
        send_to_queue: SendToQueue,
    ) -> None:
        """`concurrency` caps the environments per function; `send_to_queue(queue_arn, body)` takes failures."""
        self._http = httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=None))
        self._send_to_queue = send_to_queue
        self._background: set[asyncio.Task[None]] = set()
        self.pools: dict[str, FunctionPool] = {}
        self._build, self._runtime, self._logs, self._shared = build, runtime, logs, shared_environment
        sources = {source.function: source for source in template.event_sources}
        for function in template.functions.values():
            wanted = function.reserved_concurrency
            if function.logical_id in sources:
                wanted = sources[function.logical_id].concurrency
            self.pools[function.logical_id] = self._pool(function, limit=min(wanted or concurrency, concurrency))

    def pool(self, name: str) -> FunctionPool:
        """The pool of a function by logical id, name, `name:alias` or ARN.

        Raises:
            FunctionUnknown: there is none.
        """
        wanted = name.split(":")[6] if name.startswith("arn:") else name.partition(":")[0]
        for logical_id, pool in self.pools.items():
            if wanted in (logical_id, pool.function.name):
                return pool
        raise FunctionUnknown(name)

    async def invoke(self, name: str, payload: bytes) -> Outcome:
        """Invoke a function and wait for its outcome.

        Raises:
            FunctionUnknown: there is none of this name.
        """
        return await self.pool(name).invoke(payload, http=self._http)

    def invoke_later(self, name: str, payload: bytes) -> None:
        """Invoke a function asynchronously: retried as its EventInvokeConfig says, then sent to its failure queue.

        Raises:
            FunctionUnknown: there is none of this name.
        """
        task = asyncio.create_task(self._deliver(self.pool(name), payload))
        self._background.add(task)
        task.add_done_callback(self._delivered)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (problem := task.exception()):
            LOG.error("an asynchronous invocation was lost", exc_info=problem)

    async def stop(self) -> None:
        """Kill every environment and forget what waits."""
        for task in self._background:
            task.cancel()
        for pool in self.pools.values():
            pool.stop()
        await self._http.aclose()

    async def _deliver(self, pool: FunctionPool, payload: bytes) -> None:
        outcome = await pool.invoke(payload, http=self._http)
        for delay in _RETRY_DELAYS[: pool.function.async_retries]:
            if not outcome.failed:
                return
            await asyncio.sleep(delay)
            outcome = await pool.invoke(payload, http=self._http)
        if outcome.failed and pool.function.on_failure is not None:
            await self._send_to_queue(pool.function.on_failure, _failure_record(pool.function, payload, outcome))

    def _pool(self, function: Function, *, limit: int) -> FunctionPool:
        environment = function_environment(function, build=self._build, runtime=self._runtime, shared=self._shared)
        log = self._logs / f"{function.logical_id}.log"

        async def launch() -> ExecutionEnvironment:
            return await ExecutionEnvironment.launch(function, environment=environment, log=log)

        return FunctionPool(function, launch=launch, limit=limit)


def _failure_record(function: Function, payload: bytes, outcome: Outcome) -> str:
    """What Lambda sends to an on-failure destination."""
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "requestContext": {
                "requestId": str(uuid4()),
                "functionArn": f"{function.name}:live",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": function.async_retries + 1,
            },
            "requestPayload": json.loads(payload),
            "responseContext": {"statusCode": 200, "executedVersion": "1", "functionError": "Unhandled"},
            "responsePayload": outcome.json(),
        }
    )
