"""Who may wake an account, and which account an event is about."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from mono_pipeline.core.secret import Secret
from mono_pipeline.core.webhook import is_authentic
from mono_pipeline.core.webhook_event import account_named

OURS, OLD = Secret("the one of today, made up here"), Secret("the one before it, made up here")
A, B = "686265c6ff3885e5e53ab90a", "686265c6ff3885e5e53ab90b"


@pytest.mark.parametrize("presented", [OURS.reveal(), OLD.reveal()])
def test_each_secret_of_a_rotation_is_good(presented: str) -> None:
    """Whichever comes first."""
    assert is_authentic(presented, [OURS, OLD])
    assert is_authentic(presented, [OLD, OURS])


@pytest.mark.parametrize(
    "presented", [None, "", "x", "the one of today, made up her", "the one of today, made up here ", "\ud800", "XXXX"]
)
def test_nothing_else_is(presented: str | None) -> None:
    """Not a part of one, not none at all, and nothing that has no bytes."""
    assert not is_authentic(presented, [OURS, OLD])


def test_without_secrets_nobody_is_authentic_and_an_empty_secret_opens_nothing() -> None:
    """A setting that is missing never opens the door."""
    assert not is_authentic("x", [])
    assert not is_authentic("", [Secret("")])
    assert not is_authentic(None, [Secret("")])


def test_every_secret_is_compared_at_its_full_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time tells neither which secret nor how much of it was right."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert is_authentic(OURS.reveal(), [OURS, OLD])
    digests = [hashlib.sha256(secret.reveal().encode()).digest() for secret in (OURS, OLD)]
    assert compared == [(digests[0], digests[0]), (digests[0], digests[1])]


@pytest.mark.parametrize(
    ("told", "account"),
    [
        ({"data": {"account": {"_id": A}}}, A),
        ({"data": {"account": {"id": A}}}, A),
        ({"data": {"account": {"_id": A, "id": B}}}, A),
        ({"data": {"account": {"_id": "no id", "id": B}}}, B),
        ({"data": {"account": {"_id": 7, "id": B}}}, B),
        ({"data": {"account": A, "id": B}}, A),
        ({"data": {"id": B}}, B),
        ({"data": {"account": "no id", "id": B}}, B),
        ({"data": {"account": {"name": "x"}, "id": B}}, None),
        ({"data": {}}, None),
        ({"data": {"id": B.upper()}}, None),
        ({"data": [B]}, None),
        ({"data": B}, None),
        ({"id": B}, None),
        ({}, None),
    ],
)
def test_an_event_is_about_the_account_it_names(told: dict[str, Any], account: str | None) -> None:
    """In every shape that events have had, in the order of Mono contract 5.3, and about none where it names none."""
    assert account_named(told) == account
