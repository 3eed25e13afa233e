"""Mono's webhooks: authenticate, make the wake-up durable in SQS, and only then answer 200."""

from __future__ import annotations

import base64
import binascii
import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger

from mono_pipeline.adapters.parameters import ParameterStore
from mono_pipeline.adapters.queue import FetchRequested, WorkQueue
from mono_pipeline.adapters.webhook_settings import WebhookSettings, load_webhook_settings
from mono_pipeline.core.errors import ConfigurationError, ParametersUnavailable, QueueUnavailable
from mono_pipeline.core.webhook import is_authentic
from mono_pipeline.core.webhook_event import account_named

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

LARGEST_BODY: Final = 64 * 1024  # bytes; Mono's own are below 4 kB

logger = Logger(service="mono-pipeline")


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """API Gateway's entry point. Nothing of the body is parsed, logged or acted on before the secret was right."""
    body = event.get("body") or ""
    if len(body) > LARGEST_BODY:
        return _answer(413, "too_large")
    try:
        settings = _settings()
    except (ConfigurationError, ParametersUnavailable):
        logger.exception("mono.webhook.refused", extra={"reason": "not_configured"})
        return _answer(503, "unavailable")  # so that Mono sends again; never open
    if not is_authentic(_secret_header(event), _secrets(settings)):
        logger.warning("mono.webhook.refused", extra={"reason": "wrong_secret"})
        return _answer(401, "unauthorized")
    return _accept(event, body, settings)


def _accept(event: dict[str, Any], body: str, settings: WebhookSettings) -> dict[str, Any]:
    try:
        told = json.loads(base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body)
    except (binascii.Error, ValueError, RecursionError):
        return _answer(400, "not_json")
    name = told.get("event") if isinstance(told, dict) else None
    account_id = account_named(told) if isinstance(told, dict) else None
    if not isinstance(name, str) or account_id is None:
        logger.info("mono.webhook.ignored", extra={"reason": "no_account"})
        return _answer(200, "ignored")
    app = told["data"].get("app")
    if settings.mono_app_id is not None and app is not None and app != settings.mono_app_id:
        logger.warning("mono.webhook.ignored", extra={"reason": "other_app"})
        return _answer(200, "ignored")
    correlation_id = str(event.get("requestContext", {}).get("requestId", ""))
    wake_up = FetchRequested(account_id=account_id, correlation_id=correlation_id, requested_by="webhook")
    try:
        _queue(settings.queue_url).send(wake_up, group=account_id)
    except QueueUnavailable:
        logger.exception("mono.webhook.refused", extra={"reason": "queue_unavailable"})
        return _answer(503, "unavailable")
    logger.info("mono.webhook.accepted", extra={"account_id": account_id, "correlation_id": correlation_id})
    return _answer(200, "accepted")


def _secret_header(event: dict[str, Any]) -> str | None:
    """The secret presented; None unless there is exactly one."""
    headers = event.get("multiValueHeaders") or {name: [text] for name, text in (event.get("headers") or {}).items()}
    given = [text for name, texts in headers.items() if name.lower() == "mono-webhook-secret" for text in texts]
    return given[0] if len(given) == 1 else None


def _secrets(settings: WebhookSettings) -> list[Any]:
    both = (settings.mono_webhook_secret, settings.mono_webhook_secret_previous)
    return [secret for secret in both if secret is not None]


@cache
def _settings() -> WebhookSettings:
    return load_webhook_settings(os.environ, ParameterStore())


@cache
def _queue(url: str) -> WorkQueue:
    return WorkQueue(url)


def _answer(code: int, status: str) -> dict[str, Any]:
    body = json.dumps({"status": status})
    return {"statusCode": code, "headers": {"Content-Type": "application/json"}, "body": body}
