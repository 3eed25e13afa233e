"""Every command of the README works: those that CI runs by itself, and the session of "Work with it", up to down."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parents[2]
_CI = re.compile(r'^part "[^"]+" (?:bare )?(make [a-z-]+)$', re.MULTILINE)
# Takes minutes of a quiet machine: a test below runs its quick form.
_MEASURED = {"make bench"}


def commands() -> list[str]:
    """The commands of the README's shell blocks, comments cut off."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    lines = (re.sub(r"\s+#.*$", "", line) for block in blocks for line in block.splitlines())
    return [line for line in lines if line.strip()]


def by_ci() -> set[str]:
    """The commands that `.ci/run` calls."""
    return set(_CI.findall((ROOT / ".ci/run").read_text()))


def session() -> list[str]:
    """What is left: a session on the stack that is left up."""
    return [command for command in commands() if command not in by_ci() | _MEASURED]


def test_the_session_begins_with_up_and_ends_with_down() -> None:
    """A reader who follows the README leaves nothing running."""
    assert session()[0] == "make up"
    assert session()[-1] == "make down"


def test_the_session_of_the_readme_works_as_written() -> None:
    """Each command ends with 0, and the accounts that were imported are listed."""
    if (ROOT / ".local/stack.json").exists():
        pytest.skip("a stack is up in this checkout; `make down` stops it")
    outputs = {}
    try:
        for command in session():
            done = subprocess.run(  # noqa: S603 - the README's own commands
                ["bash", "-c", command],  # noqa: S607 - a shell, as the reader has one
                cwd=ROOT,
                env=os.environ | {"COLUMNS": "80"},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            outputs[command] = done.stdout
            if command == "make up":
                record = json.loads((ROOT / ".local/stack.json").read_text())
    finally:
        subprocess.run(["make", "down"], cwd=ROOT, capture_output=True, check=False)  # noqa: S607

    assert record["http"] == "http://127.0.0.1:3000"
    listed = next(output for command, output in outputs.items() if command.endswith("accounts list"))
    assert max(len(line) for line in listed.splitlines()) <= 80
    assert not (ROOT / ".local/stack.json").exists()


def test_the_benchmark_runs_in_its_quick_form() -> None:
    """Both loads are equal to what was served, and the second writes nothing: of 2 accounts, without dlt and goals."""
    (ROOT / ".local/bench-quick.json").unlink(missing_ok=True)
    with TemporaryDirectory(prefix="mono-pipeline-") as home:
        command = [".venv/bin/python", "bench/run.py", "--quick", "--runs", "1", "--home", home]
        done = subprocess.run(  # noqa: S603 - what `make bench` calls
            command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
        )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    record = json.loads((ROOT / ".local/bench-quick.json").read_text())
    assert record["ok"] is True
    assert {row["id"]: row["value"] for row in record["rows"]}["again.rows_written"] == 0


def test_the_readme_tells_the_demos_story_as_the_demo_does() -> None:
    """Number and title of each step that it shows."""
    readme = (ROOT / "README.md").read_text()
    told = steps("main_job") + steps("life_of_a_link")
    shown = {int(number): title for number, title in re.findall(r"^(\d+)\. (.+)$", _demo_block(readme), re.MULTILINE)}

    assert len(shown) > 5
    assert {number: told[number - 1] for number in shown} == shown


def steps(chapter: str) -> list[str]:
    """The titles of a chapter's steps, in order."""
    calls = ast.walk(ast.parse((ROOT / "local/demo" / f"{chapter}.py").read_text()))
    found = [call for call in calls if isinstance(call, ast.Call) and ast.unparse(call.func) == "story.step"]
    return [ast.literal_eval(call.args[1]) for call in sorted(found, key=lambda call: call.lineno)]


def _demo_block(readme: str) -> str:
    return next(
        block for block in re.findall(r"^```text\n(.*?)^```", readme, re.MULTILINE | re.DOTALL) if "1. " in block
    )
