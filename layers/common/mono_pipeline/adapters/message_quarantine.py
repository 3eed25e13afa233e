"""Messages of the work queues that nobody can read: kept with their reason, so that their batch succeeds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.dead_letter import kept_body

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import Database
    from mono_pipeline.adapters.sqs_batch import SqsMessage

_SQL = statements("dead_letters")


class MessageQuarantine:
    """The rows of `quarantined_messages`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, message: SqsMessage, reason: str) -> None:
        """Keep a message, once, however often it is delivered. Raises DatabaseUnavailable: it then comes back."""
        self._database.rows(
            _SQL["quarantine_message"],
            message_id=message.message_id,
            queue=message.queue_arn.rsplit(":", 1)[-1],
            reason=reason,
            body=kept_body(message.body),
            body_length=len(message.body),
            receives=message.receives,
            sent_at=datetime.fromtimestamp(message.sent_at, tz=UTC),
        )
