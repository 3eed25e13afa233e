"""Answers in place of Mono's own: refusals, foreign bodies, redirects, things that are not HTTP."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from local.sandbox.effects.base import BaseEffect
from local.sandbox.message import Delivery, ResponseParts, json_response
from local.sandbox.wire import failure

if TYPE_CHECKING:
    from local.sandbox.world import World

JSON_TYPE = "application/json; charset=utf-8"


class Status(BaseEffect):
    """An HTTP status with Mono's body for it, or with a body of its own."""

    kind: Literal["status"] = "status"
    status: int
    message: str | None = None
    body: Any = None
    headers: dict[str, str] = Field(default_factory=dict)

    def instead(self, world: World) -> ResponseParts:
        """The refusal."""
        if self.body is not None:
            return json_response(self.status, self.body, self.headers)
        refusal = failure(self.status, now=world.clock.now(), message=self.message)
        return replace(refusal, headers={**refusal.headers, **self.headers})


class RateLimited(BaseEffect):
    """429 with any text at all as `Retry-After`, or without one."""

    kind: Literal["rate_limited"] = "rate_limited"
    retry_after: str | None = None

    def instead(self, world: World) -> ResponseParts:
        """The refusal."""
        headers = {} if self.retry_after is None else {"retry-after": self.retry_after}
        return Status(status=429, headers=headers).instead(world)


class Body(BaseEffect):
    """Any bytes as the body: `text`, `base64` or `document` (JSON); HTML, nothing, a bare `null`, whatever."""

    kind: Literal["body"] = "body"
    status: int = 200
    text: str | None = None
    base64: str | None = None
    document: Any = None
    content_type: str | None = JSON_TYPE
    headers: dict[str, str] = Field(default_factory=dict)

    def instead(self, world: World) -> ResponseParts:
        """The body as it was given."""
        del world
        typed = {} if self.content_type is None else {"content-type": self.content_type}
        return ResponseParts(status=self.status, body=self._bytes(), headers={**typed, **self.headers})

    def _bytes(self) -> bytes:
        if self.base64 is not None:
            return b64decode(self.base64)
        if self.text is not None:
            return self.text.encode("utf-8", "surrogatepass")
        return json.dumps(self.document).encode()


class Html(BaseEffect):
    """200 with a web page, as a proxy or a maintenance notice sends."""

    kind: Literal["html"] = "html"

    def instead(self, world: World) -> ResponseParts:
        """The web page."""
        page = "<!doctype html><html><body><h1>We will be back soon</h1></body></html>"
        return Body(text=page, content_type="text/html; charset=utf-8").instead(world)


class GzipBomb(BaseEffect):
    """A small gzip body that swells to `megabytes` of spaces inside a JSON answer."""

    kind: Literal["gzip_bomb"] = "gzip_bomb"
    megabytes: int = 200

    def instead(self, world: World) -> ResponseParts:
        """The bomb."""
        del world
        headers = {"content-type": JSON_TYPE, "content-encoding": "gzip"}
        return ResponseParts(status=200, body=_bomb(self.megabytes), headers=headers)


class Redirect(BaseEffect):
    """A redirect to anywhere."""

    kind: Literal["redirect"] = "redirect"
    location: str
    status: int = 302

    def instead(self, world: World) -> ResponseParts:
        """The redirect."""
        del world
        return ResponseParts(status=self.status, body=b"", headers={"location": self.location})


class Raw(BaseEffect):
    """Any bytes in place of the whole answer, head included; the connection ends after them."""

    kind: Literal["raw"] = "raw"
    text: str

    def instead(self, world: World) -> ResponseParts:
        """The bytes, for the socket."""
        del world
        raw = self.text.encode("latin-1")
        return ResponseParts(status=200, body=b"", delivery=Delivery(raw=raw))


@lru_cache(maxsize=4)
def _bomb(megabytes: int) -> bytes:
    return gzip.compress(b'{"status":"successful","data":[' + b" " * (megabytes << 20) + b"]}", mtime=0)
