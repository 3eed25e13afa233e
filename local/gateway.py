"""The HTTP side of the embedded stack: the API as API Gateway serves it, Lambda's Invoke API, the stack's own controls.

IAM is not enforced, as with `sam local`; it listens on loopback only.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Endpoint

from local.lambda_pool import FunctionUnknown
from local.proxy_event import (
    NO_ROUTE,
    TIMED_OUT,
    TOO_LARGE,
    Answer,
    Request,
    Routes,
    proxy_answer,
    proxy_event,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request as HttpRequest

    from local.lambda_pool import LambdaService
    from local.template import Template

type Tick = Callable[[], Awaitable[list[dict[str, Any]]]]
type Status = Callable[[], dict[str, Any]]

_LIMIT_BYTES: Final = 10 * 1024 * 1024  # API Gateway's payload limit
_LAMBDA_LIMIT_BYTES: Final = 6 * 1024 * 1024  # a synchronous invocation's payload limit
_INTEGRATION_SECONDS: Final = 29.0  # API Gateway waits no longer for a function
_METHODS: Final = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


class Gateway:
    """Builds the application; `tick` runs every schedule now, `status` tells what runs."""

    def __init__(self, template: Template, functions: LambdaService, *, tick: Tick, status: Status) -> None:
        self._routes = Routes(template.routes)
        self._stage = template.stage
        self._functions = functions
        self._tick = tick
        self._status = status

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Endpoint("/2015-03-31/functions/{name}/invocations", self.invoke, methods=["POST"]),
                Endpoint("/_stack/tick", self.tick, methods=["POST"]),
                Endpoint("/_stack/status", self.status, methods=["GET"]),
                Endpoint("/{path:path}", self.proxy, methods=_METHODS),
            ]
        )

    async def proxy(self, http: HttpRequest) -> Response:
        """Serve a route of the template."""
        answer = await self._answer(http)
        response = Response(answer.body, status_code=answer.status)
        response.raw_headers = [
            *((name.encode(), value.encode("latin-1", "replace")) for name, value in answer.headers),
            (b"content-length", str(len(answer.body)).encode()),
        ]
        return response

    async def invoke(self, http: HttpRequest) -> Response:
        """Lambda's Invoke (API of 2015-03-31), so that boto3's client works."""
        name = http.path_params["name"]
        payload = await http.body() or b"{}"
        if problem := _not_a_payload(payload):
            return problem
        try:
            match http.headers.get("x-amz-invocation-type", "RequestResponse"):
                case "Event":
                    self._functions.invoke_later(name, payload)
                    return Response(status_code=202)
                case "DryRun":
                    self._functions.pool(name)
                    return Response(status_code=204)
            outcome = await self._functions.invoke(name, payload)
        except FunctionUnknown:
            return _lambda_error(404, "ResourceNotFoundException", f"Function not found: {name}")
        headers = {"x-amz-executed-version": "1", **({"x-amz-function-error": "Unhandled"} if outcome.failed else {})}
        return Response(outcome.payload, headers=headers, media_type="application/json")

    async def tick(self, _: HttpRequest) -> Response:
        """Run every schedule now and wait for it."""
        return JSONResponse(await self._tick())

    async def status(self, _: HttpRequest) -> Response:
        """What runs: processes by function."""
        return JSONResponse(self._status())

    async def _answer(self, http: HttpRequest) -> Answer:
        raw_path = http.scope["raw_path"].decode("ascii")
        found = self._routes.match(http.method, raw_path)
        if found is None:
            return NO_ROUTE
        if int(http.headers.get("content-length", "0")) > _LIMIT_BYTES or len(body := await http.body()) > _LIMIT_BYTES:
            return TOO_LARGE
        request = Request(
            method=http.method,
            raw_path=raw_path,
            headers=[*http.headers.items(), *_forwarded(http)],
            query=http.query_params.multi_items(),
            body=body,
            source_ip=http.client.host if http.client else "127.0.0.1",
        )
        event = json.dumps(proxy_event(request, *found, stage=self._stage)).encode()
        if len(event) > _LAMBDA_LIMIT_BYTES:
            return TOO_LARGE
        try:
            async with asyncio.timeout(_INTEGRATION_SECONDS + 1):  # the function's own limit goes first
                return proxy_answer(await self._functions.invoke(found[0].function, event))
        except TimeoutError:
            return TIMED_OUT


def _forwarded(http: HttpRequest) -> list[tuple[str, str]]:
    host = http.client.host if http.client else "127.0.0.1"
    return [("X-Forwarded-For", host), ("X-Forwarded-Proto", "http"), ("X-Forwarded-Port", str(http.url.port or 80))]


def _not_a_payload(payload: bytes) -> Response | None:
    if len(payload) > _LAMBDA_LIMIT_BYTES:
        return _lambda_error(413, "RequestTooLargeException", f"{len(payload)} byte payload is too large")
    try:
        json.loads(payload)
    except ValueError as problem:
        return _lambda_error(
            400, "InvalidRequestContentException", f"Could not parse request body into json: {problem}"
        )
    return None


def _lambda_error(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"Type": "User", "Message": message}, status_code=status, headers={"x-amzn-errortype": kind})
