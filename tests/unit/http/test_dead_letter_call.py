"""`POST /api/v1/ops/dead-letters`: what may be asked, who asks, and what each end looks like on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from functions.dlq_replay import app
from mono_pipeline.core.errors import DatabaseUnavailable, InvalidInput
from mono_pipeline.core.replay import Action, Asked
from mono_pipeline.http.dead_letter_call import dead_letter_answer, read_dead_letter_call
from mono_pipeline.usecases.dead_letters import Progress, Refusal
from tests.harness import Witness

if TYPE_CHECKING:
    from mono_pipeline.core.deadline import Deadline

ACTION = "0d4b9a52-7a2b-4b0e-8a53-2f6d7f1f9c10"
ARN = "arn:aws:sts::123456789012:assumed-role/Operator/ada@example.com"


def event(body: Any, *, arn: str | None = None) -> dict[str, Any]:
    """An event of API Gateway's."""
    text = body if isinstance(body, str) else json.dumps(body)
    return {"body": text, "requestContext": {"requestId": "r-1", "identity": {"userArn": arn}}}


def progress(asked: Asked, **fields: Any) -> Progress:
    """An action that is done."""
    told: dict[str, Any] = {
        "finished": True,
        "expected": 3,
        "seen": 3,
        "refusal": None,
        "outcomes": {"requeued": {"messages": 3, "accounts": 1}},
        "groups": [{"type": "mono.fetch.failed", "oldest": datetime(2026, 11, 24, tzinfo=UTC)}],
        "letters": [],
    }
    return Progress(asked=asked, **{**told, **fields})


def test_a_body_says_everything() -> None:
    """Every field, as design has them."""
    asked = read_dead_letter_call(
        event(
            {
                "action": "replay",
                "filter": {
                    "type": "mono.fetch.*",
                    "account_id": "a" * 24,
                    "reason": "mono_*",
                    "older_than": "PT12H",
                },
                "dry_run": False,
                "limit": 10,
                "rate": 5,
                "force": True,
                "action_id": ACTION,
            },
            arn=ARN,
        )
    )

    assert (asked.action, asked.changes, asked.most, asked.per_second, asked.force) == (
        Action.REPLAY,
        True,
        10,
        5,
        True,
    )
    assert (asked.filter.type, asked.filter.account_id, asked.filter.reason) == ("mono.fetch.*", "a" * 24, "mono_*")
    assert asked.filter.older_than == timedelta(hours=12)
    assert (asked.action_id, asked.asked_by, asked.correlation_id) == (UUID(ACTION), ARN, "r-1")


@pytest.mark.parametrize("action", ["inspect", "replay", "purge"])
def test_it_is_dry_unless_told_otherwise(action: str) -> None:
    """And an inspection always."""
    assert not read_dead_letter_call(event({"action": action})).changes
    assert read_dead_letter_call(event({"action": action, "dry_run": False})).changes == (action != "inspect")


def test_who_signed_the_request_is_who_asks() -> None:
    """A name in the body counts only where nobody signs, as on the embedded stack."""
    body = {"action": "inspect", "asked_by": "somebody else"}

    assert read_dead_letter_call(event(body, arn=ARN)).asked_by == ARN
    assert read_dead_letter_call(event(body)).asked_by == "somebody else"
    assert read_dead_letter_call(event({"action": "inspect"})).asked_by == "unknown"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("{", "body"),
        ("[]", "body"),
        ({}, "action"),
        ({"action": "redrive"}, "action"),
        ({"action": "purge", "dry_run": "no"}, "dry_run"),
        ({"action": "purge", "dryrun": True}, "dryrun"),
        ({"action": "purge", "limit": 0}, "limit"),
        ({"action": "replay", "rate": 0}, "rate"),
        ({"action": "purge", "filter": {"types": "x"}}, "filter.types"),
        ({"action": "purge", "filter": {"type": ""}}, "filter.type"),
        ({"action": "purge", "filter": {"account_id": "x"}}, "account_id"),
        ({"action": "purge", "filter": {"older_than": "1 day"}}, "older_than"),
        ({"action": "purge", "action_id": "x"}, "action_id"),
    ],
)
def test_what_is_wrong_is_named(body: Any, field: str) -> None:
    """A misspelt filter would otherwise purge everything."""
    with pytest.raises(InvalidInput) as raised:
        read_dead_letter_call(event(body))

    assert raised.value.field == field


def test_a_refusal_in_earnest_is_an_error_and_in_a_dry_run_a_word() -> None:
    """409 for the flag, 503 with Retry-After for a pause."""
    dry = read_dead_letter_call(event({"action": "replay"}))
    earnest = read_dead_letter_call(event({"action": "replay", "dry_run": False}))
    off, paused = Refusal(code="flag_off", reason="OFF"), Refusal(code="provider_paused", reason="x", seconds=76.6)

    code, body, _ = dead_letter_answer(progress(earnest, refusal=off))
    assert (code, body["status"], body["error"]["code"]) == (409, "refused", "flag_off")
    code, body, headers = dead_letter_answer(progress(earnest, refusal=paused))
    assert (code, body["error"]["code"], headers) == (503, "provider_paused", {"Retry-After": "77"})
    code, body, _ = dead_letter_answer(progress(dry, refusal=paused))
    assert (code, body["status"], body["would_be_refused"]) == (200, "completed", "provider_paused")


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Asked, float]]:
    """What the use case was asked, with the seconds it was given."""
    asked: list[tuple[Asked, float]] = []

    class Scripted:
        """A use case whose database is gone when it is asked to purge."""

        def __init__(self, _collaborators: Any) -> None:
            pass

        def act(self, question: Asked, deadline: Deadline) -> Progress:
            """Answer."""
            asked.append((question, deadline.remaining()))
            if question.action is Action.PURGE:
                raise DatabaseUnavailable("cannot connect to PostgreSQL at db.internal")
            return progress(question, finished=False)

    monkeypatch.setattr(app, "DeadLetters", Scripted)
    monkeypatch.setattr(app, "environment", lambda: SimpleNamespace(collaborators=None, observer=Witness()))
    return asked


CONTEXT: Any = SimpleNamespace(aws_request_id="r-1", get_remaining_time_in_millis=lambda: 29_000)


def test_the_function_answers_in_time_with_json(acting: list[tuple[Asked, float]]) -> None:
    """Before API Gateway gives up, whose limit is the function's own timeout."""
    answer = app.handler(event({"action": "inspect", "action_id": ACTION}), CONTEXT)

    body = json.loads(answer["body"])
    assert (answer["statusCode"], body["status"], body["action_id"]) == (200, "continues", ACTION)
    assert body["so_far"] == {"seen": 3, "expected": 3}
    assert body["groups"][0]["oldest"] == "2026-11-24T00:00:00+00:00"
    ((_, seconds),) = acting
    assert 15 < seconds <= 20


@pytest.mark.usefixtures("acting")
@pytest.mark.parametrize(
    ("body", "code", "name"), [({"action": "purge"}, 503, "unavailable"), ("{", 422, "invalid_input")]
)
def test_an_error_is_one_of_the_interface_and_names_no_host(body: Any, code: int, name: str) -> None:
    """As every other route's."""
    answer = app.handler(event(body), CONTEXT)

    told = json.loads(answer["body"])
    assert (answer["statusCode"], told["error"]["code"], told["operation"]) == (code, name, "dead_letters")
    assert "db.internal" not in answer["body"]
