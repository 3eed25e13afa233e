"""Edits of the rule: each does what the operator said, and says what else follows from it."""

from __future__ import annotations

import pytest

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.flag import EVERYONE, NOBODY, FlagChange, FlagRule, amend, parse_flag, render_flag

ME = "64779d900000000000ab0001"
OTHER = "64779d900000000000ab0002"
X, Y = frozenset({ME}), frozenset({OTHER})


def notes(rule: FlagRule, change: FlagChange) -> str:
    """Return what the operator is told."""
    return " ".join(amend(rule, change).notes)


def test_plain_false_and_allow_is_on_for_that_account_alone() -> None:
    """The canary's first step: one command, one account, nobody else."""
    amendment = amend(NOBODY, FlagChange(allow=X))

    assert render_flag(amendment.rule) == (
        f'{{"enabled": true, "percentage": 0, "allow": ["{ME}"], "deny": [], "salt": ""}}'
    )
    assert "for those named here only" in " ".join(amendment.notes)


def test_plain_false_and_a_percentage_is_on_for_that_share() -> None:
    """The first step of a rollout needs no second command."""
    assert amend(NOBODY, FlagChange(percentage=500)).rule == FlagRule(enabled=True, percentage=500)


@pytest.mark.parametrize(
    "kept", ['{"enabled": false, "percentage": 50}', f'{{"enabled": false, "allow": ["{OTHER}"]}}']
)
def test_a_kill_switch_that_keeps_others_is_not_turned_by_allow(kept: str) -> None:
    """Allowing one account must not bring back the half of the fleet that somebody switched off."""
    amendment = amend(parse_flag(kept), FlagChange(allow=X))

    assert not amendment.rule.enabled
    assert ME in amendment.rule.allow
    assert "kill switch is still off" in " ".join(amendment.notes)


def test_true_and_allow_stays_on_for_everyone_and_says_so() -> None:
    """Allow is never narrower than what it was added to."""
    amendment = amend(EVERYONE, FlagChange(allow=X))

    assert amendment.rule == FlagRule(enabled=True, percentage=10_000, allow=X)
    assert "stays on for everyone" in " ".join(amendment.notes)


def test_true_and_deny_is_everyone_but_that_account() -> None:
    """One troubled account can be taken out without touching the rest."""
    assert amend(EVERYONE, FlagChange(deny=X)).rule == FlagRule(enabled=True, percentage=10_000, deny=X)


def test_the_kill_switch_keeps_the_rest_of_the_rule_behind_it() -> None:
    """Off and on again is the same rollout: same salt, same lists, same percentage."""
    rule = FlagRule(enabled=True, percentage=2500, allow=X, deny=Y, salt="2026-11")
    off = amend(rule, FlagChange(enabled=False)).rule

    assert not off.enabled
    assert amend(off, FlagChange(enabled=True)).rule == rule


def test_enabling_plain_false_lets_nobody_in_and_says_so() -> None:
    """`--enable` is not `true`: nobody gets on who was not named."""
    amendment = amend(NOBODY, FlagChange(enabled=True))

    assert amendment.rule.off_for_everyone
    assert "for nobody" in " ".join(amendment.notes)


def test_ids_are_taken_off_the_lists_again() -> None:
    """Unallow and undeny; an id that was not there is no error."""
    rule = FlagRule(enabled=True, allow=X | Y, deny=X)

    assert amend(rule, FlagChange(unallow=X, undeny=X | Y)).rule == FlagRule(enabled=True, allow=Y)


def test_an_id_that_ends_on_both_lists_is_pointed_out() -> None:
    """Deny wins, and the operator who allows a denied account hears it at once."""
    assert "deny wins" in notes(FlagRule(enabled=True, deny=X), FlagChange(allow=X))


def test_another_salt_in_the_middle_of_a_rollout_is_pointed_out() -> None:
    """It takes customers off who were on."""
    assert "other accounts" in notes(FlagRule(enabled=True, percentage=500), FlagChange(salt="new"))
    assert notes(EVERYONE, FlagChange(salt="new")) == ""


@pytest.mark.parametrize("change", [FlagChange(allow=X, unallow=X), FlagChange(deny=X, undeny=X)])
def test_a_change_that_contradicts_itself_is_refused(change: FlagChange) -> None:
    """Nothing is guessed."""
    with pytest.raises(InvalidInput, match="taken off"):
        amend(NOBODY, change)


def test_a_bad_id_or_percentage_is_refused_before_anything_is_written() -> None:
    """A typo in a deny would deny nobody."""
    with pytest.raises(InvalidInput, match="deny"):
        amend(EVERYONE, FlagChange(deny=frozenset({ME.upper()})))
    with pytest.raises(InvalidInput, match="percentage"):
        amend(EVERYONE, FlagChange(percentage=10_001))
