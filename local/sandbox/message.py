"""What goes in and out of the sandbox: one request and one answer, whatever carries them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestParts:
    """One HTTP request; header names are lower case, `query` is the undecoded query string."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def parameters(self) -> dict[str, str]:
        """The query's parameters; of a repeated one the last counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    def document(self) -> dict[str, Any]:
        """The body as a JSON object; empty when it is none."""
        try:
            document = json.loads(self.body)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """How an answer reaches its reader when it does not simply arrive.

    Attributes:
        delay_seconds: How long to wait before the first byte; None is for ever.
        bytes_per_second: How fast the body drips; None is at once.
        cut_after: How many bytes of the body are sent before the end; None is all.
        reset: Whether the connection ends with a reset (RST).
        content_length: The length announced in place of the true one.
        raw: The bytes sent in place of the whole answer, head included; the connection ends after them.
    """

    delay_seconds: float | None = 0.0
    bytes_per_second: float | None = None
    cut_after: int | None = None
    reset: bool = False
    content_length: int | None = None
    raw: bytes | None = None

    @property
    def needs_socket(self) -> bool:
        """Whether more than a delay is asked, so that no well-behaved server could send it."""
        cuts = self.cut_after is not None or self.content_length is not None or self.raw is not None
        return cuts or self.reset or self.bytes_per_second is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseParts:
    """One HTTP answer; header names are lower case."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "application/json; charset=utf-8"})
    delivery: Delivery = field(default_factory=Delivery)


def json_response(status: int, document: Any, headers: Mapping[str, str] | None = None) -> ResponseParts:
    """An answer whose body is `document` as compact JSON."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return ResponseParts(
        status=status, body=body, headers={"content-type": "application/json; charset=utf-8", **(headers or {})}
    )
