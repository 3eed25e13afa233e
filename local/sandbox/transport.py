"""The sandbox in process: an httpx transport, so that a client can be tested without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from local.sandbox.control import control, is_control
from local.sandbox.message import RequestParts, ResponseParts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.sandbox.sandbox import Sandbox


class SandboxTransport(httpx.BaseTransport):
    """Answers as `SandboxServer` does; what needs a socket becomes the error that httpx raises for it.

    Args:
        sandbox: What answers.
        pause: Called with the seconds of every wait an answer asks for, as a test's clock; without it an answer that
            is later than the client's read timeout raises `ReadTimeout` at once, and one that is not late enough for
            that arrives at once.
    """

    def __init__(self, sandbox: Sandbox, *, pause: Callable[[float], None] | None = None) -> None:
        self.sandbox = sandbox
        self._pause = pause

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        parts = RequestParts(
            method=request.method,
            path=request.url.path,
            query=request.url.query.decode("ascii"),
            headers={name.lower(): text for name, text in request.headers.items()},
            body=request.read(),
        )
        response = control(self.sandbox, parts) if is_control(parts) else self.sandbox.respond(parts)
        delivery = response.delivery
        self._wait(request, delivery.delay_seconds)
        if delivery.raw is not None or (delivery.reset and not delivery.cut_after):
            raise httpx.RemoteProtocolError("the answer is not HTTP, or ends before it begins", request=request)
        return httpx.Response(
            response.status,
            headers={"content-length": str(self._announced(response)), **response.headers},
            stream=_Body(self._bytes(request, response)),
            request=request,
        )

    def _wait(self, request: httpx.Request, seconds: float | None) -> None:
        patience = request.extensions.get("timeout", {}).get("read")
        if seconds is None or (patience is not None and seconds > patience):
            raise httpx.ReadTimeout("the answer takes longer than the read timeout", request=request)
        if self._pause is not None and seconds:
            self._pause(seconds)

    def _bytes(self, request: httpx.Request, response: ResponseParts) -> Iterator[bytes]:
        delivery, announced = response.delivery, self._announced(response)
        body = response.body[: delivery.cut_after][:announced]
        if delivery.bytes_per_second:
            for place in range(len(body)):
                self._wait_for_byte(request, 1 / delivery.bytes_per_second)
                yield body[place : place + 1]
        else:
            yield body
        if delivery.reset or len(body) < announced:
            raise httpx.RemoteProtocolError(
                "peer closed connection without sending complete message body", request=request
            )

    def _wait_for_byte(self, request: httpx.Request, seconds: float) -> None:
        if self._pause is None:
            raise httpx.ReadTimeout("the body drips, and nobody waits for it", request=request)
        self._wait(request, seconds)

    @staticmethod
    def _announced(response: ResponseParts) -> int:
        given = response.delivery.content_length
        return len(response.body) if given is None else given


class _Body(httpx.SyncByteStream):
    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return self._parts
