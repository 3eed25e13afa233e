"""The queue's worker: one wake-up or one event a message, partial batch responses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from mono_pipeline.adapters.message_quarantine import MessageQuarantine
from mono_pipeline.adapters.queue import WEBHOOK_RECEIVED, message_type, read_fetch_requested, read_webhook_received
from mono_pipeline.bootstrap import environment
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import InvalidInput, LeaseLost
from mono_pipeline.usecases.lifecycle import Lifecycle
from mono_pipeline.usecases.wake_up import WakeUp

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
    observer = environment().observer
    observer.begin(request_id=lambda_context.aws_request_id)
    try:
        _serve(record, lambda_context)
    except LeaseLost:
        raise
    except Exception as error:
        observer.failed(error)
        raise


def _serve(record: SQSRecord, lambda_context: LambdaContext) -> None:
    deadline = Deadline.after(lambda_context.get_remaining_time_in_millis() / 1000 - RESERVE_SECONDS)
    try:
        if message_type(record.body) == WEBHOOK_RECEIVED:
            _hear(record, deadline)
        else:
            _wake(record, deadline)
    except InvalidInput as error:
        # delivering it again would only burn its receives; where it cannot be kept, it does come back
        MessageQuarantine(environment().collaborators.database).keep(record, reason=str(error))
        environment().observer.event("mono.message.poison", None, message_id=record.message_id, problem=str(error))


def _hear(record: SQSRecord, deadline: Deadline) -> None:
    message = read_webhook_received(record.body)
    environment().observer.correlate(message.correlation_id)
    received_at = datetime.fromtimestamp(_sent_at(record), UTC)
    Lifecycle(environment().collaborators).serve(message, received_at=received_at, deadline=deadline)


def _wake(record: SQSRecord, deadline: Deadline) -> None:
    message = read_fetch_requested(record.body)
    environment().observer.correlate(message.correlation_id)
    here = environment().collaborators
    WakeUp(here, queue=here.queue_of(record.event_source_arn)).serve(
        message, sent_at=_sent_at(record), deadline=deadline
    )


def _sent_at(record: SQSRecord) -> float:
    """When the message was sent, in Unix seconds."""
    return int(record.attributes.sent_timestamp) / 1000
