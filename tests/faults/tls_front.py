"""TLS in front of a PostgreSQL that was built without it: answers the SSLRequest, and passes on what it decrypts."""

from __future__ import annotations

import socket
import ssl
import threading
from contextlib import suppress
from typing import Self

_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


class TlsFront:
    """A context manager. `sessions` counts the clients that finished the handshake, `versions` are their TLS's."""

    def __init__(self, postgres_port: int, context: ssl.SSLContext) -> None:
        self._behind = postgres_port
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.sessions = 0
        self.versions: set[str | None] = set()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for connection in self._open:
            connection.close()

    def lets_in(self, client: ssl.SSLSocket) -> bool:
        """Whether the server behind hears of a client that has said who it is; one that does not is told so here."""
        del client
        return True

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._run(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        self._open.append(client)
        if client.recv(8, socket.MSG_WAITALL) != _SSL_REQUEST:
            client.close()
            return
        client.sendall(b"S")
        try:
            inside = self._context.wrap_socket(client, server_side=True)
        except (ssl.SSLError, OSError):
            client.close()
            return
        self._open.append(inside)
        # a client that refuses our certificate says so after what we take for the end of the handshake
        with suppress(OSError):
            first = inside.recv(65536)
            if not first:
                return
            self.sessions += 1
            self.versions.add(inside.version())
            if not self.lets_in(inside):
                inside.close()
                return
            server = socket.create_connection(("127.0.0.1", self._behind))
            self._open.append(server)
            server.sendall(first)
            self._run(_pass_on, server, inside)
            _pass_on(inside, server)

    def _run(self, target: object, *arguments: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
