"""Dead letters: how many there are. Replay and purge are refused: without filter and audit they could do harm."""

from __future__ import annotations

import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from mono_pipeline.adapters.queue import DeadLetterQueue
from mono_pipeline.core.errors import InvalidInput, PipelineError
from mono_pipeline.http.sync_call import Answer, error_answer

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """API Gateway's entry point: `{"action": "inspect"}`."""
    parts: Answer
    try:
        parts = 200, {"operation": "inspect", **inspect(event)}, {}
    except PipelineError as error:
        parts = error_answer(error, context.aws_request_id)
    code, body, headers = parts
    return {
        "statusCode": code,
        "headers": {"Content-Type": "application/json", **headers},
        "body": json.dumps(body),
    }


def inspect(event: dict[str, Any]) -> dict[str, Any]:
    """The count of dead letters. Raises InvalidInput for any other action, QueueUnavailable."""
    try:
        asked = json.loads(event.get("body") or "{}")
    except ValueError as error:
        raise InvalidInput("body", "is not JSON") from error
    if not isinstance(asked, dict) or asked.get("action") != "inspect":
        raise InvalidInput("action", "must be inspect")
    return {"status": "completed", "dead_letters": _queue().count()}


@cache
def _queue() -> DeadLetterQueue:
    return DeadLetterQueue(os.environ["DEAD_LETTER_QUEUE_URL"])
