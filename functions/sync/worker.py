"""The queue's worker: one wake-up or one event a message, partial batch responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from mono_pipeline.bootstrap import environment
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import LeaseLost
from mono_pipeline.usecases.work_message import WorkMessage

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

RESERVE_SECONDS = 15.0  # to end a flush and hand the run on before Lambda kills us

processor = BatchProcessor(event_type=EventType.SQS)


def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """SQS's entry point."""
    return process_partial_response(event=event, record_handler=serve, processor=processor, context=context)


def serve(record: SQSRecord, lambda_context: LambdaContext) -> None:
    """Serve one message; an exception sends it back to the queue."""
    here = environment()
    here.observer.begin(request_id=lambda_context.aws_request_id)
    deadline = Deadline.after(lambda_context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS)
    try:
        WorkMessage(observer=here.observer, connect=lambda: here.collaborators).serve(record, deadline)
    except LeaseLost:
        raise
    except Exception as error:
        here.observer.failed(error)
        raise
