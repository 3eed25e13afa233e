"""`canary start --shadow` and `promote --shadow`: who would come on is read and compared, and nothing is changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.flag import parse_flag
from monoctl.errors import OpsRefused
from monoctl.report.checklist import shadow_found
from monoctl.report.trail import Detail
from tests.unit.monoctl.release_world import ReleaseWorld
from tests.unit.monoctl.stand_ins import ACCOUNT

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

OTHER = "64779d900000000000ab0002"
THIRD = "64779d900000000000ab0003"
VERIFIED = {"kind": "verified", "reason": None, "first_bad_day": None}
MISMATCH = {"kind": "mismatch", "reason": "days_differ", "first_bad_day": "2026-11-03"}
OF_BOTH = ("canary", "start", "--account", ACCOUNT, "--account", OTHER, "--shadow")


def compared(account_id: str, verdict: dict[str, Any] | None = VERIFIED, *, updated: int = 0) -> dict[str, Any]:
    """An answer of the ops function."""
    return {
        "account_id": account_id,
        "status": "compared",
        "verdict": verdict,
        "counts": {"seen": 42, "inserted": 3, "updated": updated, "unchanged": 39 - updated, "quarantined": 0},
        "changes": [],
    }


@pytest.fixture
def world(ssm: SSMClient) -> ReleaseWorld:
    """A flag on for 1 %, an open release, and two accounts that agree with the bank."""
    made = ReleaseWorld(ssm)
    made.flag = '{"enabled": true, "percentage": 1}'
    made.ops.shadows = {each: compared(each) for each in (ACCOUNT, OTHER)}
    made.ops.sample = [ACCOUNT, OTHER]
    made.ops.ask("releases.begin", release_id="r1", actor="ada", version="1", reason="launch")
    made.ops.asked.clear()
    return made


@pytest.mark.parametrize("command", [OF_BOTH, ("promote", "--shadow")], ids=["canary", "promote"])
def test_accounts_are_read_and_nothing_is_changed(world: ReleaseWorld, command: tuple[str, ...]) -> None:
    """No sync is asked for, the flag stays as it is, and the release stays where it is."""
    before = world.flag

    said = world.run("--json", *command)

    told = json.loads(said.stdout)
    assert said.exit_code == 0
    assert [each["account_id"] for each in told["accounts"]] == [ACCOUNT, OTHER]
    assert (world.flag, world.api.asked) == (before, [])
    assert world.ops.releases[0]["status"] == "open"
    assert world.ops.kinds() == ["shadow.compared"]
    assert world.ops.detail("shadow.compared")["verdicts"] == {"verified": 2}
    assert told["recorded_in"] == "r1"


def test_a_step_s_are_those_who_come_on_by_the_next_that_adds_anybody(world: ReleaseWorld) -> None:
    """From the flag as it is to the flag as it would be, which is not written; a step that adds nobody is passed."""
    world.ops.adds, world.ops.sample = [0, 0, 3], [ACCOUNT]

    said = world.run("--json", "promote", "--shadow")

    asked = [arguments for action, arguments in world.ops.asked if action == "releases.cohort"]
    assert [parse_flag(each["after"]).percentage for each in asked] == [100, 500, 2_500]
    assert {parse_flag(each["before"]).percentage for each in asked} == {100}
    assert "25 %: 3 accounts would come on, 1 of them are read" in said.stderr
    assert json.loads(said.stdout)["stage"] == "25 %"


def test_behind_the_kill_switch_is_who_would_come_on_with_it(world: ReleaseWorld) -> None:
    """It is what one runs before the flag is on."""
    world.flag = '{"enabled": false, "percentage": 0}'

    assert world.run("promote", "--shadow").exit_code == 0

    (asked,) = [arguments for action, arguments in world.ops.asked if action == "releases.cohort"]
    assert (parse_flag(asked["before"]).enabled, parse_flag(asked["after"]).enabled) == (False, True)


def test_the_gravest_of_all_is_the_exit_code_and_on_record(world: ReleaseWorld) -> None:
    """Not the last one's: a mismatch of the first is one of the release's checklist."""
    world.ops.shadows[ACCOUNT] = compared(ACCOUNT, MISMATCH, updated=1)

    said = world.run(*OF_BOTH)

    assert said.exit_code == 5
    assert f"{ACCOUNT} mismatch (days_differ, first bad day 2026-11-03)" in " ".join(said.stdout.split())
    recorded = world.ops.detail("shadow.compared")
    assert (recorded["verdicts"], recorded["not_verified"]) == ({"mismatch": 1, "verified": 1}, {ACCOUNT: "mismatch"})
    assert shadow_found(Detail(recorded)) == (False, "canary: exit code 5: 1 mismatch, 1 verified")


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (OpsRefused("AccountBlocked", "unlinked"), 6),
        (OpsRefused("MonoNotFound", "404"), 7),
        (compared(ACCOUNT, None), 8),
    ],
    ids=["unlinked", "unknown to Mono", "out of time"],
)
def test_one_that_cannot_be_compared_does_not_keep_the_others_from_it(
    world: ReleaseWorld, first: dict[str, Any] | OpsRefused, code: int
) -> None:
    """It is never taken for compared either."""
    world.ops.shadows[ACCOUNT] = first

    said = world.run("--json", *OF_BOTH)

    told = json.loads(said.stdout)["accounts"]
    assert (said.exit_code, told[1]["verdict"]) == (code, VERIFIED)
    assert world.ops.detail("shadow.compared")["not_verified"] == {ACCOUNT: "cannot_tell"}


def test_what_stops_all_of_them_stops_the_command(world: ReleaseWorld) -> None:
    """A database that is away says nothing of an account."""
    world.ops.shadows[ACCOUNT] = OpsRefused("DatabaseUnavailable", "PostgreSQL is away")

    assert world.run(*OF_BOTH).exit_code == 7
    assert world.ops.kinds() == []


def test_without_an_open_release_it_is_said_that_nothing_is_recorded(world: ReleaseWorld) -> None:
    """No release is begun by looking."""
    world.ops.releases[0]["status"] = "closed"

    said = world.run(*OF_BOTH)

    assert (said.exit_code, world.ops.kinds()) == (0, [])
    assert "none is open" in said.stderr
    assert world.run(*OF_BOTH, "--release", "r1").exit_code == 0
    assert world.ops.kinds() == ["shadow.compared"]


def test_where_nobody_would_come_on_there_is_nothing_to_compare(world: ReleaseWorld) -> None:
    """And Mono is not asked."""
    world.ops.added = 0

    said = world.run("promote", "--shadow")

    assert said.exit_code == 0
    assert "Nobody comes on" in said.stderr
    assert "sync.shadow" not in {action for action, _ in world.ops.asked}


def test_a_canary_of_nobody_is_refused(world: ReleaseWorld) -> None:
    """As without `--shadow`."""
    assert world.run("canary", "start", "--shadow").exit_code == 2
