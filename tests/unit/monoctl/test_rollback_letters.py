"""The question of `monoctl rollback`, what becomes of the dead letters that are left: at a terminal, and only there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from mono_pipeline.core.flag import parse_flag
from tests.unit.monoctl.release_world import ReleaseWorld
from tests.unit.monoctl.stand_ins import FakeReach, Said
from tests.unit.monoctl.terminal import at_a_terminal

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

QUESTION = "Take 3 mono.fetch.* dead letters away (each is archived)?"
CTRL_D = "\x04"


@pytest.fixture
def world(ssm: SSMClient) -> ReleaseWorld:
    """Everybody is on, a release is open, and three letters are left."""
    made = ReleaseWorld(ssm)
    made.flag = "true"
    made.letters.messages = 3
    made.ops.ask("releases.begin", release_id="r1", actor="ada", version="1", reason="launch")
    return made


def rolled_back(world: ReleaseWorld, monkeypatch: pytest.MonkeyPatch, keys: str, *options: str) -> Said:
    """A rollback at a terminal at which these keys are typed."""
    reach = FakeReach(api=world.api, ops=world.ops, dead_letters=world.letters, ssm=world.ssm)
    return at_a_terminal(
        monkeypatch, *options, "rollback", "--reason", "totals look wrong", reach=reach, clock=world.clock, keys=keys
    )


def purges(world: ReleaseWorld) -> int:
    """How often letters were taken away."""
    return sum(body["action"] == "purge" for body in world.letters.bodies)


def test_who_says_yes_has_them_taken_away(world: ReleaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are listed before the question, and what was done is said and on record."""
    said = rolled_back(world, monkeypatch, "y\n")

    assert said.exit_code == 0
    listed, asked, _ = said.stderr.partition(QUESTION)
    assert asked
    assert "mono.fetch.failed mono_server_error: 3" in listed
    assert (world.letters.messages, purges(world)) == (0, 1)
    assert world.letters.bodies[-1]["filter"] == {"type": "mono.fetch.*"}
    assert "3 taken away" in said.stdout
    assert world.ops.detail("dead_letters.cleared")["messages"] == 3


@pytest.mark.parametrize("keys", ["n\n", "\n", CTRL_D], ids=["no", "enter", "ctrl-d"])
def test_who_does_not_say_yes_keeps_them(world: ReleaseWorld, monkeypatch: pytest.MonkeyPatch, keys: str) -> None:
    """And the rollback goes on to its end: proven, told, on record."""
    said = rolled_back(world, monkeypatch, keys)

    assert said.exit_code == 0
    assert QUESTION in said.stderr
    assert (world.letters.messages, purges(world)) == (3, 0)
    assert "The way back:" in said.stdout
    assert "dead_letters.cleared" not in world.ops.kinds()
    assert world.ops.releases[0]["status"] == "rolled_back"
    assert world.ops.detail("rollback.finished")["cleared"] == 0


@pytest.mark.parametrize(("option", "left"), [("--clear-dead-letters", 0), ("--keep-dead-letters", 3)])
def test_who_has_said_it_already_is_not_asked(
    world: ReleaseWorld, monkeypatch: pytest.MonkeyPatch, option: str, left: int
) -> None:
    """An answer that is typed all the same is nobody's."""
    reach = FakeReach(api=world.api, ops=world.ops, dead_letters=world.letters, ssm=world.ssm)
    opposite = "n\n" if left == 0 else "y\n"
    said = at_a_terminal(monkeypatch, "rollback", option, reach=reach, clock=world.clock, keys=opposite)

    assert (said.exit_code, world.letters.messages) == (0, left)
    assert "archived" not in said.stderr


def test_nobody_is_asked_where_nobody_is(world: ReleaseWorld) -> None:
    """A script keeps them, whatever stands in its standard input, and is told how to take them away."""
    said = world.run("rollback")

    assert (said.exit_code, world.letters.messages, purges(world)) == (0, 3, 0)
    assert "dead-letters purge --type 'mono.fetch.*'" in said.stderr
    assert parse_flag(world.flag).enabled is False


def test_machines_are_not_asked(world: ReleaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--json` at a terminal: one document, no question."""
    said = rolled_back(world, monkeypatch, "y\n", "--json")

    assert (said.exit_code, world.letters.messages) == (0, 3)
    assert json.loads(said.stdout[said.stdout.index("{") :])["cleared"] == 0
    assert "archived" not in said.stderr


def test_without_letters_there_is_no_question(world: ReleaseWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to decide."""
    world.letters.messages = 0

    said = rolled_back(world, monkeypatch, "y\n")

    assert said.exit_code == 0
    assert "archived" not in said.stderr
    assert purges(world) == 0
