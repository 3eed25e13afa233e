"""Messages of the work queues that nobody can read: kept with their reason, so that their batch succeeds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.dead_letter import kept_body

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    from mono_pipeline.adapters.postgres import Database

_SQL = statements("dead_letters")


class MessageQuarantine:
    """The rows of `quarantined_messages`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, record: SQSRecord, reason: str) -> None:
        """Keep a record, once, however often it is delivered. Raises DatabaseUnavailable: it then comes back."""
        self._database.rows(
            _SQL["quarantine_message"],
            message_id=record.message_id,
            queue=record.event_source_arn.rsplit(":", 1)[-1],
            reason=reason,
            body=kept_body(record.body),
            body_length=len(record.body),
            receives=int(record.attributes.approximate_receive_count),
            sent_at=datetime.fromtimestamp(int(record.attributes.sent_timestamp) / 1000, tz=UTC),
        )
