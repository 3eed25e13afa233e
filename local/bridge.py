"""Ports of this machine's loopback, carried to the Docker bridge: containers reach them, and nobody else does."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_network
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Any, Self

from local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            for port in self._ports:
                server = opened.enter_context(_Server((self._gateway, port), _Carrier))
                opened.callback(server.cut)
                thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
                thread.start()
                opened.callback(thread.join)
                opened.callback(server.shutdown)
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is taken any more, what is under way is cut, and every thread has ended."""
        self._open.close()


class _Server(ThreadingTCPServer):
    """Closing it waits for the threads of its connections."""

    allow_reuse_address = True

    def __init__(self, *where: Any) -> None:
        super().__init__(*where)
        self._lock = threading.Lock()
        self._under_way: set[socket.socket] = set()
        self._is_cut = False

    def cut(self) -> None:
        """End every connection, also one that was taken a moment ago."""
        with self._lock:
            self._is_cut = True
            for each in self._under_way:
                _hang_up(each)

    @contextmanager
    def held(self, *ends: socket.socket) -> Iterator[None]:
        """Both ends of a connection, for as long as it is carried."""
        with self._lock:
            self._under_way.update(ends)
            if self._is_cut:
                for each in ends:
                    _hang_up(each)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.difference_update(ends)


class _Carrier(BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        port = int(self.server.server_address[1])
        with suppress(OSError), socket.create_connection((LOOPBACK, port)) as far, self.server.held(self.request, far):
            there = threading.Thread(target=_copy, args=(self.request, far))
            there.start()
            _copy(far, self.request)
            there.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """What one end says, and that it has said all."""
    try:
        while octets := source.recv(65_536):
            target.sendall(octets)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        _hang_up(source)
        _hang_up(target)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
