"""What a dead letter says of itself: whatever is on the queue is read, and nothing of a stranger's text gets on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_pipeline.core.dead_letter import (
    LONGEST_BODY_KEPT,
    DeadLetter,
    QueuedMessage,
    is_dead_letter,
    kept_body,
    read_dead_letter,
)
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.iso_duration import parse_duration
from mono_pipeline.core.replay import (
    MAX_REPLAYS,
    LetterFilter,
    Outcome,
    Standing,
    matches,
    outcome_of_replay,
    reason_of,
)
from mono_pipeline.core.run import LinkStatus

ACCOUNT = "a" * 24
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WAKE_UP = {"type": "mono.fetch.requested", "account_id": ACCOUNT, "correlation_id": "c-1", "requested_by": "api"}


def message(body: Any, **attributes: str) -> QueuedMessage:
    """A message that was received once."""
    text = body if isinstance(body, str) else json.dumps(body)
    return QueuedMessage(
        message_id="m-1", receipt="r", body=text, sent_at=NOON, receives=1, source="daily", attributes=attributes
    )


def letter(body: Any = None, **attributes: str) -> DeadLetter:
    """A letter with this body."""
    return read_dead_letter(message(WAKE_UP if body is None else body, **attributes))


def standing(**fields: Any) -> Standing:
    """An account that is linked and well."""
    known: dict[str, Any] = {
        "id": 1,
        "mono_account_id": ACCOUNT,
        "first_mono_account_id": ACCOUNT,
        "link_status": LinkStatus.LINKED,
        "replays": 0,
        "last_run_id": None,
        "last_error": "mono_server_error",
    }
    return Standing(**{**known, **fields})


@pytest.mark.parametrize(("failures", "dead"), [(0, False), (4, False), (5, True), (6, True)])
def test_five_failures_in_a_row_are_too_many(failures: int, *, dead: bool) -> None:
    """And not one less."""
    assert is_dead_letter(failures) is dead


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not_json"),
        ("{", "not_json"),
        ("[" * 100_000, "not_json"),
        ("[]", "not_an_object"),
        ("null", "not_an_object"),
        ({}, "no_type"),
        ({"type": 7}, "no_type"),
        ({"type": "PAYMENT 12,000 to ADA"}, "no_type"),
        ({"type": "mono.fetch.requested"}, "no_account"),
        ({"type": "mono.fetch.failed", "account_id": "ADA"}, "no_account"),
    ],
)
def test_what_cannot_be_read_is_a_letter_of_its_own_type(body: Any, reason: str) -> None:
    """With the reason, and with no word of the body."""
    read = letter(body)

    assert (read.type, read.reason, read.work, read.account_id) == ("unreadable", reason, None, None)


def test_words_that_are_none_are_left_out() -> None:
    """A narration in a correlation id must not reach a log, a table or a terminal."""
    read = letter({**WAKE_UP, "correlation_id": "PAYMENT to ADA", "run_id": "\x1b[31m", "extra": "x"}, replays="many")

    assert (read.correlation_id, read.run_id, read.replays) == (None, None, 0)


def test_a_failed_fetch_has_its_reason_and_a_wake_up_has_none() -> None:
    """That of a wake-up is its account's newest run's."""
    failed = letter({**WAKE_UP, "type": "mono.fetch.failed", "error_code": "mono_rejected", "run_id": "r-1"})

    assert (failed.reason, failed.run_id, failed.of_an_account) == ("mono_rejected", "r-1", True)
    assert reason_of(failed, standing()) == "mono_rejected"
    assert letter().reason is None
    assert reason_of(letter(), standing()) == "mono_server_error"
    assert reason_of(letter(), None) == "unfinished"


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_any_message_at_all_is_read(body: Any) -> None:
    """Else one letter would keep an operator from all the others."""
    read = letter(body)

    assert read.type == "unreadable" or read.type.startswith("mono.")


def wrapped(payload: Any, **fields: Any) -> dict[str, Any]:
    """What Lambda sends to a failure destination."""
    context = {"requestId": "r-9", "functionArn": "x", "condition": "RetriesExhausted", "approximateInvokeCount": 1}
    return {"version": "1.0", "requestContext": context, "requestPayload": payload, **fields}


def test_a_failed_invocation_is_told_by_its_error_or_its_condition() -> None:
    """With the event's own correlation id, else the request's."""
    crashed = letter(wrapped({"correlation_id": "c-7"}, responsePayload={"errorType": "Runtime.ExitError"}))
    expired = letter(wrapped(["anything"]))

    assert (crashed.type, crashed.reason, crashed.correlation_id, crashed.work) == (
        "mono.invocation.failed",
        "Runtime.ExitError",
        "c-7",
        None,
    )
    assert (expired.reason, expired.correlation_id) == ("RetriesExhausted", "r-9")


def test_an_event_with_a_type_is_that_message() -> None:
    """AWS wrapped it; a worker would serve what is inside."""
    read = letter(wrapped(WAKE_UP))

    assert (read.type, read.account_id) == ("mono.fetch.requested", ACCOUNT)
    assert json.loads(read.work or "") == WAKE_UP


@pytest.mark.parametrize("length", [0, 1, LONGEST_BODY_KEPT, LONGEST_BODY_KEPT + 1])
def test_a_kept_body_is_cut(length: int) -> None:
    """At its length, and without what no text column takes."""
    assert len(kept_body("x" * length)) == min(length, LONGEST_BODY_KEPT)
    assert kept_body("a\x00b\ud800c") == "a\ufffdb?c"


@pytest.mark.parametrize(
    ("status", "flag_on", "force", "outcome"),
    [
        (LinkStatus.LINKED, True, False, Outcome.REQUEUED),
        (LinkStatus.LINKED, False, False, Outcome.FLAG_OFF),
        (LinkStatus.LINKED, False, True, Outcome.REQUEUED),
        (LinkStatus.REFUSED, True, False, Outcome.REFUSED),
        (LinkStatus.REFUSED, True, True, Outcome.REQUEUED),
        (LinkStatus.REAUTH_REQUIRED, True, False, Outcome.REAUTH_REQUIRED),
        (LinkStatus.REAUTH_REQUIRED, True, True, Outcome.REQUEUED),
        (LinkStatus.UNLINKED, True, True, Outcome.UNLINKED),
    ],
)
def test_the_account_decides(status: LinkStatus, *, flag_on: bool, force: bool, outcome: Outcome) -> None:
    """Every status, with the flag on and off, forced and not."""
    known = standing(link_status=status)

    assert outcome_of_replay(letter(), known, flag_on=flag_on, force=force) is outcome


def test_three_replays_are_enough_whoever_counted_them_and_no_force_helps() -> None:
    """The account's count, or the message's own."""
    assert MAX_REPLAYS == 3
    for counted in (letter(replays="3"), letter()):
        known = standing(replays=0 if counted.replays else 3)
        assert outcome_of_replay(counted, known, flag_on=True, force=True) is Outcome.QUARANTINED
    assert outcome_of_replay(letter(replays="2"), standing(replays=2), flag_on=True, force=False) is Outcome.REQUEUED


def test_a_message_that_is_no_account_s_is_not_held_up_by_one() -> None:
    """An event of Mono's about an account that is refused is how we hear that it is not any more."""
    event = letter({"type": "mono.webhook.received", "account_id": ACCOUNT})
    known = standing(link_status=LinkStatus.UNLINKED, replays=3)

    assert outcome_of_replay(event, known, flag_on=False, force=False) is Outcome.REQUEUED


def test_age_is_counted_from_the_first_sending() -> None:
    """To the second, included."""
    hour = LetterFilter(older_than=timedelta(hours=1))

    assert matches(hour, letter(), None, now=NOON + timedelta(hours=1))
    assert not matches(hour, letter(), None, now=NOON + timedelta(minutes=59, seconds=59))


@pytest.mark.parametrize("name", [ACCOUNT, "b" * 24, "c" * 24])
def test_an_account_is_meant_by_any_of_its_names(name: str) -> None:
    """The letter's, the present one and the first one."""
    known = standing(mono_account_id="b" * 24, first_mono_account_id="c" * 24)

    assert matches(LetterFilter(account_id=name), letter(), known, now=NOON)
    assert not matches(LetterFilter(account_id="d" * 24), letter(), known, now=NOON)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("P2W", timedelta(weeks=2)),
        ("P14D", timedelta(days=14)),
        ("PT90M", timedelta(minutes=90)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("PT0S", timedelta(0)),
    ],
)
def test_a_duration_is_read(text: str, length: timedelta) -> None:
    """ISO 8601: weeks alone, or days and time."""
    assert parse_duration("older_than", text) == length


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1Y", "P1M", "1D", "P1DT", "PT1H30", "P1W2D", "-P1D", "P1.5D", "pt1h", "P٣D", "P99999D"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A purge of the wrong age is a purge of the wrong letters."""
    with pytest.raises(InvalidInput):
        parse_duration("older_than", text)
