"""A proxy before PostgreSQL that cuts a connection at one statement: before it arrives, or before its answer does.

Cut after COMMIT has arrived, the server has committed and the client cannot know: the in-doubt commit.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

_QUERY, _SYNC, _PARSE = b"Q", b"S", b"P"
_READY: Final = b"Z"


class CuttingProxy:
    """Listens at `port`. `arm` chooses where to cut; `statements` are those that have passed since, by their text."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.statements: list[str] = []
        self._cut_at: int | None = None
        self._after = False
        self.cut = False
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, number: int | None, *, after: bool) -> None:
        """Cut at statement `number` (from 1) from now on, once; None cuts never."""
        self.statements, self._cut_at, self._after, self.cut = [], number, after, False

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(("127.0.0.1", self._upstream))
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._converse(client.makefile("rb"), client, server.makefile("rb"), server)
        except OSError:
            return
        finally:
            for end in (client, server):
                _hang_up(end)

    def _converse(self, asked: object, client: socket.socket, told: object, server: socket.socket) -> None:
        """Question and answer: one statement goes up, and everything until PostgreSQL is ready comes down."""
        server.sendall(_first(asked))
        client.sendall(_until_ready(told))
        while True:
            question, text = _question(asked)
            if not question:
                return
            self.statements.append(text)
            here = len(self.statements) == self._cut_at
            if here and not self._after:
                self.cut = True
                return
            server.sendall(question)
            answer = _until_ready(told)
            if here:
                self.cut = True
                return
            client.sendall(answer)


def _hang_up(end: socket.socket) -> None:
    """Now, whatever files still stand on it."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


def _first(stream: object) -> bytes:
    """The startup message, which has no type."""
    head = stream.read(4)  # type: ignore[attr-defined]
    return head + stream.read(int.from_bytes(head) - 4)  # type: ignore[attr-defined,no-any-return]


def _message(stream: object) -> tuple[bytes, bytes]:
    head = stream.read(5)  # type: ignore[attr-defined]
    if len(head) < 5:
        return b"", b""
    return head[:1], head + stream.read(int.from_bytes(head[1:]) - 4)  # type: ignore[attr-defined]


def _question(stream: object) -> tuple[bytes, str]:
    """Everything up to what asks for an answer, and the statement's text."""
    collected, text = b"", ""
    while True:
        kind, message = _message(stream)
        if not kind or kind == b"X":
            return b"", ""
        collected += message
        if kind in {_QUERY, _PARSE}:
            text = message[5:].strip(b"\x00").decode(errors="replace")
        if kind in {_QUERY, _SYNC}:
            return collected, text


def _until_ready(stream: object) -> bytes:
    collected = b""
    while True:
        kind, message = _message(stream)
        if not kind:
            raise OSError("PostgreSQL hung up")
        collected += message
        if kind == _READY:
            return collected
