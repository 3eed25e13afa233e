"""The webhook function as deployed, in this process: its own handler, with memory for SSM and SQS."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from functions.webhook import app
from mono_pipeline.adapters.parameters import Parameter
from mono_pipeline.adapters.webhook_settings import KeptSettings, load_webhook_settings
from mono_pipeline.adapters.webhook_telemetry import WebhookTelemetry
from mono_pipeline.core.errors import ParametersUnavailable, QueueUnavailable
from mono_pipeline.usecases.webhook_delivery import WebhookDelivery

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from mono_pipeline.adapters.queue import WebhookReceived

SECRET: Final = "made-up-webhook-secret-of-today-0123456789"
OLD_SECRET: Final = "made-up-webhook-secret-of-before-987654321"
ACCOUNT: Final = "686265c6ff3885e5e53ab900"
TOLD: Final[dict[str, Any]] = {"event": "mono.events.account_updated", "data": {"account": {"_id": ACCOUNT}}}
BODY: Final = json.dumps(TOLD)
WITH_SECRET: Final[dict[str, str]] = {"mono-webhook-secret": SECRET}
HMAC: Final[dict[str, str]] = {"MONO_WEBHOOK_VERIFIER": "hmac"}
PATH: Final = "/api/v1/webhooks/mono/integrations/mono/webhook"


@dataclass
class SsmInMemory:
    """SSM's part: SecureStrings by the last part of their names."""

    secrets: dict[str, str] = field(default_factory=lambda: {"MONO_WEBHOOK_SECRET": SECRET})
    kind: str = "SecureString"
    down: bool = False
    calls: int = 0

    def get_many(self, names: Iterable[str]) -> dict[str, Parameter]:
        """Those of the names that there are."""
        self.calls += 1
        if self.down:
            raise ParametersUnavailable("SSM GetParameters: EndpointConnectionError")
        asked = [(name, name.rpartition("/")[2]) for name in names]
        return {
            name: Parameter(name=name, value=self.secrets[short], version=1, kind=self.kind)
            for name, short in asked
            if short in self.secrets
        }


@dataclass
class QueueInMemory:
    """SQS's part: the bodies that it holds."""

    bodies: list[str] = field(default_factory=list)
    down: bool = False
    calls: int = 0
    connections: int = 0

    def send(self, message: WebhookReceived, *, group: str) -> None:
        """Hold the message, or fail as SQS may."""
        assert group == message.account_id
        self.calls += 1
        if self.down:
            raise QueueUnavailable("SQS did not take the message: EndpointConnectionError")
        self.bodies.append(message.body())

    def connect(self, _url: str) -> QueueInMemory:
        """The queue at a URL."""
        self.connections += 1
        return self


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What API Gateway sends back."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


class Door:
    """The function's handler. `environ` is its environment; `now` the seconds of both its clocks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **environ: str) -> None:
        self.ssm, self.queue = SsmInMemory(), QueueInMemory()
        self.now = 1_800_000_000.0
        environ = {"ENVIRONMENT": "local", "QUEUE_URL": "memory/daily", **environ}
        load = partial(load_webhook_settings, environ, self.ssm)
        self.delivery = WebhookDelivery(
            settings=KeptSettings(load, monotonic=lambda: self.now),
            connect=self.queue.connect,
            clock=lambda: self.now,
        )
        monkeypatch.setattr(app, "_delivery", lambda: self.delivery)
        monkeypatch.setattr(app, "telemetry", WebhookTelemetry(clock=lambda: self.now))

    def call(self, event: dict[str, Any]) -> Answer:
        """Hand an event of API Gateway's to the handler."""
        told = app.handler(event, None)  # type: ignore[arg-type]
        return Answer(status=told["statusCode"], body=json.loads(told["body"]), headers=told["headers"])

    def post(self, told: Any = TOLD, **headers: str) -> Answer:
        """Post a document with the right secret, unless headers are given (`_` for `-`)."""
        given = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.call(rest_event(json.dumps(told), given or {"mono-webhook-secret": SECRET}))


def refused(answer: Answer) -> bool:
    """Whether somebody was told no, in the words in which everybody is."""
    told = {**answer.body, "correlation_id": ""}
    return answer.status == 401 and told == {
        "operation": "mono_webhook",
        "status": "unauthorized",
        "correlation_id": "",
        "error": {"code": "unauthorized", "message": "this call does not prove that it comes from Mono"},
    }


def signature(body: str, *, at: float, secret: str = SECRET, scheme: str = "v1") -> str:
    """A signature header for a body."""
    digest = hmac.new(secret.encode(), f"{at:.0f}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={at:.0f},{scheme}={digest}"


def rest_event(body: str | None, headers: dict[str, str], **changes: Any) -> dict[str, Any]:
    """A POST as a REST API hands it over (payload format 1.0)."""
    return {
        "resource": PATH,
        "path": PATH,
        "httpMethod": "POST",
        "headers": headers,
        "multiValueHeaders": {name: [text] for name, text in headers.items()},
        "queryStringParameters": None,
        "requestContext": {"requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "identity": {"sourceIp": "127.0.0.1"}},
        "body": body,
        "isBase64Encoded": False,
        **changes,
    }


def http_event(body: str | None, headers: dict[str, str], **changes: Any) -> dict[str, Any]:
    """The same as an HTTP API hands it over (payload format 2.0): names in lower case, repeats joined with commas."""
    return {
        "version": "2.0",
        "routeKey": f"POST {PATH}",
        "rawPath": PATH,
        "rawQueryString": "",
        "headers": {name.lower(): text for name, text in headers.items()},
        "requestContext": {"http": {"method": "POST", "path": PATH}, "requestId": "JKJaXmPLvHcESHA="},
        "body": body,
        "isBase64Encoded": False,
        **changes,
    }
