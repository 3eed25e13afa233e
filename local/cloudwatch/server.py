"""The stand-in's HTTP server on loopback."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from local.cloudwatch.wire import answer, refusal
from local.ports import LOOPBACK

if TYPE_CHECKING:
    from types import TracebackType

    from local.cloudwatch.points import Points


class CloudWatchServer:
    """Serves points in a thread of this process, on a free port unless one is given."""

    def __init__(self, points: Points, *, port: int = 0) -> None:
        self._server = _Server((LOOPBACK, port), _Handler)
        self._server.points = points
        self._server.refuses = False
        self._thread = threading.Thread(target=self._server.serve_forever, name="cloudwatch", daemon=True)

    @property
    def url(self) -> str:
        """Where it answers: an `AWS_ENDPOINT_URL`."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def refuse(self) -> None:
        """Refuse what is asked of CloudWatch from now on, as for a role that may not; STS needs no right."""
        self._server.refuses = True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    points: Points
    refuses: bool


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        """Every call of an AWS SDK is a POST."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = dict(self.headers)
        told = refusal(path=self.path, headers=headers) if self.server.refuses else None
        told = told or answer(self.server.points, path=self.path, headers=headers, body=body)
        self.send_response(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(told.body)))
        self.end_headers()
        self.wfile.write(told.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Every call is not worth a line."""
