"""docs/monoctl.md knows every command, option and exit code, and shows what is really printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from monoctl.app import app
from monoctl.exit_code import ExitCode
from monoctl.secret_form import SECRETS
from tests.unit.monoctl.stand_ins import GOLDEN

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[3] / "docs" / "monoctl.md").read_text()
SHOWN = {path.name: path.read_text() for path in GOLDEN.glob("*.txt")}


def commands(tree: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Return every command with its path."""
    for name, command in getattr(tree, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from commands(command, *path, name)
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(commands(typer.main.get_command(app)))


def test_the_commands_of_the_interface_are_there() -> None:
    """A command that is lost from the tree is lost from this page's tests too."""
    assert {"accounts import", "accounts list", "accounts show", "sync", "logs"} <= set(COMMANDS)
    assert {"flag show", "flag set", "flag history", "flag restore", "secrets set", "secrets rotate"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_section_with_an_example(name: str) -> None:
    """And the section names every option."""
    heading = f"### `monoctl {name}"
    assert heading in PAGE

    section = PAGE.partition(heading)[2].partition("\n### ")[0].partition("\n## ")[0]
    assert f" {name} " in f"{section.replace(chr(10), ' ')} ".partition("```")[2]
    for parameter in COMMANDS[name].params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            if option.startswith("--") and option != "--help":
                assert f"`{option}" in section, option


@pytest.mark.parametrize("code", ExitCode)
def test_every_exit_code_is_in_the_table(code: ExitCode) -> None:
    """A number in a script can be looked up."""
    assert f"\n| {int(code)} |" in PAGE


@pytest.mark.parametrize("name", sorted(SHOWN))
def test_what_the_page_shows_is_what_is_printed(name: str) -> None:
    """The examples are the tests' own outputs."""
    assert SHOWN[name].strip("\n") in PAGE


def test_global_options_secrets_and_variables_are_explained() -> None:
    """What has no section of its own."""
    for word in (
        "`--env`",
        "`--json`",
        "`--version`",
        "`MONOCTL_ENV`",
        "`MONOCTL_DEBUG=1`",
        *(f"`{n}`" for n in SECRETS),
    ):
        assert word in PAGE
