"""The order of decision, and that every decision has its reason."""

from __future__ import annotations

import pytest

from mono_pipeline.core.flag import (
    EVERYONE,
    NOBODY,
    Decision,
    FlagProblem,
    FlagReading,
    FlagRule,
    Reason,
    bucket,
    decide,
)

ME = "64779d900000000000ab0001"
OTHER = "64779d900000000000ab0002"
MINE = bucket("", ME)


def reading(rule: FlagRule | None) -> FlagReading:
    """Return a reading in order, of version 3."""
    return FlagReading(rule=rule, version=3)


def rule(*, enabled: bool = True, percentage: int = 0, allow: str = "", deny: str = "") -> FlagRule:
    """Return a rule with at most one id on each list."""
    return FlagRule(
        enabled=enabled,
        percentage=percentage,
        allow=frozenset(filter(None, [allow])),
        deny=frozenset(filter(None, [deny])),
    )


@pytest.mark.parametrize(
    ("of", "enabled", "reason"),
    [
        (NOBODY, False, Reason.OFF),
        (rule(enabled=False, percentage=10_000, allow=ME), False, Reason.OFF),
        (rule(enabled=False, deny=ME), False, Reason.OFF),
        (rule(percentage=10_000, allow=ME, deny=ME), False, Reason.DENY),
        (rule(deny=ME), False, Reason.DENY),
        (rule(allow=ME), True, Reason.ALLOW),
        (rule(percentage=10_000, allow=ME), True, Reason.ALLOW),
        (rule(percentage=MINE), False, Reason.ROLLOUT),
        (rule(percentage=MINE + 1), True, Reason.ROLLOUT),
        (rule(allow=OTHER), False, Reason.ROLLOUT),
        (rule(percentage=10_000, deny=OTHER), True, Reason.DEFAULT),
        (EVERYONE, True, Reason.DEFAULT),
    ],
)
def test_the_order_is_kill_switch_deny_allow_percentage(of: FlagRule, enabled: bool, reason: Reason) -> None:  # noqa: FBT001 - a table's column
    """The first step that has an answer gives it, and is the reason."""
    assert decide(reading(of), ME) == Decision(enabled=enabled, reason=reason, rule_version=3)


@pytest.mark.parametrize(
    ("of", "enabled", "reason"),
    [
        (NOBODY, False, Reason.OFF),
        (rule(enabled=False, percentage=10_000), False, Reason.OFF),
        (rule(), False, Reason.ROLLOUT),
        (rule(allow=ME, deny=ME), False, Reason.ROLLOUT),
        (rule(allow=ME), True, Reason.DEFAULT),
        (rule(percentage=1), True, Reason.DEFAULT),
        (EVERYONE, True, Reason.DEFAULT),
    ],
)
def test_without_an_account_the_question_is_whether_anybody_may_be_on(
    of: FlagRule,
    enabled: bool,  # noqa: FBT001 - a table's column
    reason: Reason,
) -> None:
    """Off for everyone needs no database; else the account has to be looked up."""
    assert decide(reading(of)) == Decision(enabled=enabled, reason=reason, rule_version=3)
    assert reading(of).off_for_everyone is not enabled
    assert of.off_for_everyone is not enabled


def test_off_for_everyone_means_that_no_account_is_on() -> None:
    """The short cut and the full decision never contradict each other."""
    rules = [
        rule(enabled=enabled, percentage=percentage, allow=allow, deny=deny)
        for enabled in (True, False)
        for percentage in (0, 1, MINE, MINE + 1, 10_000)
        for allow in ("", ME, OTHER)
        for deny in ("", ME, OTHER)
    ]

    for each in rules:
        if each.off_for_everyone:
            assert not decide(reading(each), ME).enabled
            assert not decide(reading(each), OTHER).enabled


@pytest.mark.parametrize("problem", list(FlagProblem))
def test_a_flag_that_is_not_known_is_off_with_the_reason_error(problem: FlagProblem) -> None:
    """Whatever is wrong with the flag, nobody syncs, and the decision says what it is."""
    unknown = FlagReading(rule=None, version=4, problem=problem, detail="what happened")

    for account in (None, ME):
        assert decide(unknown, account) == Decision(
            enabled=False, reason=Reason.ERROR, rule_version=4, problem=problem, detail="what happened"
        )
    assert unknown.off_for_everyone


def test_a_stale_rule_decides_as_before_and_says_stale_and_which_step() -> None:
    """An SSM outage does not stop who was on, and is seen in every decision."""
    stale = FlagReading(rule=rule(allow=ME), version=3, problem=FlagProblem.UNREADABLE, detail="d", stale=True)

    on, off = decide(stale, ME), decide(stale, OTHER)

    assert (on.enabled, on.reason, on.step, on.rule_version) == (True, Reason.STALE, Reason.ALLOW, 3)
    assert (off.enabled, off.reason, off.step) == (False, Reason.STALE, Reason.ROLLOUT)


def test_the_lists_mean_an_account_by_any_of_its_ids_and_the_bucket_by_its_first() -> None:
    """After a re-link the operator sees the new id and lists that; the rollout does not move."""
    assert decide(reading(rule(percentage=10_000, deny=OTHER)), ME, also_known_as={OTHER}).reason is Reason.DENY
    assert decide(reading(rule(allow=OTHER)), ME, also_known_as={OTHER}).reason is Reason.ALLOW
    assert decide(reading(rule(percentage=MINE + 1)), ME, also_known_as={OTHER}).enabled
    assert not decide(reading(rule(percentage=MINE)), ME, also_known_as={OTHER}).enabled
