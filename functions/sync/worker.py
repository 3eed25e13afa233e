"""The queue's worker: one wake-up or one event a message, partial batch responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mono_pipeline.adapters.sqs_batch import serve_batch
from mono_pipeline.bootstrap import environment
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import LeaseLost
from mono_pipeline.usecases.work_message import WorkMessage

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from mono_pipeline.adapters.sqs_batch import BatchAnswer, SqsMessage

RESERVE_SECONDS = 15.0  # to end a flush and hand the run on before Lambda kills us


def handler(event: dict[str, Any], context: LambdaContext) -> BatchAnswer:
    """SQS's entry point."""
    return serve_batch(event, lambda message: serve(message, context))


def serve(message: SqsMessage, context: LambdaContext) -> None:
    """Serve one message; an exception sends it back to the queue."""
    here = environment()
    here.observer.begin(request_id=context.aws_request_id)
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS)
    try:
        WorkMessage(observer=here.observer, connect=lambda: here.collaborators).serve(message, deadline)
    except LeaseLost:
        raise
    except Exception as error:
        here.observer.failed(error)
        raise
