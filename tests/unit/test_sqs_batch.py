"""A batch of SQS messages: what Lambda is told of it. The rule is AWS's: what is not named, is deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.adapters.sqs_batch import SqsMessage, serve_batch

if TYPE_CHECKING:
    from collections.abc import Callable


def event(*bodies: str) -> dict[str, Any]:
    """As Lambda sends it; message ids are m-0, m-1, ..."""
    records = [
        {
            "messageId": f"m-{number}",
            "receiptHandle": "x",
            "body": body,
            "attributes": {"SentTimestamp": "1700000000123", "ApproximateReceiveCount": "3"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:daily",
        }
        for number, body in enumerate(bodies)
    ]
    return {"Records": records}


def failing(*bodies: str) -> Callable[[SqsMessage], None]:
    """Serves a message, unless its body is one of these."""

    def serve(message: SqsMessage) -> None:
        if message.body in bodies:
            raise ValueError(message.body)

    return serve


def test_a_message_is_handed_over_with_what_sqs_says_of_it() -> None:
    """Its times in seconds."""
    served: list[SqsMessage] = []

    assert serve_batch(event("a"), served.append) == {"batchItemFailures": []}

    arn = "arn:aws:sqs:eu-west-1:000000000000:daily"
    assert served == [SqsMessage(message_id="m-0", body="a", queue_arn=arn, sent_at=1_700_000_000.123, receives=3)]


def test_those_that_fail_are_named_in_their_order_and_the_others_are_served() -> None:
    """Served are the ones after a failure too."""
    assert serve_batch(event("a", "b", "c", "d"), failing("b", "d")) == {
        "batchItemFailures": [{"itemIdentifier": "m-1"}, {"itemIdentifier": "m-3"}]
    }


def test_the_only_message_s_own_error_fails_the_invocation() -> None:
    """So that it counts among Lambda's errors, by its name."""
    with pytest.raises(ValueError, match="a"):
        serve_batch(event("a"), failing("a"))


def test_where_all_fail_the_invocation_does_with_all_their_errors() -> None:
    """Never an answer, which would be a success of Lambda's."""
    with pytest.raises(ExceptionGroup, match="none of 2 messages") as raised:
        serve_batch(event("a", "b"), failing("a", "b"))

    assert [str(error) for error in raised.value.exceptions] == ["a", "b"]


def test_one_message_delivered_twice_in_a_batch_that_fails_both_times_fails_the_invocation() -> None:
    """Two records, one id."""
    doubled = event("a")["Records"] * 2

    with pytest.raises(ExceptionGroup):
        serve_batch({"Records": doubled}, failing("a"))


def test_a_record_that_is_not_one_of_sqs_comes_back_by_name() -> None:
    """Its neighbour is served."""
    strange = event("a", "b")
    del strange["Records"][0]["attributes"]["SentTimestamp"]

    assert serve_batch(strange, failing()) == {"batchItemFailures": [{"itemIdentifier": "m-0"}]}


def test_what_stops_the_process_is_not_taken_for_a_failed_message() -> None:
    """The runtime must see it."""

    def stop(_: SqsMessage) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        serve_batch(event("a", "b"), stop)
