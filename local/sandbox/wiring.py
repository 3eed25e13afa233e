"""Answers that no well-behaved server sends: late, dripping, cut, reset, under a wrong length, or not HTTP at all."""

from __future__ import annotations

import asyncio
import socket
import struct
from http.client import responses
from typing import TYPE_CHECKING

from starlette.responses import Response
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from local.sandbox.message import ResponseParts

# The open connections by their peer's address: ASGI hands applications no socket.
CONNECTIONS: dict[tuple[str, int], asyncio.Transport] = {}


class SandboxProtocol(H11Protocol):
    """uvicorn's HTTP, which also lets the application reach the connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the connection."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn narrows it too
        if self.client is not None:
            CONNECTIONS[self.client] = self.transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        if self.client is not None:
            CONNECTIONS.pop(self.client, None)


async def deliver(response: ResponseParts, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer as its delivery says; gives up when the client does."""
    gone = asyncio.create_task(_disconnected(receive))
    sending = asyncio.create_task(_send(response, scope, receive, send))
    await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
    if gone.done() or not response.delivery.needs_socket:
        for task in (sending, gone):
            task.cancel()
    await asyncio.gather(gone, sending, return_exceptions=True)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(response: ResponseParts, scope: Scope, receive: Receive, send: Send) -> None:
    seconds = response.delivery.delay_seconds
    await asyncio.sleep(seconds) if seconds is not None else await asyncio.Event().wait()
    if response.delivery.needs_socket:
        await _write(response, CONNECTIONS[tuple(scope["client"])])
    else:
        await Response(response.body, response.status, response.headers)(scope, receive, send)


async def _write(response: ResponseParts, connection: asyncio.Transport) -> None:
    """Write to the socket itself and end the connection."""
    delivery = response.delivery
    if delivery.raw is not None:
        connection.write(delivery.raw)
    elif not (delivery.reset and delivery.cut_after == 0):
        connection.write(_head(response))
        body = response.body[: delivery.cut_after]
        if delivery.bytes_per_second:
            await _drip(body, delivery.bytes_per_second, connection)
        else:
            connection.write(body)
    if delivery.reset:
        await _reset(connection)
    else:
        connection.close()


async def _drip(body: bytes, bytes_per_second: float, connection: asyncio.Transport) -> None:
    for place in range(len(body)):
        connection.write(body[place : place + 1])
        await asyncio.sleep(1 / bytes_per_second)


async def _reset(connection: asyncio.Transport) -> None:
    """End with RST: what was written goes out first, then lingering is off."""
    while connection.get_write_buffer_size():  # noqa: ASYNC110 (a transport has no event for it)
        await asyncio.sleep(0)
    linger_off = struct.pack("ii", 1, 0)
    connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_off)
    connection.abort()


def _head(response: ResponseParts) -> bytes:
    announced = response.delivery.content_length
    length = len(response.body) if announced is None else announced
    headers = {"content-length": str(length), "connection": "close", **response.headers}
    lines = [f"HTTP/1.1 {response.status} {responses.get(response.status, 'Unknown')}"]
    return "\r\n".join([*lines, *(f"{name}: {text}" for name, text in headers.items()), "", ""]).encode("latin-1")
