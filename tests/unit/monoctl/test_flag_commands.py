"""`monoctl flag`: what it says of the flag, and that no edit is lost or without a reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from mono_pipeline.core.flag import FlagRule, parse_flag
from mono_pipeline.usecases.flag_editor import FlagVersion
from monoctl.views.flag import history_view, meaning
from tests.unit.monoctl.stand_ins import ACCOUNT, FakeReach, ScriptedOps, golden, monoctl, without_margins

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

LOCAL = "/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED"
OTHER = "64779d900000000000ab0002"


def reach_of(ssm: Any, *, who: str = "ada@example.com") -> FakeReach:
    """An environment without a release, and without an API: what is not waited for asks none."""
    return FakeReach(ssm=ssm, ops=ScriptedOps(lambda *_: {"releases": []}), who=who)


def value(ssm: SSMClient, name: str = LOCAL) -> str:
    """Return the flag's text."""
    return ssm.get_parameter(Name=name)["Parameter"]["Value"]


def test_a_fresh_flag_is_off_for_everyone(ssm: SSMClient) -> None:
    """The template's own description stands where the reason would."""
    said = monoctl("flag", "show", reach=reach_of(ssm))

    assert said.exit_code == 0
    for part in ("off for everyone", "born off", LOCAL):
        assert part in said.stdout


def test_machines_see_the_rule_and_its_version(ssm: SSMClient) -> None:
    """The percentage is in percent there too."""
    reach = reach_of(ssm)
    monoctl("flag", "set", "--percentage", "12.5", "--allow", ACCOUNT, "--salt", "2026-11", reach=reach)

    document = json.loads(monoctl("--json", "flag", "show", reach=reach).stdout)

    assert document["parameter"] == LOCAL
    assert document["version"] == 2
    assert document["rule"] == {"enabled": True, "percentage": 12.5, "allow": [ACCOUNT], "deny": [], "salt": "2026-11"}
    assert document["who"] == "ada@example.com"


def test_an_edit_shows_before_and_after(ssm: SSMClient) -> None:
    """With the versions, and what the operator should know."""
    said = monoctl("flag", "set", "--allow", ACCOUNT, "--reason", "canary", reach=reach_of(ssm))

    assert (said.exit_code, without_margins(said.stdout)) == (0, golden("flag_set"))
    assert "it is now on, for those named here only" in said.stderr


@pytest.mark.parametrize(
    ("before", "options", "after"),
    [
        ("true", ["--off"], FlagRule(enabled=False, percentage=10_000)),
        ("true", ["--disable"], FlagRule(enabled=False, percentage=10_000)),
        ("false", ["--on"], FlagRule(enabled=True)),
        ("false", ["--percentage", "5%"], FlagRule(enabled=True, percentage=500)),
        ("false", ["--allow", ACCOUNT, "--allow", OTHER], FlagRule(enabled=True, allow=frozenset({ACCOUNT, OTHER}))),
        ("true", ["--deny", ACCOUNT], FlagRule(enabled=True, percentage=10_000, deny=frozenset({ACCOUNT}))),
        (f'{{"enabled": true, "deny": ["{ACCOUNT}"]}}', ["--undeny", ACCOUNT], FlagRule(enabled=True)),
        (f'{{"enabled": true, "allow": ["{ACCOUNT}"]}}', ["--unallow", ACCOUNT], FlagRule(enabled=True)),
        ("false", ["true"], FlagRule(enabled=True, percentage=10_000)),
        ("false", ["--raw", '{"enabled": true, "percentage": 1}'], FlagRule(enabled=True, percentage=100)),
    ],
)
def test_every_option_changes_its_part_and_nothing_else(
    ssm: SSMClient, before: str, options: list[str], after: FlagRule
) -> None:
    """The options are those of docs/flag.md."""
    ssm.put_parameter(Name=LOCAL, Value=before, Overwrite=True)

    said = monoctl("flag", "set", *options, reach=reach_of(ssm))

    assert said.exit_code == 0
    assert parse_flag(value(ssm)) == after


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["true", "--allow", ACCOUNT],
        ["true", "--raw", "true"],
        ["flase"],
        ["--percentage", "101"],
        ["--percentage", "-1"],
        ["--allow", "ABC"],
        ["--allow", ACCOUNT, "--unallow", ACCOUNT],
        ["--on", "--reason", ""],
    ],
)
def test_a_change_that_makes_no_sense_is_refused_and_nothing_is_written(ssm: SSMClient, options: list[str]) -> None:
    """Exit code 2."""
    assert monoctl("flag", "set", *options, reach=reach_of(ssm)).exit_code == 2
    assert value(ssm) == "false"


@pytest.mark.parametrize("command", [["set", "true"], ["restore", "1"]])
def test_prod_wants_a_reason(ssm: SSMClient, command: list[str]) -> None:
    """Nothing is written without one."""
    reach, name = reach_of(ssm), "/mono-pipeline/prod/MONO_TRANSACTIONS_ENABLED"

    said = monoctl("flag", *command, reach=reach, environment="prod")

    assert said.exit_code == 2
    assert "--reason" in said.stderr
    assert ssm.get_parameter(Name=name)["Parameter"]["Version"] == 1
    assert monoctl("flag", *command, "--reason", "launch", reach=reach, environment="prod").exit_code == 0


def test_a_conflict_shows_both_values_and_cannot_be_told(ssm: SSMClient) -> None:
    """Somebody else writes between our reading and our writing."""

    class Raced:
        """SSM, with somebody else a moment faster."""

        def __getattr__(self, name: str) -> Any:
            return getattr(ssm, name)

        def put_parameter(self, **request: Any) -> Any:
            """Write theirs, then ours."""
            ssm.put_parameter(
                Name=LOCAL, Value="false", Overwrite=True, Description="2026-11-24T11:59:59Z bola: incident"
            )
            return ssm.put_parameter(**request)

    said = monoctl("flag", "set", "true", reach=reach_of(Raced()))

    assert (said.exit_code, said.stdout) == (8, "")
    for part in ("bola", "'false'", "'true'", "monoctl flag restore 2"):
        assert part in said.stderr


def test_restore_brings_an_older_value_back_as_a_new_version(ssm: SSMClient) -> None:
    """After an automatic `false`, say."""
    reach = reach_of(ssm)
    monoctl("flag", "set", "--percentage", "25", "--salt", "s", reach=reach)
    ssm.put_parameter(Name=LOCAL, Value="false", Overwrite=True, Description="alarm")

    said = monoctl("flag", "restore", "2", reach=reach)

    assert said.exit_code == 0
    assert parse_flag(value(ssm)) == FlagRule(enabled=True, percentage=2500, salt="s")
    assert monoctl("flag", "restore", "9", reach=reach).exit_code == 2


def test_a_malformed_flag_is_shown_as_what_it_is(ssm: SSMClient) -> None:
    """Off, and why; a part of it cannot be changed."""
    ssm.put_parameter(Name=LOCAL, Value="flase", Overwrite=True)
    reach = reach_of(ssm)

    shown = monoctl("flag", "show", reach=reach)

    assert shown.exit_code == 0
    assert "malformed" in shown.stdout
    assert json.loads(monoctl("--json", "flag", "show", reach=reach).stdout)["rule"] is None
    assert monoctl("flag", "set", "--on", reach=reach).exit_code == 2
    assert monoctl("flag", "set", "false", reach=reach).exit_code == 0


def version(number: int, value: str, day: int, who: str, why: str) -> FlagVersion:
    """Return a version as SSM kept it."""
    at = datetime(2026, 11, day, 9, 0, tzinfo=UTC)
    return FlagVersion(version=number, value=value, rule=parse_flag(value), changed_at=at, who=who, why=why)


VERSIONS = (
    version(
        3,
        f'{{"enabled": true, "percentage": 5, "allow": ["{ACCOUNT}"], "deny": [], "salt": ""}}',
        24,
        "Operator/ada@example.com",
        "first step: five per cent, canary kept",
    ),
    version(2, "false", 23, "bola", "incident: bank answers 500"),
    version(1, "false", 1, "", "born off"),
)


def test_the_history_fits_80_columns_and_loses_nothing() -> None:
    """Long values and reasons take more lines, not dots."""
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        console.print(history_view(VERSIONS))

    assert without_margins(captured.get()) == golden("flag_history")


def test_the_history_is_newest_first_and_as_long_as_asked_for(ssm: SSMClient) -> None:
    """SSM's own order is oldest first."""
    reach = reach_of(ssm)
    monoctl("flag", "set", "true", "--reason", "launch", reach=reach)
    monoctl("flag", "set", "--off", "--reason", "incident", reach=reach)

    document = json.loads(monoctl("--json", "flag", "history", "--limit", "2", reach=reach).stdout)

    assert [(each["version"], each["why"]) for each in document["versions"]] == [(3, "incident"), (2, "launch")]
    assert monoctl("flag", "history", reach=reach).exit_code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("true", "on for everyone"),
        ("false", "off for everyone"),
        ('{"enabled": true}', "on, but for nobody"),
        (f'{{"enabled": true, "percentage": 12.5, "allow": ["{ACCOUNT}"]}}', "on for 12.5 % of accounts and 1 allowed"),
        (f'{{"enabled": true, "percentage": 100, "deny": ["{ACCOUNT}"]}}', "on for everyone, but not for 1 denied"),
    ],
)
def test_a_rule_is_said_in_words(text: str, said: str) -> None:
    """Nobody reads JSON in an incident."""
    assert meaning(FlagVersion(version=1, value=text, rule=parse_flag(text))).plain == said


def test_an_edit_needs_a_name(ssm: SSMClient) -> None:
    """Who did it is a part of the history."""
    assert monoctl("flag", "set", "true", reach=reach_of(ssm, who="")).exit_code == 2
    assert value(ssm) == "false"
