"""Mono's webhooks: authenticate, make the event durable in SQS, and only then answer 200."""

from __future__ import annotations

import os
import time
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from mono_pipeline.adapters.aws import aws_client
from mono_pipeline.adapters.parameters import ParameterStore
from mono_pipeline.adapters.queue import WorkQueue
from mono_pipeline.adapters.webhook_settings import KeptSettings, load_webhook_settings
from mono_pipeline.adapters.webhook_telemetry import WebhookTelemetry
from mono_pipeline.http.webhook_call import answer, read_webhook_call
from mono_pipeline.usecases.webhook_delivery import WebhookDelivery

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

telemetry = WebhookTelemetry()


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """API Gateway's entry point."""
    call = read_webhook_call(event)
    conclusion = _delivery().receive(call)
    telemetry.record(conclusion, call.correlation_id)
    return answer(conclusion, call.correlation_id)


@cache
def _delivery() -> WebhookDelivery:
    """The door of this process."""
    load = partial(load_webhook_settings, os.environ, ParameterStore())
    return WebhookDelivery(settings=KeptSettings(load), connect=_queue, clock=time.time)


@cache
def _queue(url: str) -> WorkQueue:
    """The queue, connected when the first webhook was found to be Mono's.

    Two attempts of half a second and up to one between them: with SQS down Mono is told to come again after 2 s.
    """
    return WorkQueue(url, aws_client("sqs", connect_seconds=0.5, read_seconds=0.5, attempts=2))
