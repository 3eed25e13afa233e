"""The scheduler's tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from mono_pipeline.bootstrap import environment
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.usecases.scheduled_round import ScheduledRound

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_SECONDS = 5.0


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """EventBridge Scheduler's entry point."""
    observer = environment().observer
    observer.begin(request_id=context.aws_request_id)
    observer.tick()
    try:
        result = _round(context)
    except Exception as error:
        observer.failed(error)
        raise
    observer.event("mono.schedule.ticked", None, **result)
    return result


def _round(context: LambdaContext) -> dict[str, Any]:
    remaining = context.get_remaining_time_in_millis() / 1000
    done = to_builtins(ScheduledRound(environment().collaborators).go(Deadline.after(remaining - RESERVE_SECONDS)))
    return {**done.pop("tick"), **done}
