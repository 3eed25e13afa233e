"""What a release may be called, and who may act in one: both stand in its audit trail for good."""

from __future__ import annotations

import pytest

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.release import parse_actor, parse_release_id


@pytest.mark.parametrize("text", ["1", "2026-11-24", "v1.2_rc-3", "A" * 64])
def test_a_release_goes_by_letters_digits_and_three_marks(text: str) -> None:
    """Up to 64 of them."""
    assert parse_release_id(text) == text


@pytest.mark.parametrize("text", ["", ".hidden", "-x", "a b", "a/b", "ä", "A" * 65, "v1\n"])
def test_anything_else_is_no_release(text: str) -> None:
    """And is told back, cut, with what would be one."""
    with pytest.raises(InvalidInput) as refused:
        parse_release_id(text)

    assert refused.value.field == "release_id"
    assert refused.value.problem == f"{text[:40]!r} is no release id (letters, digits, `._-`, at most 64)"


@pytest.mark.parametrize("text", ["ada", "arn:aws:sts::123456789012:assumed-role/ops/ada@example.com", "x" * 200])
def test_an_actor_is_a_name_without_white_space(text: str) -> None:
    """Of a person or of a role."""
    assert parse_actor(text) == text


@pytest.mark.parametrize("text", ["", " ", "ada lovelace", "x" * 201, "ada\n"])
def test_nobody_acts_without_a_name(text: str) -> None:
    """A line of the trail that names nobody would be worth nothing."""
    with pytest.raises(InvalidInput) as refused:
        parse_actor(text)

    assert str(refused.value) == "actor: must be a name without white space, at most 200 characters"
