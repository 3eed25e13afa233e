"""The client against servers that misbehave on real sockets."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import struct
import threading
import time
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mono_pipeline.adapters.mono_client import MonoClient
from mono_pipeline.adapters.mono_transport import DeadlineTransport
from mono_pipeline.core import errors
from mono_pipeline.core.classify import TreatmentKind, classify
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.mono_address import MONO_BASE_URL
from mono_pipeline.core.secret import Secret
from tests.faults.hostile import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mono_pipeline.core.wire import TransactionPage

pytestmark = pytest.mark.integration

KEY = "test_sk_0123456789abcdef"
ACCOUNT = "686265c6c41fad92985e806c"
BODY = json.dumps(
    {
        "status": "successful",
        "message": "x",
        "data": [{"id": "a", "amount": 1, "type": "debit", "date": "2026-11-01T00:00:00Z"}],
        "meta": {"total": 1, "page": 1, "previous": None, "next": None},
    }
).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GOOD = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
MIB = 1024 * 1024

type Conversation = Callable[[socket.socket], None]


class Server:
    """Answers every connection with the same conversation, each in a thread of its own, until the test ends."""

    def __init__(self, conversation: Conversation, stop: threading.Event) -> None:
        self.connections = 0
        self.received = bytearray()
        self.stop = stop
        self._conversation = conversation
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Stop listening and wait for every conversation to end."""
        self.stop.set()
        with socket.create_connection(("127.0.0.1", self.port)):  # wakes the accept
            pass
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self.stop.is_set():
                connection.close()
                return
            self.connections += 1
            self._threads.append(threading.Thread(target=self._converse, args=(connection,)))
            self._threads[-1].start()

    def _converse(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._conversation(connection)
            except OSError:
                return  # the client hung up, which is what most tests are about

    def request(self, connection: socket.socket) -> bytes:
        """The next request of a connection, empty when it was closed."""
        request = b""
        while not request.endswith(b"\r\n\r\n"):
            piece = connection.recv(65_536)
            if not piece:
                return b""
            request += piece
        self.received += request
        return request


@contextmanager
def serving(conversation: Callable[[Server, socket.socket], None]) -> Iterator[Server]:
    """A server of this conversation."""
    holder: list[Server] = []
    holder.append(Server(lambda connection: conversation(holder[0], connection), threading.Event()))
    try:
        yield holder[0]
    finally:
        holder[0].close()


def answering(answer: bytes) -> Callable[[Server, socket.socket], None]:
    """The conversation that answers every request of a connection with these bytes and keeps it open."""

    def conversation(server: Server, connection: socket.socket) -> None:
        while server.request(connection):
            connection.sendall(answer)

    return conversation


@contextmanager
def client_of(
    server: Server,
    *,
    scheme: str = "http",
    answer_seconds: float = 20.0,
    transport: DeadlineTransport | None = None,
) -> Iterator[MonoClient]:
    """A client of a local server."""
    client = MonoClient(
        base_url=f"{scheme}://127.0.0.1:{server.port}",
        secret_key=Secret(KEY),
        environment="local",
        answer_seconds=answer_seconds,
        transport=transport,
    )
    try:
        yield client
    finally:
        client.close()


def read_page(client: MonoClient, *, seconds: float = 30.0) -> TransactionPage:
    """Page 1 of the account."""
    deadline = Deadline.after(seconds)
    return client.transactions(ACCOUNT, window=None, page=1, limit=100, deadline=deadline, today=date(2026, 11, 24))


def failure_of(
    server: Server, *, seconds: float = 30.0, answer_seconds: float = 20.0
) -> tuple[errors.MonoError, float]:
    """How a page of this server fails, and after how many seconds."""
    with client_of(server, answer_seconds=answer_seconds) as client:
        began = time.monotonic()
        with pytest.raises(errors.MonoError) as raised:
            read_page(client, seconds=seconds)
        return raised.value, time.monotonic() - began


def test_pages_come_over_one_connection_kept_alive() -> None:
    """A handshake for each page would double its time."""
    with serving(answering(GOOD)) as server, client_of(server) as client:
        for _ in range(5):
            assert read_page(client).row_count == 1
        assert server.connections == 1
        assert f"mono-sec-key: {KEY}".encode() in server.received.lower()


def test_threads_share_the_client() -> None:
    """Pages are read ahead by several threads, each with its own deadline."""
    with serving(answering(GOOD)) as server, client_of(server) as client, ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda _: read_page(client), range(64)))
    assert [page.row_count for page in pages] == [1] * 64
    assert server.connections <= 8


def _drip(server: Server, connection: socket.socket, answer: bytes) -> None:
    for byte in answer:
        if server.stop.wait(0.02):
            return
        connection.sendall(bytes([byte]))


def test_a_body_byte_by_byte_ends_with_the_deadline() -> None:
    """Each single read is in time, the whole is not."""

    def conversation(server: Server, connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
        _drip(server, connection, b" " * 250)

    with serving(conversation) as server:
        error, seconds = failure_of(server, seconds=0.5)
    assert type(error) is errors.MonoUnreachable
    assert 0.4 < seconds < 3


def test_headers_byte_by_byte_end_with_the_deadline() -> None:
    """Httpx alone would wait for as long as a byte comes now and then."""

    def conversation(server: Server, connection: socket.socket) -> None:
        server.request(connection)
        _drip(server, connection, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 250)

    with serving(conversation) as server:
        error, seconds = failure_of(server, seconds=0.5)
    assert type(error) is errors.MonoUnreachable
    assert 0.4 < seconds < 3


def _hang(server: Server, connection: socket.socket) -> None:
    server.request(connection)
    server.stop.wait(30)


def test_a_server_that_never_answers_ends_with_the_deadline() -> None:
    """It accepts, and that is all."""
    with serving(_hang) as server:
        error, seconds = failure_of(server, seconds=0.5)
    assert type(error) is errors.MonoUnreachable
    assert 0.4 < seconds < 3


def test_one_answer_never_takes_longer_than_the_clients_own_limit() -> None:
    """However far the deadline of the invocation is."""
    with serving(_hang) as server:
        error, seconds = failure_of(server, seconds=600, answer_seconds=0.5)
    assert type(error) is errors.MonoUnreachable
    assert 0.4 < seconds < 3


def test_a_tls_handshake_that_never_ends_ends_with_the_deadline() -> None:
    """The time before the first byte of HTTP counts too."""

    def conversation(server: Server, _: socket.socket) -> None:
        server.stop.wait(30)

    with serving(conversation) as server, client_of(server, scheme="https") as client:
        began = time.monotonic()
        with pytest.raises(errors.MonoUnreachable):
            read_page(client, seconds=0.5)
        assert time.monotonic() - began < 3


def test_a_connection_is_not_used_again_after_its_deadline_passed() -> None:
    """Half an answer would be read as the next one."""
    turns = iter([False, True])

    def conversation(server: Server, connection: socket.socket) -> None:
        whole = next(turns)
        while server.request(connection):
            connection.sendall(GOOD if whole else GOOD[:-10])

    with serving(conversation) as server, client_of(server) as client:
        with pytest.raises(errors.MonoUnreachable):
            read_page(client, seconds=0.3)
        assert read_page(client).row_count == 1
        assert server.connections == 2


def test_a_refused_connection_is_no_answer() -> None:
    """Nobody listens there any more."""
    with serving(_hang) as server:
        pass
    error, _ = failure_of(server)
    assert type(error) is errors.MonoUnreachable


@pytest.mark.parametrize("sent", [b"", HEAD, HEAD + b"Content-Length: 5000\r\n\r\n" + BODY[:40]])
def test_a_connection_reset_is_no_answer(sent: bytes) -> None:
    """Before, in and after the headers; never a shorter page."""

    def conversation(server: Server, connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(sent)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with RST

    with serving(conversation) as server:
        error, _ = failure_of(server)
    assert type(error) is errors.MonoUnreachable


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (HEAD + b"Content-Length: 5000\r\n\r\n" + BODY, errors.MonoUnreachable),
        (HEAD + b"Content-Length: 40\r\n\r\n" + BODY, errors.MonoUnintelligible),
        (HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"sta\r\n', errors.MonoUnreachable),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n", errors.MonoUnreachable),
        (HEAD + b"Content-Length: 40\r\nContent-Length: 41\r\n\r\n" + BODY, errors.MonoUnreachable),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + b"HTTP/1.1 204 No Content\r\n\r\n", errors.MonoUnintelligible),
        (b"HTTP/1.1 206 Partial Content\r\nContent-Length: 0\r\n\r\n", errors.MonoUnintelligible),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", errors.MonoRejected),
        (b"SSH-2.0-OpenSSH_9.9\r\n", errors.MonoUnreachable),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, errors.MonoUnreachable),
    ],
)
def test_broken_http_is_an_error_of_the_tree(answer: bytes, error: type[errors.MonoError]) -> None:
    """Lengths that are wrong, chunks that are none, statuses without a whole answer, another protocol."""

    def conversation(server: Server, connection: socket.socket) -> None:
        server.request(connection)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        server.request(connection)

    with serving(conversation) as server:
        raised, _ = failure_of(server)
    assert type(raised) is error


def _bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(bytes(MIB)) for _ in range(256)) + packer.flush()


def test_a_gzip_bomb_is_refused_in_little_memory() -> None:
    """A quarter of a gigabyte in a quarter of a megabyte on the wire: counted while it is decompressed, not after."""
    bomb = _bomb()
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    with serving(answering(head + bomb)) as server:
        tracemalloc.start()
        try:
            error, _ = failure_of(server)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert isinstance(error, errors.MonoUnintelligible)
    assert error.reason == "too_large"
    assert peak < 32 * MIB


def test_a_body_without_end_is_refused() -> None:
    """It is not read to see how long it is."""
    sent = 0

    def conversation(server: Server, connection: socket.socket) -> None:
        nonlocal sent
        server.request(connection)
        connection.sendall(HEAD + b"\r\n")
        while not server.stop.is_set():
            connection.sendall(b" " * MIB)
            sent += 1

    with serving(conversation) as server:
        error, _ = failure_of(server)
    assert isinstance(error, errors.MonoUnintelligible)
    assert error.reason == "too_large"
    assert sent < 32


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_the_key_reaches_nobody_else(status: int) -> None:
    """The other host is not even connected to."""
    with ExitStack() as stack:
        other = stack.enter_context(serving(answering(GOOD)))
        head = f"HTTP/1.1 {status} Moved\r\nLocation: http://127.0.0.1:{other.port}/\r\nContent-Length: 0\r\n\r\n"
        server = stack.enter_context(serving(answering(head.encode())))
        error, _ = failure_of(server)
        assert isinstance(error, errors.MonoRejected)
        assert (error.status, server.connections) == (status, 1)
        assert other.connections == 0


def test_a_next_link_to_another_host_is_never_followed() -> None:
    """It says that more comes, and nothing else."""
    with ExitStack() as stack:
        other = stack.enter_context(serving(answering(GOOD)))
        evil = json.dumps(f"http://127.0.0.1:{other.port}/v2/accounts/{ACCOUNT}/transactions?page=2").encode()
        body = BODY.replace(b'"next": null', b'"next": ' + evil)
        server = stack.enter_context(serving(answering(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)))
        client = stack.enter_context(client_of(server))
        assert read_page(client).has_next
        assert read_page(client).row_count == 1
        assert other.connections == 0


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """Whom every variable names that a proxy can be named by; it hears whatever is sent through it."""
    with Listener() as listener:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            for spelt in (name, name.upper()):
                monkeypatch.setenv(spelt, f"http://127.0.0.1:{listener.port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield listener


def test_proxies_of_the_environment_are_not_used(proxy: Listener) -> None:
    """They would see the key: not a byte reaches them."""
    with serving(answering(GOOD)) as server:
        with client_of(server) as client:
            assert read_page(client).row_count == 1
        assert server.connections == 1
    assert proxy.heard() == (0, 0)


def test_no_proxy_is_asked_for_a_tunnel(proxy: Listener, certificate: Path) -> None:
    """It would choose who gets the key: the handshake is the server's own, and here it fails there."""
    with serving(over_tls(certificate, answering(GOOD))) as server:
        with client_of(server, scheme="https") as client, pytest.raises(errors.MonoUntrusted):
            read_page(client)
        assert server.connections == 1
    assert proxy.heard() == (0, 0)


def test_mono_itself_is_asked_without_a_proxy(proxy: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its own name, as in production; that name leads to this machine here, which is why it is hung up on."""
    look_up = socket.getaddrinfo
    with Listener() as mono:

        def leads_here(host: str, port: int, *rest: Any, **options: Any) -> Any:
            at = ("127.0.0.1", mono.port) if host in MONO_BASE_URL else (host, port)
            return look_up(*at, *rest, **options)

        monkeypatch.setattr(socket, "getaddrinfo", leads_here)
        client = MonoClient(base_url=MONO_BASE_URL, secret_key=Secret(KEY), environment="prod")
        with pytest.raises(errors.MonoUnreachable):
            client.accounts(page=1, deadline=Deadline.after(5))
        client.close()
        assert mono.heard() == (1, 0)
    assert proxy.heard() == (0, 0)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that no authority has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a local server")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(pem)
    )
    return file


def over_tls(certificate: Path, conversation: Callable[[Server, socket.socket], None]) -> Callable[..., None]:
    """The same conversation behind a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def secured(server: Server, connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            conversation(server, tls)

    return secured


def trusting(certificate: Path) -> DeadlineTransport:
    """The client's own transport, with this certificate as its only authority."""
    return DeadlineTransport(tls=ssl.create_default_context(cafile=certificate), connections=1)


def test_an_untrusted_certificate_gets_no_key(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the environment trusts it; the error is one of its own, so that it is not retried."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving(over_tls(certificate, answering(GOOD))) as server, client_of(server, scheme="https") as client:
        with pytest.raises(errors.MonoUntrusted) as refused:
            read_page(client)
        assert classify(refused.value).kind is not TreatmentKind.RETRY
        assert server.received == b""


def test_a_trusted_certificate_is_served(certificate: Path) -> None:
    """The refusal above is of the certificate and of nothing else."""
    with (
        serving(over_tls(certificate, answering(GOOD))) as server,
        client_of(server, scheme="https", transport=trusting(certificate)) as client,
    ):
        assert read_page(client).row_count == 1
        assert read_page(client).row_count == 1
        assert server.connections == 1


def test_a_body_byte_by_byte_over_tls_ends_with_the_deadline_too(certificate: Path) -> None:
    """The deadline survives the handshake."""

    def conversation(server: Server, connection: socket.socket) -> None:
        server.request(connection)
        _drip(server, connection, HEAD + b"X: " + b"x" * 250)

    with (
        serving(over_tls(certificate, conversation)) as server,
        client_of(server, scheme="https", transport=trusting(certificate)) as client,
    ):
        began = time.monotonic()
        with pytest.raises(errors.MonoUnreachable):
            read_page(client, seconds=0.5)
        assert time.monotonic() - began < 3
