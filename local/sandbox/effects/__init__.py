"""What can go wrong with an answer: each effect acts on the request, on the page, or on the finished answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from local.sandbox.effects.answers import Body, GzipBomb, Html, RateLimited, Raw, Redirect, Status
from local.sandbox.effects.base import BaseEffect
from local.sandbox.effects.contents import EndlessPages, Meta, NullRows, Rows
from local.sandbox.effects.deliveries import ContentLength, Hang, Headers, Reset, SlowBody, Truncate
from local.sandbox.effects.detours import Drift, ServePage, WrongAccount

__all__ = [
    "BaseEffect",
    "Body",
    "ContentLength",
    "Drift",
    "Effect",
    "EndlessPages",
    "GzipBomb",
    "Hang",
    "Headers",
    "Html",
    "Meta",
    "NullRows",
    "RateLimited",
    "Raw",
    "Redirect",
    "Reset",
    "Rows",
    "ServePage",
    "SlowBody",
    "Status",
    "Truncate",
    "WrongAccount",
]

type AnswerEffect = Status | RateLimited | Body | Html | GzipBomb | Redirect | Raw
type DeliveryEffect = Hang | SlowBody | Reset | Truncate | ContentLength | Headers
type ContentsEffect = Rows | Meta | NullRows | EndlessPages
type DetourEffect = ServePage | WrongAccount | Drift
type Effect = Annotated[AnswerEffect | DeliveryEffect | ContentsEffect | DetourEffect, Field(discriminator="kind")]
