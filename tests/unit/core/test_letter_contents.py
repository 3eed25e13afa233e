"""What a dead letter keeps of the message that it was, whichever way it came onto the queue."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest

from mono_pipeline.core.dead_letter import FetchFailed, QueuedMessage, read_dead_letter
from mono_pipeline.core.run import Account, LeasedRun, LinkStatus, RunKind

ACCOUNT = "a" * 24
FAILED = {"type": "mono.fetch.failed", "account_id": ACCOUNT, "correlation_id": "c-1", "error_code": "mono_rejected"}


def message(body: Any, **attributes: str) -> QueuedMessage:
    """A message that was received once."""
    text = body if isinstance(body, str) else json.dumps(body)
    sent_at = datetime(2026, 11, 24, 12, tzinfo=UTC)
    return QueuedMessage(message_id="m-1", receipt="r", body=text, sent_at=sent_at, receives=1, attributes=attributes)


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        {},
        {"type": "mono.fetch.requested"},
        FAILED,
        {"type": "mono.webhook.received"},
        {"requestContext": {}, "requestPayload": {}},
    ],
)
def test_a_letter_holds_the_message_that_it_was_read_from(body: Any) -> None:
    """Readable or not: it is what is archived, and what is deleted by its receipt."""
    sent = message(body)

    assert read_dead_letter(sent).message is sent


def test_what_the_scheduler_could_not_deliver_says_why_in_an_attribute() -> None:
    """EventBridge puts the reason beside the body, which is whatever the target was to get."""
    sent = message("{}", ERROR_CODE="AWS.Scheduler.InternalServerError")

    letter = read_dead_letter(sent)

    assert (letter.type, letter.reason) == ("mono.invocation.failed", "AWS.Scheduler.InternalServerError")
    assert (letter.message, letter.account_id, letter.correlation_id, letter.work) == (sent, None, None, None)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"requestPayload": {}, "type": "mono.webhook.received"}, "mono.webhook.received"),
        ({"requestContext": {}, "type": "mono.webhook.received"}, "mono.webhook.received"),
        ({"requestContext": "x", "requestPayload": {}, "type": "mono.webhook.received"}, "mono.webhook.received"),
        ({"requestContext": {}, "requestPayload": {}, "type": "mono.webhook.received"}, "mono.invocation.failed"),
    ],
)
def test_only_a_context_with_a_payload_is_a_failed_invocation(body: Any, kind: str) -> None:
    """One of the two is a field like any other."""
    assert read_dead_letter(message(body)).type == kind


def test_a_failed_invocation_without_a_correlation_id_goes_by_its_request() -> None:
    """And is of the same type as one with its own."""
    letter = read_dead_letter(message({"requestContext": {"requestId": "r-9", "condition": "x"}, "requestPayload": 7}))

    assert (letter.type, letter.correlation_id, letter.reason) == ("mono.invocation.failed", "r-9", "x")


def test_an_event_of_mono_s_keeps_its_type_and_is_served_as_it_is() -> None:
    """What a worker gets is the body to the letter."""
    body = json.dumps({"type": "mono.webhook.received", "account_id": ACCOUNT})

    letter = read_dead_letter(message(body))

    assert (letter.type, letter.work, letter.account_id) == ("mono.webhook.received", body, ACCOUNT)


def test_only_a_failed_fetch_says_why_it_failed() -> None:
    """A wake-up that somebody has given such a field is still one that says nothing of itself."""
    assert read_dead_letter(message(FAILED)).reason == "mono_rejected"
    assert read_dead_letter(message({**FAILED, "type": "mono.fetch.requested"})).reason is None


@pytest.mark.parametrize(
    ("attributes", "replays"),
    [({}, 0), ({"replays": "2"}, 2), ({"replays": "many"}, 0), ({"replays": "٣"}, 0), ({"replays": "-1"}, 0)],
)
def test_a_message_counts_its_own_replays(attributes: dict[str, str], replays: int) -> None:
    """In plain digits, or not at all."""
    assert read_dead_letter(message(FAILED, **attributes)).replays == replays


def test_an_account_that_failed_too_often_is_told_in_a_message_that_a_letter_reads() -> None:
    """What is sent and what is read are one form; two copies have the run in common."""
    sent = FetchFailed.of(run(), error_code="mono_server_error", streak=5)

    letter = read_dead_letter(message(sent.body()))

    assert sent == FetchFailed(
        account_id=ACCOUNT, correlation_id="c-1", run_id=str(UUID(int=7)), error_code="mono_server_error", streak=5
    )
    assert json.loads(sent.body())["streak"] == 5
    assert (letter.type, letter.account_id, letter.correlation_id, letter.run_id, letter.reason) == (
        "mono.fetch.failed",
        ACCOUNT,
        "c-1",
        str(UUID(int=7)),
        "mono_server_error",
    )


def run() -> LeasedRun:
    """A run that failed."""
    account = Account(
        id=1,
        mono_account_id=ACCOUNT,
        first_mono_account_id="b" * 24,
        currency="NGN",
        link_status=LinkStatus.LINKED,
        watermark=None,
        last_full_read_at=None,
        fresh_as_of=None,
        totals_ignore_window=False,
    )
    return LeasedRun(
        run_id=UUID(int=7),
        account=account,
        fence=1,
        kind=RunKind.INCREMENTAL,
        days=None,
        pass_number=1,
        pages_done=0,
        today=date(2026, 11, 24),
        correlation_id="c-1",
        requested_by="api",
    )
