"""An AWS endpoint on a real socket that answers every call as it is told to."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

LONGER_THAN_ANYBODY_WAITS: Final = 30.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """`seconds` is how long it takes."""

    status: int = 200
    told: Any = None
    seconds: float = 0.0


def refusal(code: str, *, status: int = 400) -> Reply:
    """AWS's way to say no."""
    return Reply(status=status, told={"__type": code, "message": code})


def parameter(value: str, *, name: str = "", kind: str = "String") -> Reply:
    """SSM's answer to GetParameter and GetParameters alike."""
    found = {"Name": name, "Type": kind, "Value": value, "Version": 7, "ARN": "arn:aws:ssm:::parameter/x"}
    return Reply(told={"Parameter": found, "Parameters": [found], "InvalidParameters": []})


THROTTLED: Final = refusal("ThrottlingException")
BROKEN: Final = refusal("InternalServerError", status=500)
HANGS: Final = Reply(seconds=LONGER_THAN_ANYBODY_WAITS)


class HostileAws:
    """A context manager. `reply` may be changed at any time; `calls` counts what came in."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.calls = 0
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        aws = self

        class Handler(BaseHTTPRequestHandler):
            """One call."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """Answer as told."""
                aws.calls += 1
                self.rfile.read(int(self.headers["Content-Length"]))
                reply = aws.reply
                if reply.seconds and aws._over.wait(reply.seconds):
                    self.close_connection = True
                    return
                body = json.dumps(reply.told).encode()
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        return Handler
