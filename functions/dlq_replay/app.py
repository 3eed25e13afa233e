"""Dead letters: inspect, replay, purge. Invoked by a person over the API, never by the queue itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.bootstrap import environment
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import PipelineError
from mono_pipeline.http.dead_letter_call import dead_letter_answer, dead_letter_error, read_dead_letter_call
from mono_pipeline.usecases.dead_letters import DeadLetters

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_SECONDS: Final = 9.0  # to end a round and answer: API Gateway gives up with the function's own timeout


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """API Gateway's entry point."""
    environment().observer.begin(request_id=context.aws_request_id)
    try:
        asked = read_dead_letter_call(event)
        remaining = context.get_remaining_time_in_millis() / 1000
        deadline = Deadline.after(remaining - RESERVE_SECONDS)
        parts = dead_letter_answer(DeadLetters(environment().collaborators).act(asked, deadline))
    except PipelineError as error:
        environment().observer.event("mono.dead_letters.refused", None, error=type(error).__name__)
        parts = dead_letter_error(error, context.aws_request_id)
    code, body, headers = parts
    return {
        "statusCode": code,
        "headers": {"Content-Type": "application/json", **headers},
        "body": json.dumps(body),
    }
