"""What an operator is told about the flag, to the letter, and the edges of its figures."""

from __future__ import annotations

import pytest

from mono_pipeline.core.errors import InvalidInput, MalformedFlag
from mono_pipeline.core.flag import (
    EVERYONE,
    FLAG_NAME,
    MAX_FLAG_BYTES,
    NOBODY,
    Decision,
    FlagChange,
    FlagProblem,
    FlagReading,
    FlagRule,
    Reason,
    amend,
    check_account_id,
    decide,
    guidance,
    parse_flag,
    parse_percentage,
    percentage_text,
    render_flag,
)

PARAMETER = "/mono-pipeline/dev/MONO_TRANSACTIONS_ENABLED"
A, B = "64779d90000000000000000a", "64779d90000000000000000b"


@pytest.mark.parametrize(
    ("rule", "change", "notes"),
    [
        (
            FlagRule(enabled=False, percentage=100),
            FlagChange(percentage=200),
            ("The kill switch is still off. It keeps more than was named now: --enable turns all of it on.",),
        ),
        (
            NOBODY,
            FlagChange(allow=frozenset({A})),
            ("The flag was off for everyone; it is now on, for those named here only.",),
        ),
        (
            EVERYONE,
            FlagChange(percentage=0),
            ("On, but for nobody: the percentage is 0 and no account is allowed. `true` is everyone.",),
        ),
        (
            EVERYONE,
            FlagChange(allow=frozenset({A})),
            ("The flag stays on for everyone (100 %); the allow list matters once the percentage is lower.",),
        ),
        (
            FlagRule(enabled=True, percentage=500, deny=frozenset({A, B}), allow=frozenset({B})),
            FlagChange(allow=frozenset({A})),
            (f"{A} is on both lists: deny wins, it stays off.",),  # B was so before, and nobody named it now
        ),
        (FlagRule(enabled=True, percentage=500, allow=frozenset({B})), FlagChange(deny=frozenset({A})), ()),
        (
            FlagRule(enabled=True, percentage=1),
            FlagChange(salt="new"),
            ("Another salt: the percentage now picks other accounts.",),
        ),
        (FlagRule(enabled=True, allow=frozenset({A})), FlagChange(salt="new"), ()),  # nothing is dealt out
        (FlagRule(enabled=True, percentage=500, salt="old"), FlagChange(salt="old"), ()),
    ],
)
def test_each_change_is_commented_in_its_own_words(rule: FlagRule, change: FlagChange, notes: tuple[str, ...]) -> None:
    """And in no others."""
    assert amend(rule, change).notes == notes


def test_a_salt_is_changed_or_kept() -> None:
    """And nothing else changes with it."""
    rule = FlagRule(enabled=True, percentage=500, salt="old")

    assert amend(rule, FlagChange(salt="new")).rule == FlagRule(enabled=True, percentage=500, salt="new")
    assert amend(rule, FlagChange(salt="")).rule.salt == ""
    assert amend(rule, FlagChange(percentage=600)).rule.salt == "old"


@pytest.mark.parametrize(("name", "undo"), [("allow", "unallow"), ("deny", "undeny")])
def test_a_contradiction_is_refused_by_the_name_of_its_list(name: str, undo: str) -> None:
    """The first id is named too."""
    with pytest.raises(InvalidInput) as refused:
        amend(NOBODY, FlagChange(**{name: frozenset({B, A}), undo: frozenset({A, B})}))  # type: ignore[arg-type]
    assert str(refused.value) == f"{name}: {A} is to be put on the list and taken off it"


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (Decision(enabled=True, reason=Reason.ALLOW), "The flag is on for this account; ask again."),
        (Decision(enabled=False, reason=Reason.OFF), "The flag's kill switch is off: no account is synced."),
        (
            Decision(enabled=False, reason=Reason.ERROR, detail="gone"),
            "The flag cannot be read, and what cannot be read is off: gone.",
        ),
        (
            Decision(enabled=False, reason=Reason.ERROR),
            "The flag cannot be read, and what cannot be read is off: unknown.",
        ),
        (
            Decision(enabled=False, reason=Reason.STALE, detail="SSM timed out"),
            "SSM does not answer; by the flag's last good value this account is off.",
        ),
    ],
)
def test_a_reason_is_one_sentence(decision: Decision, words: str) -> None:
    """With the problem in it where the flag itself is the problem."""
    assert guidance(decision, PARAMETER, A).explanation == words


def test_a_missing_parameter_is_made_with_this_account_alone() -> None:
    """The command for AWS's own client says where and for whom."""
    missing = Decision(enabled=False, reason=Reason.ERROR, problem=FlagProblem.MISSING)

    assert guidance(missing, PARAMETER, A).enable == (
        f'monoctl --env dev flag set --allow {A} --reason "…"',
        (
            f"aws ssm put-parameter --name {PARAMETER} --type String "
            f'--value \'{{"enabled": true, "percentage": 0, "allow": ["{A}"]}}\''
        ),
    )


def test_a_decision_keeps_what_is_wrong_with_the_flag() -> None:
    """A stale rule decides, and still says why it is stale."""
    stale = FlagReading(rule=EVERYONE, problem=FlagProblem.UNREADABLE, detail="SSM timed out", stale=True)

    for account in (None, A):
        decision = decide(stale, account)
        assert (decision.enabled, decision.problem, decision.detail) == (
            True,
            FlagProblem.UNREADABLE,
            "SSM timed out",
        )


def test_a_flag_of_exactly_the_limit_is_written_and_one_byte_more_is_refused() -> None:
    """SSM takes 4,096 bytes."""
    empty = len(render_flag(FlagRule(enabled=True, salt="x"))) - 1
    fits = FlagRule(enabled=True, salt="s" * (MAX_FLAG_BYTES - empty))

    assert len(render_flag(fits)) == MAX_FLAG_BYTES
    assert parse_flag(render_flag(fits)) == fits
    with pytest.raises(InvalidInput, match=rf"^{FLAG_NAME}: 4,097 bytes; SSM takes 4,096: "):
        render_flag(FlagRule(enabled=True, salt=fits.salt + "s"))


@pytest.mark.parametrize(
    ("text", "basis_points"), [("12.5%", 1_250), (" 7 % ".replace(" %", "%"), 700), ("100", 10_000)]
)
def test_a_percent_sign_may_follow(text: str, basis_points: int) -> None:
    """As people write it."""
    assert parse_percentage(text) == basis_points


@pytest.mark.parametrize("text", ["%12", "a dozen", "x" * 60])
def test_a_percentage_that_is_none_is_quoted_up_to_forty_characters(text: str) -> None:
    """Named, quoted, and told what it must be."""
    with pytest.raises(InvalidInput) as refused:
        parse_percentage(text)
    problem = f"{text[:40]!r} is not a number from 0 to 100 with at most two decimals"
    assert str(refused.value) == f"percentage: {problem}"


@pytest.mark.parametrize(
    ("basis_points", "text"), [(1_250, "12.5"), (1_200, "12"), (1, "0.01"), (0, "0"), (10_000, "100")]
)
def test_basis_points_are_shown_without_needless_decimals(basis_points: int, text: str) -> None:
    """A whole percentage is a whole number."""
    assert percentage_text(basis_points) == text


def test_a_number_beyond_all_reading_is_quoted_up_to_forty_characters() -> None:
    """No exponent of fifty digits is a percentage."""
    number = f"1e{'9' * 50}"

    with pytest.raises(MalformedFlag) as refused:
        parse_flag(f'{{"enabled": true, "percentage": {number}}}')
    assert str(refused.value) == f"{number[:40]} is not a number that can be read"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1]", "JSON, but not an object: write true, false or an object"),
        ("x" * 60, f"{'x' * 40!r} is neither true, nor false, nor a JSON object"),
        ('{"enabled": 1}', "enabled: must be there, true or false"),
        ('{"enabled": true, "salt": "a", "salt": "b"}', "key 'salt' is there twice"),
        (f'{{"{"k" * 60}": 1, "{"k" * 60}": 2}}', f"key {'k' * 40!r} is there twice"),
        (
            f'{{"enabled": true, "{"k" * 60}": 1}}',
            f"unknown key {'k' * 40!r}; the keys are enabled, percentage, allow, deny, salt",
        ),
        ('{"enabled": true, "allow": 1}', "allow: must be a list of account ids"),
        ('{"enabled": true, "deny": 1}', "deny: must be a list of account ids"),
        ('{"enabled": true, "percentage": 101}', "percentage: must lie between 0 and 100"),
        (
            '{"enabled": true, "percentage": 1.234}',
            "percentage: must be written plainly, with at most two decimals",
        ),
        ('{"enabled": true, "salt": "\\ud800"}', "salt: holds a lone surrogate, which has no bytes to hash"),
    ],
)
def test_what_is_wrong_with_a_flag_is_said_to_the_letter(text: str, words: str) -> None:
    """The operator who typed it reads which key, and what it must be."""
    with pytest.raises(MalformedFlag) as refused:
        parse_flag(text)
    assert str(refused.value) == words


def test_a_rule_names_the_field_that_it_refuses() -> None:
    """In a rule made by hand as in one that was read."""
    with pytest.raises(InvalidInput) as refused:
        FlagRule(enabled=True, percentage=10_001)
    assert str(refused.value) == "percentage: must lie between 0 and 100"
    with pytest.raises(InvalidInput) as no_account:
        check_account_id("y" * 60)
    problem = f"{'y' * 40!r} is not a Mono account id (24 hex digits, small letters)"
    assert str(no_account.value) == f"account_id: {problem}"
