"""The sandbox behind a real socket, in a thread: what it serves can be changed between two points."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local.sandbox.message import RequestParts

if TYPE_CHECKING:
    from local.sandbox.sandbox import Sandbox


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bank: BankServer

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(6, 1, 1)  # TCP_NODELAY: head and body are two writes

    def do_GET(self) -> None:
        """Answer as the sandbox does."""
        url = urlsplit(self.path)
        headers = {name.lower(): text for name, text in self.headers.items()}
        asked = RequestParts(method="GET", path=url.path, query=url.query, headers=headers)
        answer = self.bank.sandbox.respond(asked)
        self.send_response_only(answer.status)
        for name, text in answer.headers.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A worker that was killed leaves its connection; nobody needs to hear of it."""


class BankServer:
    """Serves `sandbox`, which may be another one for each point."""

    sandbox: Sandbox

    def __init__(self) -> None:
        handler = type("Handler", (_Handler,), {"bank": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
