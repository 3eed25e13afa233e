# ruff: noqa: INP001 - Python imports this file by its name when it starts
"""In a container of `sam local`: what is said to its loopback reaches the stack's."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress


def carry(source: socket.socket, target: socket.socket) -> None:
    """Hand on what one side says, until it ends."""
    try:
        with suppress(OSError):
            while octets := source.recv(65_536):
                target.sendall(octets)
    finally:
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def serve(listener: socket.socket, gateway: str, port: int) -> None:
    """A connection to the gateway for each that comes."""
    while True:
        near, _ = listener.accept()
        far = socket.create_connection((gateway, port))
        for source, target in ((near, far), (far, near)):
            threading.Thread(target=carry, args=(source, target), daemon=True).start()


for number in map(int, os.environ.get("BRIDGE_PORTS", "").split()):
    try:
        opened = socket.create_server(("127.0.0.1", number))
    except OSError:  # another process of this container has it
        continue
    threading.Thread(target=serve, args=(opened, os.environ["BRIDGE_GATEWAY"], number), daemon=True).start()
