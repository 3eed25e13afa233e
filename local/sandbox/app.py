"""The sandbox as an ASGI application: HTTP in, the pure answer, HTTP out."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount

from local.sandbox.control import control, is_control
from local.sandbox.courier import Courier
from local.sandbox.message import RequestParts, ResponseParts, json_response
from local.sandbox.wiring import deliver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from local.sandbox.sandbox import Sandbox

SETTLE_SECONDS = 0.1


def sandbox_app(sandbox: Sandbox, *, latency_seconds: float = 0.0) -> Starlette:
    """The application: Mono under `/v2`, the control API under `/_sandbox`, webhooks sent in the background."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            request = await _parts(scope, receive)
        except ClientDisconnect:
            return
        if is_control(request):
            response = control(sandbox, request) if _is_loopback(scope) else _forbidden()
        else:
            response = sandbox.respond(request)
            await asyncio.sleep(latency_seconds)
        if not response.delivery.needs_socket and response.delivery.delay_seconds == 0.0:
            await Response(response.body, response.status, response.headers)(scope, receive, send)
        else:
            await deliver(response, scope, receive, send)

    @asynccontextmanager
    async def background(_: Starlette) -> AsyncIterator[None]:
        async with Courier(sandbox) as courier:
            ticking = asyncio.create_task(_tick(sandbox, courier))
            yield
            ticking.cancel()

    return Starlette(routes=[Mount("/", app=serve)], lifespan=background)


async def _parts(scope: Scope, receive: Receive) -> RequestParts:
    return RequestParts(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers={name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]},
        body=b"" if scope["method"] == "GET" else await Request(scope, receive).body(),
    )


async def _tick(sandbox: Sandbox, courier: Courier) -> None:
    """End jobs whose time has come, and send what waits."""
    while True:
        sandbox.settle()
        courier.send_waiting()
        await asyncio.sleep(SETTLE_SECONDS)


def _is_loopback(scope: Scope) -> bool:
    return ip_address(scope["client"][0]).is_loopback


def _forbidden() -> ResponseParts:
    return json_response(403, {"error": "the control API answers loopback clients only"})
