"""What is said to the bridge reaches the same port of the loopback, and nothing is left when it ends."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Final

import pytest

from local.bridge import Bridge
from local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

GATEWAY: Final = "127.0.0.2"  # another address of this machine, as Docker's bridge is


@pytest.fixture
def port() -> Iterator[int]:
    """Of a server that answers what it is told, once the other side has said all."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, connection.makefile("rb") as told:
                    connection.sendall(told.read())

        thread = threading.Thread(target=serve)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_what_is_said_arrives_and_the_answer_comes_back(port: int) -> None:
    """Also the end of what is said, after which the answer still comes."""
    with Bridge(GATEWAY, [port]), socket.create_connection((GATEWAY, port), timeout=5) as near:
        near.sendall(b"SELECT 1" * 20_000)
        near.shutdown(socket.SHUT_WR)
        with near.makefile("rb") as answer:
            assert answer.read() == b"SELECT 1" * 20_000


def test_it_ends_with_a_connection_under_way(port: int) -> None:
    """A container that was kept warm has one; no task, socket or loop is left (warnings are errors here)."""
    bridge = Bridge(GATEWAY, [port])
    with bridge, socket.create_connection((GATEWAY, port), timeout=5) as near:
        near.sendall(b"SELECT 1")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((GATEWAY, port), timeout=5)


def test_a_port_that_is_taken_is_said(port: int) -> None:
    """And what was opened before is closed again."""
    with socket.create_server((GATEWAY, 0)) as taken:
        other = int(taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            Bridge(GATEWAY, [port, other]).__enter__()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((GATEWAY, port), timeout=5)
