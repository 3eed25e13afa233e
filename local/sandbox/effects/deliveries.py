"""Mono's own answers, badly delivered: late, dripping, cut, reset, under wrong headers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from local.sandbox.effects.base import BaseEffect

if TYPE_CHECKING:
    from local.sandbox.message import ResponseParts


class Hang(BaseEffect):
    """Answers after `seconds`, or never."""

    kind: Literal["hang"] = "hang"
    seconds: float | None = None

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """The same answer, late."""
        return replace(response, delivery=replace(response.delivery, delay_seconds=self.seconds))


class SlowBody(BaseEffect):
    """The body drips."""

    kind: Literal["slow_body"] = "slow_body"
    bytes_per_second: float = 1.0

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """The same answer, byte by byte."""
        return replace(response, delivery=replace(response.delivery, bytes_per_second=self.bytes_per_second))


class Reset(BaseEffect):
    """The connection is reset after part of the body; 0 bytes is a reset before the head."""

    kind: Literal["reset"] = "reset"
    after_bytes: int = 100

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """The start of the same answer."""
        return replace(response, delivery=replace(response.delivery, cut_after=self.after_bytes, reset=True))


class Truncate(BaseEffect):
    """The body ends early.

    `announced` says what `Content-Length` promised: `whole` (the connection then ends early) or `part` (a well-formed
    answer whose JSON is cut).
    """

    kind: Literal["truncate"] = "truncate"
    after_bytes: int = 100
    announced: Literal["whole", "part"] = "part"

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """The start of the same answer."""
        if self.announced == "part":
            return replace(response, body=response.body[: self.after_bytes])
        return replace(response, delivery=replace(response.delivery, cut_after=self.after_bytes))


class ContentLength(BaseEffect):
    """`Content-Length` is wrong by `delta` bytes."""

    kind: Literal["content_length"] = "content_length"
    delta: int

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """The same answer under a wrong length."""
        announced = max(len(response.body) + self.delta, 0)
        return replace(response, delivery=replace(response.delivery, content_length=announced))


class Headers(BaseEffect):
    """More headers, or others; an empty text takes one away."""

    kind: Literal["headers"] = "headers"
    headers: dict[str, str]

    def on_response(self, response: ResponseParts) -> ResponseParts:
        """The same answer under other headers."""
        headers = {**response.headers, **{name.lower(): text for name, text in self.headers.items()}}
        return replace(response, headers={name: text for name, text in headers.items() if text})
