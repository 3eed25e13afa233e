"""One message of a work queue: a wake-up or an event of Mono's. What nobody can read is kept, and is done with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mono_pipeline.adapters.message_quarantine import MessageQuarantine
from mono_pipeline.adapters.queue import WEBHOOK_RECEIVED, message_type, read_fetch_requested, read_webhook_received
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.usecases.lifecycle import Lifecycle
from mono_pipeline.usecases.wake_up import WakeUp

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    from mono_pipeline.adapters.telemetry import Telemetry
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.collaborators import Collaborators


class WorkMessage:
    """Serves one message; `connect` is asked when it was read, so that an outage is told with its correlation id."""

    def __init__(self, *, observer: Telemetry, connect: Callable[[], Collaborators]) -> None:
        self._observer = observer
        self._connect = connect

    def serve(self, record: SQSRecord, deadline: Deadline) -> None:
        """Do what it asks. Raises PipelineError: the message then comes again."""
        try:
            if message_type(record.body) == WEBHOOK_RECEIVED:
                self._hear(record, deadline)
            else:
                self._wake(record, deadline)
        except InvalidInput as error:
            # delivering it again would only burn its receives; where it cannot be kept, it does come back
            MessageQuarantine(self._connect().database).keep(record, reason=str(error))
            self._observer.event("mono.message.poison", None, message_id=record.message_id, problem=str(error))

    def _hear(self, record: SQSRecord, deadline: Deadline) -> None:
        message = read_webhook_received(record.body)
        self._observer.correlate(message.correlation_id)
        received_at = datetime.fromtimestamp(_sent_at(record), UTC)
        Lifecycle(self._connect()).serve(message, received_at=received_at, deadline=deadline)

    def _wake(self, record: SQSRecord, deadline: Deadline) -> None:
        message = read_fetch_requested(record.body)
        self._observer.correlate(message.correlation_id)
        here = self._connect()
        queue = here.queue_of(record.event_source_arn)
        WakeUp(here, queue=queue).serve(message, sent_at=_sent_at(record), deadline=deadline)


def _sent_at(record: SQSRecord) -> float:
    """When the message was sent, in Unix seconds."""
    return int(record.attributes.sent_timestamp) / 1000
