"""Dead letters on a real PostgreSQL and queues that redrive as SQS's do."""

from __future__ import annotations

from tests.dead_letter_desk import desk, sqs_server

__all__ = ["desk", "sqs_server"]  # fixtures
