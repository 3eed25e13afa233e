"""An HTTP answer of Mono's: its status as an error of the tree, its body as bounded bytes."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from mono_pipeline.core.errors import (
    MonoNotFound,
    MonoRateLimited,
    MonoRefused,
    MonoRejected,
    MonoServerError,
    MonoUnintelligible,
    MonoUnreachable,
)
from mono_pipeline.core.retry_after import retry_after_seconds
from mono_pipeline.core.wire import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import httpx

    from mono_pipeline.core.deadline import Deadline

MAX_BODY = 8 * 1024 * 1024  # bytes, decompressed: a page of 100 rows has 25 kB

_GZIP = 16 + zlib.MAX_WBITS


def refuse_status(response: httpx.Response) -> None:
    """Do nothing for a status that carries a whole answer, 200 and 201.

    Raises:
        MonoError: for any other, as the error tree has it. A redirect is a `MonoRejected`: it is never followed.
    """
    status = response.status_code
    match status:
        case 200 | 201:
            return
        case 401 | 402 | 403:
            raise MonoRefused(status)
        case 404 | 410:
            raise MonoNotFound(status)
        case 429:
            headers = response.headers
            raise MonoRateLimited(retry_after_seconds(headers.get("retry-after"), answered_at=headers.get("date")))
        case _ if 300 <= status < 500:  # noqa: PLR2004 - the classes of RFC 9110 15
            raise MonoRejected(status)
        case _ if 500 <= status < 600:  # noqa: PLR2004 - as above
            raise MonoServerError(status)
        case _:
            raise MonoUnintelligible(Refusal.UNEXPECTED_STATUS)


def read_body(response: httpx.Response, deadline: Deadline) -> bytes:
    """The whole decompressed body of a streamed answer that calls itself JSON.

    Raises:
        MonoUnintelligible: another content type (`not_json`), more than 8 MiB (`too_large`), or an encoding that we did
            not ask for, broken or cut short (`undecodable`).
        MonoUnreachable: the deadline passed. What httpx raises is left to the caller.
    """
    if not _is_json(response.headers.get("content-type", "")):
        raise MonoUnintelligible(Refusal.NOT_JSON)
    pieces = _in_time(response.iter_raw(), deadline)
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding == "gzip":
        return _gunzip(pieces)
    if encoding != "identity":
        raise MonoUnintelligible(Refusal.UNDECODABLE)
    return b"".join(_bounded(pieces))


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))


def _in_time(pieces: Iterable[bytes], deadline: Deadline) -> Iterator[bytes]:
    for piece in pieces:
        if deadline.expired:
            raise MonoUnreachable("the deadline passed while Mono was answering")
        yield piece


def _bounded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > MAX_BODY:
            raise MonoUnintelligible(Refusal.TOO_LARGE)
        yield piece


def _gunzip(pieces: Iterable[bytes]) -> bytes:
    """Decompress at most `MAX_BODY` bytes.

    httpx would decompress each piece to its end first: 64 kB off the wire can be 64 MB, in every thread at once.
    """
    gzip, body = zlib.decompressobj(_GZIP), bytearray()
    try:
        for piece in _bounded(pieces):
            body += gzip.decompress(piece, MAX_BODY + 1 - len(body))
            if len(body) > MAX_BODY:
                raise MonoUnintelligible(Refusal.TOO_LARGE)
    except zlib.error:
        raise MonoUnintelligible(Refusal.UNDECODABLE) from None
    if not gzip.eof or gzip.unused_data:
        raise MonoUnintelligible(Refusal.UNDECODABLE)
    return bytes(body)
