"""Bugs that somebody might write, planted into a copy of the tree: the tests that name themselves guards turn red.

Each patch of this folder says what it breaks and which tests must catch it. Every one of them must have a failing case
with the patch; all of them pass in the same copy without it. A patch that no longer applies must be refreshed, not
dropped: the promise that it attacks still stands.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.integration

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
COPIED = ("functions", "layers", "migrations", "tests", "local", "monoctl", "pyproject.toml", "template.yaml", "events")
FEWEST = 10
MEASURE = ROOT / "bench" / "without_evidence.patch"
LOADS = "tests/integration/test_sync.py::test_a_first_sync_lands_the_whole_history_and_verifies_it"
KEEPS_HISTORY = "tests/integration/test_sync.py::test_only_what_changed_lands"


@dataclass(frozen=True, kw_only=True)
class PlantedBug:
    """A patch, what it breaks in one sentence, and the tests (files or node ids) that must catch it."""

    patch: Path
    what: str
    guards: tuple[str, ...]


def _read(patch: Path) -> PlantedBug:
    header = patch.read_text(encoding="utf-8").partition("\ndiff --git ")[0].strip()
    what, *guards = header.split("\nCaught by: ")
    return PlantedBug(patch=patch, what=" ".join(what.removeprefix("What: ").split()), guards=tuple(guards))


BUGS = [_read(patch) for patch in sorted(HERE.glob("*.patch"))]


def test_there_are_enough_of_them_and_each_says_what_it_is() -> None:
    """At least ten, each with a sentence and a guard that exists."""
    assert len(BUGS) >= FEWEST
    for bug in BUGS:
        assert bug.what.endswith(".")
        assert bug.guards
        assert all((ROOT / guard.partition("::")[0]).is_file() for guard in bug.guards), bug


def test_without_a_bug_every_guard_is_green(tmp_path: Path) -> None:
    """The copy itself breaks nothing: what turns red below is the patch's doing."""
    tree = _copy(tmp_path)

    code, outcomes, said = _run(tree, sorted({guard for bug in BUGS for guard in bug.guards}))

    assert code == 0, said
    assert outcomes
    assert set(outcomes.values()) == {True}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.patch.stem)
def test_a_planted_bug_is_caught(bug: PlantedBug, tmp_path: Path) -> None:
    """Every test that is named as its guard has a case that fails."""
    tree = _copy(tmp_path)
    _apply(bug.patch, tree)

    code, outcomes, said = _run(tree, bug.guards)

    assert code == 1, f"{bug.what} Not as tests fail, but with code {code}:\n{said}"
    sleeping = [guard for guard in bug.guards if all(_cases(outcomes, guard))]
    assert not sleeping, f"{bug.what} Not noticed by {sleeping}:\n{said}"


def test_what_cost_is_measured_against_loads_every_row_and_has_no_evidence(tmp_path: Path) -> None:
    """`make cost` compares like with like: its patch takes history away, and no row."""
    tree = _copy(tmp_path)
    _apply(MEASURE, tree)

    _, outcomes, said = _run(tree, [LOADS, KEEPS_HISTORY])

    assert (_cases(outcomes, LOADS), _cases(outcomes, KEEPS_HISTORY)) == ([True], [False]), said


def _copy(tmp_path: Path) -> Path:
    """What git knows of the folders that tests need, as it is in the working tree."""
    told = subprocess.run(  # noqa: S603 - ours
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *COPIED],  # noqa: S607 - git from PATH
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    tree = tmp_path / "tree"
    for name in {Path(os.fsdecode(name)) for name in told.stdout.split(b"\0") if name}:
        if (ROOT / name).is_file():  # one that was deleted and not yet committed is known to git too
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    return tree


def _apply(patch: Path, tree: Path) -> None:
    told = subprocess.run(  # noqa: S603 - ours
        ["git", "apply", "--whitespace=nowarn", str(patch)],  # noqa: S607 - git from PATH
        cwd=tree,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, f"{patch.name} does not apply any more; refresh it:\n{told.stderr}"


def _run(tree: Path, guards: Iterable[str]) -> tuple[int, dict[str, bool], str]:
    """Run tests in a copy: pytest's exit code, whether each case passed, and what pytest said at its end."""
    report = tree.parent / "report.xml"
    options = ["-q", "-p", "no:cacheprovider", "--tb=short", f"--basetemp={tree.parent / 'base'}"]
    told = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "pytest", *options, f"--junit-xml={report}", *guards],
        cwd=tree,
        env={**_outside_environment(), "PYTHONPATH": f"{tree}{os.pathsep}{tree / 'layers' / 'common'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    outcomes = {_node(case): _passed(case) for case in ET.parse(report).iter("testcase")} if report.exists() else {}  # noqa: S314 - our own report
    return told.returncode, outcomes, (told.stdout + told.stderr)[-3000:]


def _outside_environment() -> dict[str, str]:
    """Without what the pytest around us has set for its own workers."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}


def _node(case: ET.Element) -> str:
    """The node id of a case, as a guard names it."""
    return f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '')}"


def _passed(case: ET.Element) -> bool:
    return all(case.find(kind) is None for kind in ("failure", "error"))


def _cases(outcomes: dict[str, bool], guard: str) -> list[bool]:
    """Whether each case of a guard passed."""
    return [
        passed for node, passed in outcomes.items() if node == guard or node.startswith((f"{guard}[", f"{guard}::"))
    ]
