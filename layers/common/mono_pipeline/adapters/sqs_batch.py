"""A batch of SQS messages as Lambda hands it to a function, and the partial answer that names what failed.

Source: AWS Lambda's guide, "Using Lambda with Amazon SQS", the event and `ReportBatchItemFailures`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class SqsMessage(Struct, frozen=True, kw_only=True):
    """One message; `receives` counts this delivery as well."""

    message_id: str
    body: str
    queue_arn: str
    sent_at: float
    """Unix seconds."""
    receives: int


class ItemFailure(TypedDict):
    """A message that SQS is to deliver again."""

    itemIdentifier: str


class BatchAnswer(TypedDict):
    """What Lambda reads: all other messages are done with."""

    batchItemFailures: list[ItemFailure]


def serve_batch(event: Mapping[str, Any], serve: Callable[[SqsMessage], None]) -> BatchAnswer:
    """Serve each message; one that raises comes back by name.

    Where all of them raise, so does this: the invocation counts among Lambda's errors, and the whole batch comes back.
    It raises the only message's own error, or an ExceptionGroup of theirs.
    """
    failed: list[tuple[str, Exception]] = []
    records = event["Records"]
    for record in records:
        try:
            serve(_read(record))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are served
            failed.append((record["messageId"], error))
    if failed and len(failed) == len(records):
        raise _one_of([error for _, error in failed])
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id, _ in failed]}


def _read(record: Mapping[str, Any]) -> SqsMessage:
    attributes = record["attributes"]
    return SqsMessage(
        message_id=record["messageId"],
        body=record["body"],
        queue_arn=record["eventSourceARN"],
        sent_at=int(attributes["SentTimestamp"]) / 1000,
        receives=int(attributes.get("ApproximateReceiveCount", 1)),  # an event written by hand may not say
    )


def _one_of(errors: list[Exception]) -> Exception:
    if len(errors) == 1:
        return errors[0]
    return ExceptionGroup(f"none of {len(errors)} messages could be served", errors)
