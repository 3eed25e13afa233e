"""The queue's worker: one wake-up a message, partial batch responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from mono_pipeline.adapters.message_quarantine import MessageQuarantine
from mono_pipeline.adapters.queue import (
    WEBHOOK_RECEIVED,
    FetchRequested,
    message_type,
    read_fetch_requested,
    read_webhook_received,
)
from mono_pipeline.bootstrap import environment
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import InvalidInput
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
    here = environment()
    try:
        message = _wake_up(record.body)
    except InvalidInput as error:
        # delivering it again would only burn its receives; where it cannot be kept, it does come back
        MessageQuarantine(here.collaborators.database).keep(record, reason=str(error))
        here.observer.event("mono.message.poison", None, message_id=record.message_id, problem=str(error))
        return
    sent_at = int(record.attributes.sent_timestamp) / 1000
    remaining = lambda_context.get_remaining_time_in_millis() / 1000
    WakeUp(here.collaborators, queue=here.collaborators.queue_of(record.event_source_arn)).serve(
        message, sent_at=sent_at, deadline=Deadline.after(remaining - RESERVE_SECONDS)
    )


def _wake_up(body: str) -> FetchRequested:
    """What a message asks for; an event of Mono's wakes the account it is about."""
    if message_type(body) != WEBHOOK_RECEIVED:
        return read_fetch_requested(body)
    told = read_webhook_received(body)
    return FetchRequested(account_id=told.account_id, correlation_id=told.correlation_id, requested_by="webhook")
