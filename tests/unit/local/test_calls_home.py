"""The static checks look nothing up: tools that would ask for their newest version are told not to."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from local import sam, static_checks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# Every interpreter loads a module of this name, where there is one.
NOTES_LOOK_UPS: Final = """
import sys
def note(event, arguments):
    if event == "socket.getaddrinfo":
        with open({notes!r}, "a") as notes:
            notes.write(f"{{arguments[0]}}\\n")
        raise OSError("nobody is looked up here")
sys.addaudithook(note)
"""
SAM_ASKS: Final = "from samcli.lib.utils.version_checker import _inform_newer_version as ask; ask()"
CHECKOV_ASKS: Final = "import checkov.common.util.banner"


def looked_up(folder: Path, python: str, program: str, environment: Mapping[str, str]) -> list[str]:
    """The hosts that a program asks for, in the home of somebody who has never run it."""
    home, notes = folder / "home", folder / "notes"
    home.mkdir()
    (folder / "sitecustomize.py").write_text(NOTES_LOOK_UPS.format(notes=str(notes)))
    beside = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "PYTHONPATH": str(folder)}
    subprocess.run([python, "-c", program], env={**environment, **beside}, check=True)  # noqa: S603 - ours
    return notes.read_text().split() if notes.exists() else []


def test_sam_does_not_ask_for_a_newer_sam(tmp_path: Path) -> None:
    """It would once a week, and has no switch for it; left to itself it does, or nothing would be seen here."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "its").mkdir()
    assert len(looked_up(tmp_path / "its", sys.executable, SAM_ASKS, os.environ)) == 1
    assert looked_up(tmp_path / "ours", sys.executable, SAM_ASKS, sam.sam_environment()) == []


def test_checkov_does_not_ask_for_a_newer_checkov(tmp_path: Path) -> None:
    """It would whenever it is loaded."""
    python = static_checks.TOOLS / "python"
    if not python.exists():
        pytest.skip("the checks have no environment yet: local/setup.sh checks")
    assert looked_up(tmp_path, str(python), CHECKOV_ASKS, static_checks.environment()) == []


def test_every_tool_that_could_call_home_is_told_not_to() -> None:
    """Semgrep takes its rules from a file and sends no figures, zizmor and checkov fetch nothing."""
    commands = {check.name: check.command for check in static_checks.checks()}
    semgrep = commands["semgrep"]
    assert {"--metrics=off", "--disable-version-check"} <= set(semgrep)
    assert [semgrep[at + 1] for at, word in enumerate(semgrep) if word == "--config"] == ["security/semgrep.yaml"]
    assert "--offline" in commands["zizmor"]
    assert "skip-download: true" in (static_checks.ROOT / "security" / "checkov.yaml").read_text().splitlines()
    assert not [name for name, command in commands.items() if any("://" in word for word in command)]
