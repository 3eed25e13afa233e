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

    from mono_pipeline.adapters.sqs_batch import SqsMessage
    from mono_pipeline.adapters.telemetry import Telemetry
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.collaborators import Collaborators


class WorkMessage:
    """Serves one message; `connect` is asked when it was read, so that an outage is told with its correlation id."""

    def __init__(self, *, observer: Telemetry, connect: Callable[[], Collaborators]) -> None:
        self._observer = observer
        self._connect = connect

    def serve(self, message: SqsMessage, deadline: Deadline) -> None:
        """Do what it asks. Raises PipelineError: the message then comes again."""
        try:
            if message_type(message.body) == WEBHOOK_RECEIVED:
                self._hear(message, deadline)
            else:
                self._wake(message, deadline)
        except InvalidInput as error:
            # delivering it again would only burn its receives; where it cannot be kept, it does come back
            MessageQuarantine(self._connect().database).keep(message, reason=str(error))
            self._observer.event("mono.message.poison", None, message_id=message.message_id, problem=str(error))

    def _hear(self, message: SqsMessage, deadline: Deadline) -> None:
        event = read_webhook_received(message.body)
        self._observer.correlate(event.correlation_id)
        received_at = datetime.fromtimestamp(message.sent_at, UTC)
        Lifecycle(self._connect()).serve(event, received_at=received_at, deadline=deadline)

    def _wake(self, message: SqsMessage, deadline: Deadline) -> None:
        wake_up = read_fetch_requested(message.body)
        self._observer.correlate(wake_up.correlation_id)
        here = self._connect()
        queue = here.queue_of(message.queue_arn)
        WakeUp(here, queue=queue).serve(wake_up, sent_at=message.sent_at, deadline=deadline)
