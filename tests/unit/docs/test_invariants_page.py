"""The page of the invariants says where each is asked for, and it is asked for there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "proof" / "invariants.md"
ROW = re.compile(r"^\| (I\d+) \| ([^|]+) \| ?([^|]*?) \| ([^|]+) \|$", re.MULTILINE)
SCHEMA = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "migrations").glob("*.sql")))
ASKED_AT_EVERY_STEP = ("tests/invariants.py", "tests/sim/checks.py")


def rows() -> list[tuple[str, str, str, str]]:
    """Each row of the table: id, what must hold, whether at every step, by what else."""
    return [match.groups() for match in ROW.finditer(PAGE.read_text(encoding="utf-8"))]  # type: ignore[misc]


def test_all_25_are_there_in_their_order() -> None:
    """None is left out."""
    assert [row[0] for row in rows()] == [f"I{number}" for number in range(1, 26)]


def test_what_is_marked_is_asked_for_after_every_step_and_nothing_else() -> None:
    """A check names its invariant in what it says when that is broken."""
    sources = [(ROOT / name).read_text(encoding="utf-8") for name in ASKED_AT_EVERY_STEP]
    asked = {found for source in sources for found in re.findall(r"""['"](I\d+) """, source)}

    assert {row[0] for row in rows() if row[2] == "yes"} == asked


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_each_is_held_by_something_that_there_is(row: tuple[str, str, str, str]) -> None:
    """A test of that name, a file, or a constraint of the schema."""
    named = re.findall(r"`([^`]+)`", row[3])
    assert named
    for name in named:
        file, _, test = name.partition("::")
        if file.startswith("tests/"):
            assert (ROOT / file).is_file()
            assert not test or f"\ndef {test}(" in (ROOT / file).read_text(encoding="utf-8")
        else:
            assert name in SCHEMA
