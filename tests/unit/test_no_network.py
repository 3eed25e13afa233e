"""The fence around unit tests: without it one could quietly depend on what happens to listen somewhere."""

from __future__ import annotations

import socket

import pytest
from pytest_socket import SocketBlockedError


def test_a_unit_test_cannot_open_a_socket() -> None:
    """Not even to this machine."""
    with pytest.warns(UserWarning, match="socket"), pytest.raises(SocketBlockedError):
        socket.create_connection(("127.0.0.1", 9))


def test_a_unit_test_cannot_look_a_name_up() -> None:
    """A resolver is outside too."""
    with pytest.warns(UserWarning, match="getaddrinfo"), pytest.raises(SocketBlockedError):
        socket.getaddrinfo("api.withmono.com", 443)
