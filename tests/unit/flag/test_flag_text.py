"""The flag's text: what is a rule, what is malformed, and that rendering loses nothing."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_pipeline.core.errors import InvalidInput, MalformedFlag
from mono_pipeline.core.flag import (
    EVERYONE,
    MAX_FLAG_BYTES,
    NOBODY,
    FlagRule,
    parse_flag,
    parse_percentage,
    percentage_text,
    render_flag,
)

ONE = "64779d900000000000ab0001"
OTHER = "64779d900000000000ab0002"

account_ids = st.text("0123456789abcdef", min_size=24, max_size=24)
rules = st.builds(
    FlagRule,
    enabled=st.booleans(),
    percentage=st.integers(0, 10_000),
    allow=st.frozensets(account_ids, max_size=20),
    deny=st.frozensets(account_ids, max_size=20),
    salt=st.text(st.characters(codec="utf-8"), max_size=30),
)


@pytest.mark.parametrize("text", ["true", "True", "TRUE", " true\n", "\ttRuE \r\n"])
def test_true_in_any_letter_case_and_white_space_is_everyone(text: str) -> None:
    """`true` is on for everyone, however it was typed."""
    assert parse_flag(text) == EVERYONE


@pytest.mark.parametrize("text", ["false", "False", "FALSE", "  false ", "false\n"])
def test_false_in_any_letter_case_and_white_space_is_nobody(text: str) -> None:
    """`false` is off for everyone, however it was typed."""
    assert parse_flag(text) == NOBODY


def test_a_rule_is_read_with_every_key() -> None:
    """The design's own example, with a list in both places."""
    text = f'{{"enabled": true, "percentage": 12.5, "allow": ["{ONE}"], "deny": ["{OTHER}"], "salt": "2026-11"}}'

    assert parse_flag(text) == FlagRule(
        enabled=True, percentage=1250, allow=frozenset({ONE}), deny=frozenset({OTHER}), salt="2026-11"
    )


def test_only_enabled_is_required_and_percentage_defaults_to_nobody() -> None:
    """A rule without a percentage lets nobody in by percentage: turning the flag on is never everyone by accident."""
    assert parse_flag('{"enabled": true}') == FlagRule(enabled=True, percentage=0)


def test_an_id_on_both_lists_is_a_valid_rule() -> None:
    """Deny wins, so it says something definite."""
    rule = parse_flag(json.dumps({"enabled": True, "allow": [ONE], "deny": [ONE]}))

    assert rule.allow == rule.deny == {ONE}


@pytest.mark.parametrize(
    ("percentage", "basis_points"),
    [("0", 0), ("1", 100), ("12.5", 1250), ("12.50", 1250), ("0.01", 1), ("99.99", 9999), ("100", 10_000)],
)
def test_a_percentage_is_exact_basis_points(percentage: str, basis_points: int) -> None:
    """No binary fraction stands between what was typed and who is in."""
    assert parse_flag(f'{{"enabled": true, "percentage": {percentage}}}').percentage == basis_points


MALFORMED = {
    "": "neither true",
    "   ": "neither true",
    "flase": "'flase'",
    "tru": "'tru'",
    "yes": "neither true",
    "1": "not an object",
    "null": "not an object",
    '"true"': "not an object",
    "[]": "not an object",
    "[true]": "not an object",
    "-5": "not an object",
    "101": "not an object",
    "NaN": "NaN is not a number",
    "fal\u017fe": "neither true",
    "{": "neither true",
    "{}": "enabled",
    '{"percentage": 50}': "enabled",
    '{"enabled": 1}': "enabled",
    '{"enabled": "true"}': "enabled",
    '{"enabled": null}': "enabled",
    '{"enabled": true} x': "neither true",
    '{"enabled": true, "enabled": false}': "'enabled' is there twice",
    '{"enabled": true, "percentage": 1, "percentage": 1}': "'percentage' is there twice",
    '{"enabled": true, "Percentage": 5}': "unknown key 'Percentage'",
    '{"enabled": true, "rollout": 5}': "unknown key 'rollout'",
    '{"enabled": true, "percentage": true}': "percentage: must be a number",
    '{"enabled": true, "percentage": "50"}': "percentage: must be a number",
    '{"enabled": true, "percentage": null}': "percentage: must be a number",
    '{"enabled": true, "percentage": NaN}': "NaN is not a number",
    '{"enabled": true, "percentage": Infinity}': "Infinity is not a number",
    '{"enabled": true, "percentage": -1}': "between 0 and 100",
    '{"enabled": true, "percentage": -0.01}': "between 0 and 100",
    '{"enabled": true, "percentage": 101}': "between 0 and 100",
    '{"enabled": true, "percentage": 100.01}': "between 0 and 100",
    '{"enabled": true, "percentage": 12.345}': "two decimals",
    '{"enabled": true, "percentage": 1e-999999999}': "two decimals",
    '{"enabled": true, "percentage": 1e1}': "plainly",
    '{"enabled": true, "percentage": 1e999999999}': "between 0 and 100",
    '{"enabled": true, "percentage": 1e99999999999999999999999}': "can be read",
    '{"enabled": true, "allow": "64779d900000000000ab0001"}': "allow: must be a list",
    '{"enabled": true, "allow": {"64779d900000000000ab0001": 1}}': "allow: must be a list",
    '{"enabled": true, "allow": null}': "allow: must be a list",
    '{"enabled": true, "allow": [1]}': "allow: must be a list",
    '{"enabled": true, "allow": ["not an id"]}': "allow: 'not an id' is not a Mono account id",
    '{"enabled": true, "deny": ["64779D900000000000AB0001"]}': "deny:",
    '{"enabled": true, "deny": ["64779d900000000000ab0001\\n"]}': "deny:",
    '{"enabled": true, "deny": ["64779d900000000000ab001"]}': "deny:",
    '{"enabled": true, "salt": 7}': "salt: must be text",
    '{"enabled": true, "salt": "\\ud800"}': "salt:",
    "[" * 4000: "neither true",
    '{"enabled": true, "salt": "' + "x" * 4096 + '"}': "at most 4,096",
}


@pytest.mark.parametrize(("text", "says"), MALFORMED.items(), ids=[text[:60] for text in MALFORMED])
def test_garbage_is_malformed_and_the_message_says_what_is_wrong(text: str, says: str) -> None:
    """R4: whatever is not exactly a rule is refused, with the reason for whoever typed it."""
    with pytest.raises(MalformedFlag) as refused:
        parse_flag(text)

    assert says in str(refused.value)
    assert len(str(refused.value)) < 200


@given(st.text(max_size=200))
def test_any_text_is_a_rule_or_malformed_and_nothing_else_happens(text: str) -> None:
    """A function that reads the flag cannot be brought down by its value."""
    with suppress(MalformedFlag):
        assert isinstance(parse_flag(text), FlagRule)


@given(rules)
def test_rendering_a_rule_and_parsing_it_gives_the_same_rule(rule: FlagRule) -> None:
    """What monoctl writes is what the functions decide by."""
    text = render_flag(rule)

    assert parse_flag(text) == rule
    assert render_flag(parse_flag(text)) == text


def test_every_percentage_survives_its_text() -> None:
    """All 10,001 of them, through JSON and through what people read."""
    for basis_points in range(10_001):
        rule = FlagRule(enabled=True, percentage=basis_points, salt="s")
        assert parse_flag(render_flag(rule)) == rule
        assert parse_percentage(percentage_text(basis_points)) == basis_points


def test_the_canonical_text_is_sorted_and_whole() -> None:
    """One rule has one text, so that two versions can be compared by eye."""
    rule = FlagRule(enabled=True, percentage=1250, allow=frozenset({OTHER, ONE}), salt="2026-11")

    assert render_flag(rule) == (
        f'{{"enabled": true, "percentage": 12.5, "allow": ["{ONE}", "{OTHER}"], "deny": [], "salt": "2026-11"}}'
    )
    assert (render_flag(EVERYONE), render_flag(NOBODY)) == ("true", "false")


def test_about_140_ids_fit_and_more_are_refused_before_they_are_written() -> None:
    """SSM's 4 KB is ours to hold: its stand-ins take more."""
    fits = FlagRule(enabled=True, allow=frozenset(f"{number:024x}" for number in range(140)))
    too_many = FlagRule(enabled=True, allow=frozenset(f"{number:024x}" for number in range(150)))

    assert len(render_flag(fits)) <= MAX_FLAG_BYTES
    with pytest.raises(InvalidInput, match=r"SSM takes 4,096"):
        render_flag(too_many)


@pytest.mark.parametrize("text", ["nan", "1e1", "-1", "100.01", "101", "5.555", "", "%", "1_0", "½", "\uff15", "5 %%"])
def test_a_percentage_that_a_person_mistyped_is_refused(text: str) -> None:
    """The command line takes 12.5 and 12.5%, and guesses nothing."""
    with pytest.raises(InvalidInput, match="percentage"):
        parse_percentage(text)


def test_a_rule_cannot_be_made_with_a_value_it_cannot_have() -> None:
    """The command line's edits are held to the same bounds as the text."""
    with pytest.raises(InvalidInput, match="percentage"):
        FlagRule(enabled=True, percentage=10_001)
    with pytest.raises(InvalidInput, match="deny"):
        FlagRule(enabled=True, deny=frozenset({"x"}))
