"""Which dead letters a filter means, and which of them an action leaves where they are."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from mono_pipeline.core.dead_letter import DeadLetter, QueuedMessage, read_dead_letter
from mono_pipeline.core.replay import (
    TAKES_OFF,
    Action,
    Asked,
    LetterFilter,
    Outcome,
    Sorted,
    Standing,
    matches,
    outcome_of_replay,
)
from mono_pipeline.core.run import LinkStatus

ACCOUNT = "a" * 24
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def letter(kind: str = "mono.fetch.requested", **told: Any) -> DeadLetter:
    """A letter of this type."""
    body = json.dumps({"type": kind, "account_id": ACCOUNT, **told})
    return read_dead_letter(QueuedMessage(message_id="m", receipt="r", body=body, sent_at=NOON, receives=1))


def standing(*, replays: int = 0) -> Standing:
    """An account whose newest run ended in a server's error."""
    return Standing(
        id=1,
        mono_account_id=ACCOUNT,
        first_mono_account_id=ACCOUNT,
        link_status=LinkStatus.LINKED,
        replays=replays,
        last_run_id=None,
        last_error="mono_server_error",
    )


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("mono.fetch.requested", True),
        ("mono.fetch.*", True),
        ("*", True),
        ("mono.webhook.*", False),
        ("MONO.FETCH.REQUESTED", False),
        ("mono.fetch", False),
    ],
)
def test_letters_are_meant_by_a_pattern_of_their_type(pattern: str, *, meant: bool) -> None:
    """As a shell takes it, case included."""
    assert matches(LetterFilter(type=pattern), letter(), standing(), now=NOON) is meant


@pytest.mark.parametrize(
    ("pattern", "meant"), [("mono_server_error", True), ("mono_*", True), ("unfinished", False), ("Mono_*", False)]
)
def test_letters_are_meant_by_a_pattern_of_their_reason(pattern: str, *, meant: bool) -> None:
    """A wake-up's reason is how its account's newest run ended."""
    assert matches(LetterFilter(reason=pattern), letter(), standing(), now=NOON) is meant


def test_a_letter_is_meant_by_all_of_a_filter_together() -> None:
    """What one part leaves out no other part brings back."""
    both = LetterFilter(type="mono.fetch.*", reason="mono_server_error")

    assert matches(both, letter(), standing(), now=NOON)
    assert not matches(both, letter("mono.webhook.received"), standing(), now=NOON)
    assert not matches(both, letter(), None, now=NOON)


def test_a_replay_that_nobody_counted_is_none() -> None:
    """An event of an account that we do not know has had as many as it says itself."""
    event = letter("mono.webhook.received")

    assert outcome_of_replay(event, None, flag_on=True, force=False) is Outcome.REQUEUED
    twice = DeadLetter(message=event.message, type=event.type, work=event.work, replays=2)
    assert outcome_of_replay(twice, None, flag_on=True, force=False) is Outcome.REQUEUED


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_letter_stays_unless_a_real_action_takes_it_off(*, outcome: Outcome, action: Action, dry_run: bool) -> None:
    """Looking takes nothing off, nor does a dry run, nor an account that keeps its letters."""
    asked = Asked(action_id=UUID(int=1), action=action, dry_run=dry_run, asked_by="ops", correlation_id="c")
    found = Sorted(letter=letter(), standing=None, reason="unfinished", outcome=outcome)

    taken = not dry_run and action is not Action.INSPECT and outcome in TAKES_OFF

    assert found.is_left_by(asked) is not taken
