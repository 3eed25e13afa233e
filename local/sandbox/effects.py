"""What can go wrong with an answer: each effect acts on the request, on the page, or on the finished answer."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field

from local.sandbox.bank import hexadecimal
from local.sandbox.message import Delivery, RequestParts, ResponseParts, json_response
from local.sandbox.wire import encode_row, failure

if TYPE_CHECKING:
    from local.sandbox.pages import Page
    from local.sandbox.world import World

JSON_TYPE = "application/json; charset=utf-8"


class _Effect(BaseModel):
    """An effect changes nothing unless it says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def on_request(self, world: World, request: RequestParts) -> RequestParts:
        """The request to serve in place of the one that came; may change the bank first."""
        del world
        return request

    def instead(self, world: World) -> ResponseParts | None:
        """An answer in place of Mono's own, or None."""
        del world
        return None

    def on_page(self, page: Page, request: RequestParts) -> None:
        """Change a page of transactions before it is written."""

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """Change the finished answer or its delivery."""
        return response


class Status(_Effect):
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


class RateLimited(_Effect):
    """429 with any text at all as `Retry-After`, or without one."""

    kind: Literal["rate_limited"] = "rate_limited"
    retry_after: str | None = None

    def instead(self, world: World) -> ResponseParts:
        """The refusal."""
        headers = {} if self.retry_after is None else {"retry-after": self.retry_after}
        return Status(status=429, headers=headers).instead(world)


class Body(_Effect):
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


class Html(_Effect):
    """200 with a web page, as a proxy or a maintenance notice sends."""

    kind: Literal["html"] = "html"

    def instead(self, world: World) -> ResponseParts:
        """The web page."""
        page = "<!doctype html><html><body><h1>We will be back soon</h1></body></html>"
        return Body(text=page, content_type="text/html; charset=utf-8").instead(world)


class GzipBomb(_Effect):
    """A small gzip body that swells to `megabytes` of spaces inside a JSON answer."""

    kind: Literal["gzip_bomb"] = "gzip_bomb"
    megabytes: int = 200

    def instead(self, world: World) -> ResponseParts:
        """The bomb."""
        del world
        headers = {"content-type": JSON_TYPE, "content-encoding": "gzip"}
        return ResponseParts(status=200, body=_bomb(self.megabytes), headers=headers)


@lru_cache(maxsize=4)
def _bomb(megabytes: int) -> bytes:
    return gzip.compress(b'{"status":"successful","data":[' + b" " * (megabytes << 20) + b"]}", mtime=0)


class Redirect(_Effect):
    """A redirect to anywhere."""

    kind: Literal["redirect"] = "redirect"
    location: str
    status: int = 302

    def instead(self, world: World) -> ResponseParts:
        """The redirect."""
        del world
        return ResponseParts(status=self.status, body=b"", headers={"location": self.location})


class Raw(_Effect):
    """Any bytes in place of the whole answer, head included; the connection ends after them."""

    kind: Literal["raw"] = "raw"
    text: str

    def instead(self, world: World) -> ResponseParts:
        """The bytes, for the socket."""
        del world
        raw = self.text.encode("latin-1")
        return ResponseParts(status=200, body=b"", delivery=Delivery(raw=raw))


class Hang(_Effect):
    """Answers after `seconds`, or never."""

    kind: Literal["hang"] = "hang"
    seconds: float | None = None

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """The same answer, late."""
        return replace(response, delivery=replace(response.delivery, delay_seconds=self.seconds))


class SlowBody(_Effect):
    """The body drips."""

    kind: Literal["slow_body"] = "slow_body"
    bytes_per_second: float = 1.0

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """The same answer, byte by byte."""
        return replace(response, delivery=replace(response.delivery, bytes_per_second=self.bytes_per_second))


class Reset(_Effect):
    """The connection is reset after part of the body; 0 bytes is a reset before the head."""

    kind: Literal["reset"] = "reset"
    after_bytes: int = 100

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """The start of the same answer."""
        return replace(response, delivery=replace(response.delivery, cut_after=self.after_bytes, reset=True))


class Truncate(_Effect):
    """The body ends early.

    `announced` says what `Content-Length` promised: `whole` (the connection then ends early) or `part` (a well-formed answer whose JSON is cut).
    """

    kind: Literal["truncate"] = "truncate"
    after_bytes: int = 100
    announced: Literal["whole", "part"] = "part"

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """The start of the same answer."""
        if self.announced == "part":
            return replace(response, body=response.body[: self.after_bytes])
        return replace(response, delivery=replace(response.delivery, cut_after=self.after_bytes))


class ContentLength(_Effect):
    """`Content-Length` is wrong by `delta` bytes."""

    kind: Literal["content_length"] = "content_length"
    delta: int

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """The same answer under a wrong length."""
        announced = max(len(response.body) + self.delta, 0)
        return replace(response, delivery=replace(response.delivery, content_length=announced))


class Headers(_Effect):
    """More headers, or others; an empty text takes one away."""

    kind: Literal["headers"] = "headers"
    headers: dict[str, str]

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """The same answer under other headers."""
        headers = {**response.headers, **{name.lower(): text for name, text in self.headers.items()}}
        return replace(response, headers={name: text for name, text in headers.items() if text})


class Rows(_Effect):
    """Raw JSON texts among a page's rows: put in the place of rows, inserted before a position, or appended.

    Each text goes out as it is (lone surrogates included), so `NaN`, duplicate keys or 5,000-digit numbers are possible.
    """

    kind: Literal["rows"] = "rows"
    replaced: dict[int, str] = Field(default_factory=dict)
    inserted: dict[int, str] = Field(default_factory=dict)
    appended: list[str] = Field(default_factory=list)
    patched: dict[int, dict[str, Any]] = Field(default_factory=dict)
    removed: list[int] = Field(default_factory=list)

    def on_page(self, page: Page, request: RequestParts) -> None:
        """Poison the rows; positions are those of the page as it was."""
        del request
        rows: list[list[bytes]] = [[row] for row in page.rows]
        for position, changes in self.patched.items():
            rows[position] = [encode_row({**json.loads(page.rows[position]), **changes})]
        for position, text in self.replaced.items():
            rows[position] = [_raw(text)]
        for position in self.removed:
            rows[position] = []
        for position, text in self.inserted.items():
            rows[position].insert(0, _raw(text))
        page.rows = [row for place in rows for row in place] + [_raw(text) for text in self.appended]


class Meta(_Effect):
    """Other values in a page's `meta`: totals that disagree, a cyclic `next`, a `next` to another host."""

    kind: Literal["meta"] = "meta"
    meta: dict[str, Any]

    def on_page(self, page: Page, request: RequestParts) -> None:
        """Change the meta."""
        del request
        page.meta = {**page.meta, **self.meta}


class NullRows(_Effect):
    """`data: null`, as Mono's 2024 documents say of a queued synchronisation (Mono contract 2.6)."""

    kind: Literal["null_rows"] = "null_rows"

    def on_page(self, page: Page, request: RequestParts) -> None:
        """Take the rows away."""
        del request
        page.is_null = True


class EndlessPages(_Effect):
    """Every page is full and has a next one: beyond the last, rows are invented and the total grows with them."""

    kind: Literal["endless_pages"] = "endless_pages"
    rows_a_page: int = 20

    def on_page(self, page: Page, request: RequestParts) -> None:
        """Invent rows where there are none, and a next page always."""
        number = page.meta["page"]
        if not page.rows:
            page.rows = [_invented(request.path, number, place) for place in range(self.rows_a_page)]
        page.meta["next"] = f"https://api.withmono.com{request.path}?page={number + 1}"
        page.meta["total"] = max(page.meta["total"], (number + 1) * self.rows_a_page)


class ServePage(_Effect):
    """Serves another page than the one asked for, as page 1 again for page 2."""

    kind: Literal["serve_page"] = "serve_page"
    page: int = 1

    def on_request(self, world: World, request: RequestParts) -> RequestParts:
        """Ask for the other page."""
        del world
        return replace(request, query="&".join(part for part in (request.query, f"page={self.page}") if part))


class WrongAccount(_Effect):
    """Answers with another account's data."""

    kind: Literal["wrong_account"] = "wrong_account"
    account: str

    def on_request(self, world: World, request: RequestParts) -> RequestParts:
        """Ask for the other account."""
        del world
        head, _, rest = request.path.removeprefix("/v2/accounts/").partition("/")
        del head
        return replace(request, path=f"/v2/accounts/{self.account}" + (f"/{rest}" if rest else ""))


class Drift(_Effect):
    """The bank changes just before the answer: any operation of the control API on the account."""

    kind: Literal["drift"] = "drift"
    operation: Literal["add", "late", "amend", "remove", "twin", "reshuffle", "remint", "truncate"]
    arguments: dict[str, Any] = Field(default_factory=dict)

    def on_request(self, world: World, request: RequestParts) -> RequestParts:
        """Change the bank, then serve."""
        account = request.path.removeprefix("/v2/accounts/").partition("/")[0]
        world.operate(self.operation, {"account": account, **self.arguments})
        return request


type Effect = Annotated[
    Union[  # noqa: UP007 (pydantic reads the members here, one a line)
        Status,
        RateLimited,
        Body,
        Html,
        GzipBomb,
        Redirect,
        Raw,
        Hang,
        SlowBody,
        Reset,
        Truncate,
        ContentLength,
        Headers,
        Rows,
        Meta,
        NullRows,
        EndlessPages,
        ServePage,
        WrongAccount,
        Drift,
    ],
    Field(discriminator="kind"),
]


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _invented(path: str, page: int, place: int) -> bytes:
    return encode_row(
        {
            "id": hexadecimal(24, path, page, place),
            "narration": f"ENDLESS {page}/{place}",
            "amount": 100,
            "type": "credit",
            "category": None,
            "currency": "NGN",
            "balance": None,
            "date": "2025-06-18T07:02:34.588Z",
        }
    )
