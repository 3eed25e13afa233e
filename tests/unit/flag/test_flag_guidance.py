"""The guidance of a deferred answer: what, where, why, how to turn it on, and that nothing is lost."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
from msgspec.structs import asdict

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.flag import (
    Decision,
    FlagProblem,
    FlagReading,
    Guidance,
    Reason,
    decide,
    guidance,
    parse_flag,
)

PARAMETER = "/mono-pipeline/prod/MONO_TRANSACTIONS_ENABLED"
ME = "64779d900000000000ab0001"
OTHER = "64779d900000000000ab0002"


def told(text: str, account_id: str = ME) -> Guidance:
    """Return the guidance for an account under a flag of this text."""
    return guidance(decide(FlagReading(rule=parse_flag(text), version=1), account_id), PARAMETER, account_id)


def test_a_deferred_caller_learns_the_flag_its_place_the_reason_and_the_command() -> None:
    """Everything to act on is in the answer, and it is plain JSON."""
    answer = told("false")

    assert (answer.flag, answer.parameter, answer.reason) == ("MONO_TRANSACTIONS_ENABLED", PARAMETER, "OFF")
    assert "no account is synced" in answer.explanation
    assert answer.enable[0] == f'monoctl --env prod flag set --allow {ME} --reason "…"'
    assert answer.enable[1].startswith(f"aws ssm put-parameter --name {PARAMETER} --overwrite ")
    assert "Nothing is lost" in answer.meanwhile
    assert json.loads(json.dumps(asdict(answer)))["reason"] == "OFF"


def test_a_denied_account_is_told_to_leave_the_deny_list_too() -> None:
    """Deny wins over allow, so that allow alone would change nothing."""
    answer = told(f'{{"enabled": true, "deny": ["{ME}"]}}')

    assert "deny list" in answer.explanation
    assert f"--allow {ME} --undeny {ME}" in answer.enable[0]


def test_an_account_outside_the_rollout_is_told_so() -> None:
    """The percentage is the reason, not an outage."""
    assert "within the percentage" in told('{"enabled": true}').explanation


@pytest.mark.parametrize(
    ("problem", "command"),
    [
        (FlagProblem.MALFORMED, "monoctl --env prod flag restore VERSION"),
        (FlagProblem.MISSING, f"monoctl --env prod flag set --allow {ME}"),
        (FlagProblem.UNREADABLE, "monoctl --env prod flag show"),
    ],
)
def test_a_flag_that_is_wrong_is_explained_with_what_puts_it_right(problem: FlagProblem, command: str) -> None:
    """The way out of an error is not the way out of a switched-off flag."""
    decision = Decision(enabled=False, reason=Reason.ERROR, problem=problem, detail="'flase' is no rule")

    answer = guidance(decision, PARAMETER, ME)

    assert "'flase' is no rule" in answer.explanation
    assert any(each.startswith(command) for each in answer.enable)


def test_other_accounts_are_not_named_in_the_answer() -> None:
    """The lists are other customers' accounts."""
    answer = told(f'{{"enabled": true, "allow": ["{OTHER}"]}}')

    assert OTHER not in json.dumps(asdict(answer))


def test_nothing_that_is_no_account_id_gets_into_a_shell_command() -> None:
    """The commands are there to be pasted."""
    decision = Decision(enabled=False, reason=Reason.OFF)

    with pytest.raises(InvalidInput):
        guidance(decision, PARAMETER, "x'; rm -rf ~; '")


@pytest.mark.skipif(shutil.which("jq") is None, reason="the command of the guidance needs jq")
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("false", {"enabled": True, "percentage": 0, "allow": [ME], "deny": []}),
        ("true", {"enabled": True, "percentage": 100, "allow": [ME], "deny": []}),
        (
            f'{{"enabled": true, "percentage": 5, "allow": ["{OTHER}"], "deny": ["{ME}"], "salt": "s"}}',
            {"enabled": True, "percentage": 5, "allow": [ME, OTHER], "deny": [], "salt": "s"},
        ),
        ('{"enabled": false, "percentage": 50}', {"enabled": False, "percentage": 50, "allow": [ME], "deny": []}),
    ],
)
def test_the_command_for_aws_keeps_everyone_elses_entries(before: str, after: dict[str, object]) -> None:
    """It reads the value and adds to it, and turns no kill switch that keeps others."""
    found = re.search(r"jq -c '([^']+)'", told("false").enable[1])
    assert found

    edited = subprocess.run(["jq", "-c", found[1]], input=before, capture_output=True, text=True, check=True).stdout  # noqa: S603, S607 - jq as the operator has it

    assert json.loads(edited) == after
    parse_flag(edited)
