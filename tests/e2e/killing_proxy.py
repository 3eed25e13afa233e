"""A road to the AWS stand-in on which a process is killed when it makes a call, before it gets through or after."""

from __future__ import annotations

import json
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Self

import httpx

if TYPE_CHECKING:
    import subprocess
    from types import TracebackType

_PASSED_ON: Final = ("X-Amz-Target", "Content-Type", "Authorization", "X-Amz-Date")


class KillingProxy:
    """A context manager; `victim` is killed at the first `target`. `receipts` are those of all messages received."""

    def __init__(self, endpoint: str, *, target: str, after: bool) -> None:
        self.victim: subprocess.Popen[str] | None = None
        self.receipts: list[str] = []
        self._target, self._after = target, after
        self._aws = httpx.Client(base_url=endpoint, timeout=30, trust_env=False)
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
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._aws.close()

    def _pass_on(self, target: str, body: bytes, headers: dict[str, str]) -> httpx.Response | None:
        """AWS's answer; None where there is nobody left who waits for it."""
        deadly = self.victim is not None and target.endswith(f".{self._target}")
        if deadly and not self._after:
            self._kill()
            return None
        answer = self._aws.post("/", content=body, headers=headers)
        if target.endswith(".ReceiveMessage"):
            self.receipts += [message["ReceiptHandle"] for message in json.loads(answer.content).get("Messages", [])]
        if deadly:
            self._kill()
            return None
        return answer

    def _kill(self) -> None:
        assert self.victim is not None
        self.victim.send_signal(signal.SIGKILL)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            """One call."""

            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                """Pass it on."""
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
                answer = proxy._pass_on(self.headers["X-Amz-Target"], body, headers)
                if answer is None:
                    self.close_connection = True
                    return
                self.send_response(answer.status_code)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        return Handler
