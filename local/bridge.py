"""Ports of this machine's loopback, carried to the Docker bridge: containers reach them, and nobody else does."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from contextlib import closing, suppress
from ipaddress import ip_network
from typing import TYPE_CHECKING, Self

from local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    type Carry = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class NoDocker(Exception):
    """There is no Docker engine to ask."""


def docker_gateway() -> str:
    """This machine's address on Docker's default network.

    Raises:
        NoDocker: no engine answers.
    """
    command = ["docker", "network", "inspect", "bridge"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        raise NoDocker("no Docker engine answers") from error
    config = json.loads(told.stdout)[0]["IPAM"]["Config"][0]
    # an engine that nobody configured leaves it unsaid, and takes the first
    return str(config.get("Gateway") or next(ip_network(config["Subnet"]).hosts()))


class Bridge:
    """Listens at `gateway` on each of `ports` and carries every connection to the same port of the loopback."""

    def __init__(self, gateway: str, ports: Sequence[int]) -> None:
        self._gateway = gateway
        self._ports = ports
        self._servers: list[asyncio.Server] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _open(self) -> None:
        for port in self._ports:
            self._servers.append(await asyncio.start_server(_carrier(port), self._gateway, port))

    async def _close(self) -> None:
        """Nothing is taken any more, and what is under way is cut."""
        for server in self._servers:
            server.close()
            server.close_clients()
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        for server in self._servers:
            await server.wait_closed()
        await asyncio.sleep(0)  # a socket is closed by the loop, after its transport


def _carrier(port: int) -> Carry:
    async def carry(near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        with closing(near_out):
            far_in, far_out = await asyncio.open_connection(LOOPBACK, port)
            with closing(far_out), suppress(OSError):
                await asyncio.gather(_copy(near_in, far_out), _copy(far_in, near_out))

    return carry


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while octets := await source.read(65_536):
        target.write(octets)
        await target.drain()
    target.write_eof()
