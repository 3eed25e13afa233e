"""`monoctl flag set|restore`: how long until the functions act by it is measured, said, and on record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.flag import parse_flag
from monoctl.commands import flag as flag_commands
from monoctl.flag_propagation import PropagationWatch
from tests.unit.monoctl.release_world import ReleaseOps, ReleaseWorld
from tests.unit.monoctl.stand_ins import FakeClock, FakeReach, Said, answer, connection_refused, monoctl
from tests.unit.monoctl.terminal import at_a_terminal

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from mypy_boto3_ssm import SSMClient

    from monoctl.reach import SyncAnswer

UNKNOWN = "0" * 24
SET = ("flag", "set", "true", "--reason", "launch")


class ActsBy:
    """An API that says by which version of the flag it acts: `version` by the answer's number and the time."""

    def __init__(self, clock: FakeClock, version: Callable[[int, float], int | None]) -> None:
        self._clock, self._version = clock, version
        self.asked: list[str] = []

    def ask(self, account_id: str, *, start: date | None, end: date | None) -> SyncAnswer:
        """Answer as for an account that nobody knows."""
        assert (start, end) == (None, None)
        self.asked.append(account_id)
        told = answer("unknown_account")
        return told.model_copy(update={"flag_version": self._version(len(self.asked), self._clock.seconds)})


class World:
    """The flag at version 1, `false`, and functions that notice as a test says."""

    def __init__(self, ssm: SSMClient, version: Callable[[int, float], int | None]) -> None:
        self.clock = FakeClock()
        self.api: Any = ActsBy(self.clock, version)
        self.ops = ReleaseOps(self.clock)
        self.ssm = ssm

    @property
    def reach(self) -> FakeReach:
        """The road to it."""
        return FakeReach(api=self.api, ops=self.ops, ssm=self.ssm)

    def run(self, *arguments: str) -> Said:
        """One command, in a script."""
        return monoctl(*arguments, reach=self.reach, clock=self.clock)

    def open_release(self) -> None:
        """A release is under way."""
        self.ops.ask("releases.begin", release_id="r1", actor="ada", version="1", reason="launch")

    @property
    def is_on(self) -> bool:
        """Whether the change is written, whatever was seen of it."""
        return parse_flag(ReleaseWorld(self.ssm).flag).enabled


def after(seconds: float, version: int = 2) -> Callable[[int, float], int | None]:
    """Functions whose cache is that old."""
    return lambda _, now: version if now >= seconds else 1


def test_it_is_measured_from_the_edit_to_the_first_answer_by_it(ssm: SSMClient) -> None:
    """By an account that is none, so that nothing is synced; people and machines get the seconds."""
    world = World(ssm, after(9.0))

    said = world.run(*SET, "--wait")
    told = json.loads(World(ssm, after(4.0, 3)).run("--json", "flag", "set", "false", "--wait").stdout)

    assert said.exit_code == 0
    assert "The functions act by it after 9.0 s." in said.stderr
    assert set(world.api.asked) == {UNKNOWN}
    assert told["propagation"] == {"seconds": 4.0, "problem": None}


def test_instances_that_take_turns_are_all_waited_for(ssm: SSMClient) -> None:
    """New, old, new, new, old: as long as one answers by the old value the change is not in force."""
    turns = [2, 1, 2, 2, 1]
    world = World(ssm, lambda number, _: turns[number - 1] if number <= len(turns) else 2)

    told = json.loads(world.run("--json", *SET, "--wait").stdout)

    assert told["propagation"]["seconds"] == len(turns) * 0.5
    assert len(world.api.asked) == len(turns) + 3


def test_a_change_that_was_overtaken_is_in_force_all_the_same(ssm: SSMClient) -> None:
    """Somebody has written version 5 meanwhile."""
    assert json.loads(World(ssm, after(1.0, 5)).run("--json", *SET, "--wait").stdout)["propagation"]["seconds"] == 1.0


def test_a_change_that_does_not_arrive_is_not_waited_for_for_ever(ssm: SSMClient) -> None:
    """SSM fails for the functions, say: the flag is written, and that nobody acts by it is said."""
    world = World(ssm, lambda *_: 1)

    said = world.run(*SET, "--wait")

    assert (said.exit_code, world.is_on) == (8, True)
    assert world.clock.seconds == pytest.approx(30)
    assert "the API acts by version 1, not by 2" in said.stderr


def test_later_than_promised_is_a_defect(ssm: SSMClient) -> None:
    """The promise is 15 s."""
    said = World(ssm, after(15.5)).run(*SET, "--wait")

    assert said.exit_code == 1
    assert "after 15.5 s, later than the 15 s that are promised" in said.stderr
    assert World(ssm, after(15.0, 3)).run("flag", "set", "false", "--wait").exit_code == 0


def test_an_api_that_does_not_say_is_told_from_one_that_is_slow(ssm: SSMClient) -> None:
    """Code of an earlier release has no such header: three answers are enough to know."""
    world = World(ssm, lambda *_: None)

    said = world.run(*SET, "--wait")

    assert (said.exit_code, len(world.api.asked), world.is_on) == (8, 3, True)
    assert "does not say by which version" in said.stderr


def test_an_api_that_cannot_be_reached_takes_nothing_back(ssm: SSMClient) -> None:
    """In an incident the flag needs SSM alone."""
    world = World(ssm, after(0))

    class Gone:
        def ask(self, *_: object, **__: object) -> SyncAnswer:
            raise connection_refused()

    world.api = Gone()

    said = world.run("--json", *SET, "--wait")

    assert (said.exit_code, world.is_on) == (8, True)
    told = json.loads(said.stdout)
    assert told["after"]["version"] == 2
    assert "nobody answers at" in told["propagation"]["problem"]


@pytest.mark.parametrize("options", [[], ["--no-wait"]])
def test_a_script_does_not_wait_unless_it_says_so(ssm: SSMClient, options: list[str]) -> None:
    """Nothing is asked and nothing claimed."""
    world = World(ssm, after(9.0))

    said = world.run(*SET, *options)

    assert (said.exit_code, world.api.asked, world.clock.seconds) == (0, [], 0)
    assert "within 15 s" in said.stderr
    assert json.loads(world.run("--json", "flag", "set", "false").stdout)["propagation"] is None


def test_where_a_person_looks_on_it_is_waited_for(ssm: SSMClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the edit has been shown; `--no-wait` and `--json` do not wait there either."""
    world = World(ssm, after(2.0))

    def at_one(*arguments: str) -> Said:
        return at_a_terminal(monkeypatch, *arguments, reach=world.reach, clock=world.clock)

    said = at_one(*SET)
    asked = len(world.api.asked)
    at_one("flag", "set", "false", "--no-wait")
    at_one("--json", *SET)

    assert said.exit_code == 0
    assert "version 2: on for everyone" in said.stdout
    assert "act by it after 2.0 s" in said.stderr
    assert len(world.api.asked) == asked > 0


def test_who_stops_waiting_has_changed_the_flag(ssm: SSMClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C: it is written and on record, and not seen in force."""
    world = World(ssm, after(9.0))
    world.open_release()

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(PropagationWatch, "measure", stopped)

    said = world.run(*SET, "--wait")

    assert (said.exit_code, world.is_on) == (8, True)
    assert world.ops.detail("flag.changed")["propagation_seconds"] is None


def test_the_open_release_has_the_change_with_its_seconds(ssm: SSMClient) -> None:
    """Who changed what, from which value to which, why, and how long that took; `restore` as well as `set`."""
    world = World(ssm, after(3.0))
    world.open_release()

    told = json.loads(world.run("--json", *SET, "--wait").stdout)
    changed = world.ops.detail("flag.changed")
    world.run("flag", "restore", "1", "--reason", "too soon")

    assert told["release"] == "r1"
    assert changed["propagation_seconds"] == 3.0
    assert (changed["before"]["value"], changed["after"]["version"], changed["why"]) == ("false", 2, "launch")
    restored = world.ops.detail("flag.changed")
    assert (restored["after"]["version"], restored["why"]) == (3, "restore 1: too soon")
    assert "propagation_seconds" not in restored


def test_restore_is_measured_too(ssm: SSMClient) -> None:
    """From its own edit on."""
    world = World(ssm, after(20.0, 3))
    world.run(*SET)
    world.clock.seconds = 12.0

    told = json.loads(world.run("--json", "flag", "restore", "1", "--wait").stdout)

    assert told["propagation"]["seconds"] == 8.0


def test_a_release_that_is_over_gets_no_more_rows(ssm: SSMClient) -> None:
    """Its trail is what it was."""
    world = World(ssm, after(0))
    world.open_release()
    world.ops.releases[0]["status"] = "promoted"

    told = json.loads(world.run("--json", *SET).stdout)

    assert (told["release"], told["problems"], world.ops.events) == (None, [], [])


def test_a_trail_that_cannot_be_written_is_said_and_hinders_nothing(ssm: SSMClient) -> None:
    """The database is away: the flag is changed all the same."""
    world = World(ssm, after(0))
    world.open_release()
    world.ops.down = {"releases.list"}

    said = world.run(*SET)

    assert (said.exit_code, world.is_on) == (0, True)
    assert "not in the audit trail: " in said.stderr
    assert "PostgreSQL is away" in said.stderr


def test_the_edit_is_shown_before_it_is_waited_for(ssm: SSMClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who turns it off in an incident sees at once that it is."""
    world = World(ssm, after(0))
    order: list[str] = []
    shown = flag_commands.edit_view
    monkeypatch.setattr(flag_commands, "edit_view", lambda edit: order.append("shown") or shown(edit))
    asked = world.api.ask
    world.api.ask = lambda *given, **named: order.append("asked") or asked(*given, **named)

    world.run(*SET, "--wait")

    assert order[:2] == ["shown", "asked"]
