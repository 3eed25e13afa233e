"""The sandbox as a process: what only a socket can show."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.sandbox.client import SandboxClient, SandboxRefused
from local.sandbox.effects import (
    ContentLength,
    Drift,
    Effect,
    Hang,
    Raw,
    Reset,
    SlowBody,
    Status,
    Truncate,
)
from local.sandbox.faults import Fault
from local.sandbox.sandbox import Sandbox
from local.sandbox.server import SandboxServer
from local.sandbox.transport import SandboxTransport
from local.sandbox.world import DEFAULT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

NOW = "2026-09-30T12:00:00+00:00"


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    """One sandbox for the module; `control` begins it again for each test."""
    with SandboxServer(seed="wire", now=NOW, accounts=2, transactions=50) as running:
        yield running


@pytest.fixture
def control(server: SandboxServer) -> SandboxClient:
    """Its control API, after a reset."""
    server.control.reset()
    return server.control


@pytest.fixture
def mono(server: SandboxServer) -> Iterator[httpx.Client]:
    """A client with the key."""
    with httpx.Client(base_url=server.url, headers={"mono-sec-key": DEFAULT_KEY}, timeout=5) as client:
        yield client


@pytest.fixture
def path(control: SandboxClient) -> str:
    """The transactions of the first account."""
    return f"/v2/accounts/{control.accounts()[0]['id']}/transactions"


def test_the_process_answers_what_the_function_answers(control: SandboxClient, mono: httpx.Client, path: str) -> None:
    """Tests in process may stand for tests over the wire."""
    del control
    same = Sandbox(seed="wire", now=datetime.fromisoformat(NOW), accounts=2, transactions=50)
    with httpx.Client(
        transport=SandboxTransport(same), base_url="http://sandbox", headers={"mono-sec-key": DEFAULT_KEY}
    ) as here:
        for asked in (path, f"{path}?page=2&limit=7&type=debit", "/v2/accounts", "/v2/accounts/nobody"):
            assert mono.get(asked).content == here.get(asked).content


@pytest.mark.parametrize(
    ("effect", "errors"),
    [
        (Reset(), (httpx.ReadError,)),
        (Reset(after_bytes=0), (httpx.ReadError,)),
        (Truncate(announced="whole"), (httpx.RemoteProtocolError,)),
        (ContentLength(delta=9), (httpx.RemoteProtocolError,)),
        (Raw(text="no HTTP\r\n\r\n"), (httpx.RemoteProtocolError,)),
        (Hang(), (httpx.ReadTimeout,)),
    ],
)
def test_a_broken_delivery_is_broken_on_the_socket_and_the_next_request_is_well(
    control: SandboxClient, mono: httpx.Client, path: str, effect: Effect, errors: tuple[type[Exception], ...]
) -> None:
    """The faults are real ones: httpx itself raises for them."""
    control.inject(Fault(effect=effect))
    with pytest.raises(errors):
        mono.get(path, timeout=0.5)
    assert mono.get(path).json()["meta"]["total"] == 50


def test_a_late_answer_is_whole(control: SandboxClient, mono: httpx.Client, path: str) -> None:
    """A hang with an end is only late."""
    control.inject(Fault(effect=Hang(seconds=0.05)))
    assert mono.get(path).json()["meta"]["total"] == 50


def test_a_dripping_body_outlives_every_read_timeout(control: SandboxClient, mono: httpx.Client, path: str) -> None:
    """Byte by byte no read times out: only a total deadline ends it."""
    control.inject(Fault(effect=SlowBody(bytes_per_second=20_000)))
    with mono.stream("GET", f"{path}?limit=1", timeout=0.1) as answer:
        parts = list(answer.iter_raw())
    assert len(parts) > 50
    control.inject(Fault(effect=SlowBody(bytes_per_second=1)))
    with mono.stream("GET", path, timeout=5) as answer:
        assert next(answer.iter_raw()) == b"{"


def test_a_hanging_request_delays_no_other(control: SandboxClient, mono: httpx.Client, path: str) -> None:
    """One worker's bad luck is not the others'."""
    control.inject(Fault(effect=Hang(), page=2))
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(mono.get, path, params={"page": 2}, timeout=1)
        assert mono.get(path).status_code == 200
        assert isinstance(hanging.exception(), httpx.ReadTimeout)


def test_faults_and_mutations_go_through_the_control_api(control: SandboxClient, mono: httpx.Client, path: str) -> None:
    """The client has the sandbox's methods, and its objects survive the way."""
    account = path.split("/")[3]
    control.inject(
        Fault(effect=Drift(operation="add", arguments={"count": 4}), page=2), Fault(effect=Status(status=502))
    )
    assert mono.get(path).status_code == 502
    assert mono.get(path, params={"page": 2}).json()["meta"]["total"] == 54
    control.add(account, instants=["2026-09-01T10:00:00Z"])
    assert len(control.truth(account)["bank"]) == 55
    assert [asked["status"] for asked in control.requests()] == [502, 200]
    with pytest.raises(SandboxRefused, match="unknown"):
        control.add("0" * 24)


class Receiver(BaseHTTPRequestHandler):
    """Takes webhooks and answers each with the next of `statuses`."""

    received: Queue[tuple[str | None, bytes]]
    statuses: list[int]

    def do_POST(self) -> None:
        """Keep one webhook."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.received.put((self.headers["mono-webhook-secret"], body))
        self.send_response(self.statuses.pop(0) if self.statuses else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Say nothing."""


@pytest.fixture
def receiver() -> Iterator[tuple[str, type[Receiver]]]:
    """A listening receiver's URL, and what it holds."""
    kind = type("Receiving", (Receiver,), {"received": Queue(), "statuses": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as listening:
        thread = Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/hook", kind
        listening.shutdown()
        thread.join()


def test_a_webhook_arrives_with_the_plain_secret_and_again_until_it_is_taken(
    control: SandboxClient, mono: httpx.Client, path: str, receiver: tuple[str, type[Receiver]]
) -> None:
    """Mono retries what is not answered 2xx (Mono contract 5.2)."""
    url, receiving = receiver
    receiving.statuses.extend([503, 500])
    control.set_webhook_target(url=url, secret="a plain secret", retry_seconds=0.01)
    assert mono.post(path.replace("/transactions", "/unlink")).status_code == 200
    deliveries = [receiving.received.get(timeout=5) for _ in range(3)]
    assert {secret for secret, _ in deliveries} == {"a plain secret"}
    assert len({body for _, body in deliveries}) == 1
    assert b"mono.events.account_unlinked" in deliveries[0][1]


def test_a_webhook_can_carry_another_secret_and_come_twice(
    control: SandboxClient, receiver: tuple[str, type[Receiver]]
) -> None:
    """What a forger or a repeating Mono sends."""
    url, receiving = receiver
    control.set_webhook_target(url=url)
    control.fire_webhook(body={"event": "x"}, secret="wrong", copies=2)
    assert [receiving.received.get(timeout=5) for _ in range(2)] == [("wrong", b'{"event": "x"}')] * 2


def test_the_server_ends_with_the_program_that_started_it() -> None:
    """Nothing is left behind listening."""
    with SandboxServer(accounts=0) as running:
        host, port = running.url.removeprefix("http://").split(":")
        socket.create_connection((host, int(port))).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))
