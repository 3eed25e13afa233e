"""A bank on real sockets: the sandbox's own answers, but for the requests that a twist is for."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from contextlib import suppress
from copy import replace
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from local.sandbox.message import RequestParts, ResponseParts
from mono_pipeline.adapters.mono_client import MonoClient
from mono_pipeline.adapters.mono_transport import DeadlineTransport
from mono_pipeline.core.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.sandbox.sandbox import Sandbox
    from mono_pipeline.usecases.collaborators import Collaborators
    from tests.harness import Pipeline

type Twist = Callable[[Conversation], None]


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """One request under way: the client's socket, the honest answer as bytes, and the bank's end."""

    client: socket.socket
    head: bytes
    body: bytes
    ended: threading.Event

    def drip(self, octets: bytes, *, seconds: float = 0.05) -> None:
        """Send byte by byte, until nobody listens."""
        for place in range(len(octets)):
            if self.ended.wait(seconds):
                return
            self.client.sendall(octets[place : place + 1])

    def reset(self) -> None:
        """End with RST."""
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()


class Listener:
    """Somebody else's server, which nobody should talk to: it counts connections and bytes."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self.port = int(self._listener.getsockname()[1])
        self.connections = 0
        self.octets = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        _close_listener(self._listener)
        self._thread.join(5)

    def heard(self) -> tuple[int, int]:
        """How many connections and bytes have come so far.

        It serves one after the other: when it hangs up on a last one of ours, it has heard all that came before.
        """
        with socket.create_connection(self._listener.getsockname()[:2]) as last:
            last.sendall(b"x")
            last.recv(1)
        self.connections -= 1
        self.octets -= 1
        return self.connections, self.octets

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                with client:
                    client.settimeout(2)
                    with suppress(OSError):
                        self.octets += len(client.recv(65536))


class HostileBank:
    """A context manager that serves `sandbox`; `twist` says which requests for transactions are answered otherwise."""

    def __init__(self, sandbox: Sandbox, tls: ssl.SSLContext | None = None) -> None:
        self._sandbox = sandbox
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ended = threading.Event()
        self._twist: Twist | None = None
        self._page: int | None = None
        self._clients: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.twisted = 0
        self.keys_received = 0

    def twist(self, act: Twist | None, *, page: int | None = None) -> None:
        """From now on answer requests for transactions (of a page) by `act`; None: honestly."""
        self._twist, self._page = act, page

    def worker(
        self, pipeline: Pipeline, *, answer_seconds: float = 20.0, trust: ssl.SSLContext | None = None
    ) -> Collaborators:
        """A worker of `pipeline` that reaches this bank over its socket."""
        scheme = "https" if self._tls else "http"
        tls = trust or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client = MonoClient(
            base_url=f"{scheme}://localhost:{self.port}",
            secret_key=Secret(self._sandbox.secret_key),
            environment="local",
            transport=DeadlineTransport(tls=tls, connections=16),
            answer_seconds=answer_seconds,
        )
        pipeline._open.append(client.close)
        return replace(pipeline.new_worker(), mono=client)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        _close_listener(self._listener)
        for client in self._clients:
            with suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for client in self._clients:
            client.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._clients.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):  # the client hung up, as it should on what we send
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
                self._clients.append(client)
            while asked := _read_request(client):
                self.keys_received += "mono-sec-key" in asked.headers
                self._answer(client, asked)

    def _answer(self, client: socket.socket, asked: RequestParts) -> None:
        answer = self._sandbox.respond(asked)
        if self._is_twisted(asked):
            assert self._twist is not None
            self.twisted += 1
            head = _head(answer, "connection: close")  # or the next attempt may go out on it and find it closed
            self._twist(Conversation(client=client, head=head, body=answer.body, ended=self._ended))
            client.close()
        else:
            client.sendall(_head(answer) + answer.body)

    def _is_twisted(self, asked: RequestParts) -> bool:
        if self._twist is None or not asked.path.endswith("/transactions"):
            return False
        return self._page is None or asked.parameters.get("page") == str(self._page)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()


def free_of_listeners() -> int:
    """A loopback port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _read_request(client: socket.socket) -> RequestParts | None:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = client.recv(65536)
        if not piece:
            return None
        received += piece
    first, *lines = received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    url = urlsplit(target)
    pairs = [line.partition(":") for line in lines]
    headers = {name.strip().lower(): text.strip() for name, _, text in pairs}
    return RequestParts(method=method, path=url.path, query=url.query, headers=headers)


def _head(answer: ResponseParts, *more: str) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {text}" for name, text in answer.headers.items()), *more]
    return "\r\n".join([*lines, f"content-length: {len(answer.body)}", "", ""]).encode("latin-1")


def _close_listener(listener: socket.socket) -> None:
    with suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)
    listener.close()
