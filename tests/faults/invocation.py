"""The worker function as Lambda invokes it, in this process: its own handler, and records as SQS makes them."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from functions.sync import worker as worker_function
from mono_pipeline.adapters.queue import FetchRequested

if TYPE_CHECKING:
    import pytest

    from tests.harness import Pipeline

ARN: Final = "arn:aws:sqs:eu-west-1:000000000000:daily"
TIMEOUT_SECONDS: Final = 300


@dataclass(frozen=True)
class Invocation:
    """Lambda's context: so many seconds are left."""

    seconds: float
    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """What is left."""
        return int(self.seconds * 1000)


class WorkerFunction:
    """Calling it invokes the handler with records; returned are the ids of the items that it reports as failed.

    The first is request `r-1`, the second `r-2`.
    """

    def __init__(
        self, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, *, seconds: float = TIMEOUT_SECONDS
    ) -> None:
        self.here = SimpleNamespace(collaborators=pipeline.worker, observer=pipeline.worker.observer)
        self._seconds = seconds
        self._requests = 0
        monkeypatch.setattr(worker_function, "environment", lambda: self.here)

    def __call__(self, *records: dict[str, Any]) -> list[str]:
        """Invoke."""
        self._requests += 1
        context = Invocation(self._seconds, f"r-{self._requests}")
        answer = worker_function.handler({"Records": list(records)}, context)  # type: ignore[arg-type]
        return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def record(body: str, *, number: int = 1, sent_at: float = 0.0) -> dict[str, Any]:
    """A record as Lambda hands it to a function."""
    return {
        "messageId": f"m-{number}",
        "receiptHandle": "x",
        "body": body,
        "attributes": {"SentTimestamp": str(int(sent_at * 1000)), "ApproximateReceiveCount": "2"},
        "messageAttributes": {},
        "md5OfBody": "x",
        "eventSource": "aws:sqs",
        "eventSourceARN": ARN,
        "awsRegion": "eu-west-1",
    }


def wake_up(account: str, *, correlation_id: str = "c-1") -> str:
    """A webhook's wake-up."""
    return FetchRequested(account_id=account, correlation_id=correlation_id, requested_by="webhook").body()
