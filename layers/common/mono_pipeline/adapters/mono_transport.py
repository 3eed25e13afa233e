"""HTTP connections that end by a deadline, whatever the other side does.

httpx limits each single read. A server that sends one byte a second, in its headers too, is never over such a limit and
holds a Lambda until it is killed; here every read, write, connect and handshake gets what is left of one deadline.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator

    from mono_pipeline.core.deadline import Deadline

# Of the exchange under way in this thread: httpcore hands a socket nothing but seconds.
_until: ContextVar[Deadline] = ContextVar("_until")


@contextmanager
def ending_by(deadline: Deadline) -> Iterator[None]:
    """Let what a `DeadlineTransport` does in this block end by `deadline`, with httpx's own timeout errors."""
    token = _until.set(deadline)
    try:
        yield
    finally:
        _until.reset(token)


class DeadlineTransport(httpx.HTTPTransport):
    """httpx's own transport over sockets that know the deadline of `ending_by`; HTTP/1.1, no proxy, no retries.

    With `internet_only` a name that leads to a private address (DNS rebinding) is hung up on before a byte is sent.
    """

    def __init__(self, *, tls: ssl.SSLContext, connections: int, internet_only: bool = False) -> None:
        super().__init__(verify=tls, trust_env=False)
        # httpx has no parameter for the network backend; httpcore below it has, and the pool is where it goes.
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=60.0,
            network_backend=_DeadlineBackend(internet_only=internet_only),
        )


def _left(timeout: float | None, error: type[httpcore.TimeoutException]) -> float | None:
    deadline = _until.get(None)
    if deadline is None:
        return timeout
    left = deadline.remaining()
    if not left:
        raise error("the deadline passed")
    return left if timeout is None else min(left, timeout)


class _DeadlineBackend(httpcore.NetworkBackend):
    def __init__(self, *, internet_only: bool) -> None:
        self._sockets = httpcore.SyncBackend()
        self._internet_only = internet_only

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        stream = self._sockets.connect_tcp(host, port, left, local_address, socket_options)
        if self._internet_only and not ip_address(stream.get_extra_info("server_addr")[0]).is_global:
            stream.close()
            raise httpcore.ConnectError(f"{host} leads to an address that is not the internet's")
        return _DeadlineStream(stream)


class _DeadlineStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, left))

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
