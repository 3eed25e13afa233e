"""TCP ports on loopback: a free one, or who holds a taken one."""

from __future__ import annotations

import contextlib
import socket
from typing import Final

import psutil

LOOPBACK: Final = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listens on now; the kernel picks it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def answers(port: int) -> bool:
    """Whether somebody accepts connections on this loopback port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((LOOPBACK, port)) == 0


def holder(port: int) -> str:
    """Who listens on the port, for people: "python3 (pid 4711)", or "a process of another user"."""
    try:
        sockets = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "a process of another user"
    for open_socket in sockets:
        listens = open_socket.status == psutil.CONN_LISTEN and open_socket.laddr and open_socket.laddr.port == port
        if listens and open_socket.pid is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                return f"{psutil.Process(open_socket.pid).name()} (pid {open_socket.pid})"
    return "a process of another user"
