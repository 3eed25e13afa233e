"""docs/verification.md explains every verdict and every reason that anybody can meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from mono_pipeline.core.account_verdict import CheckReason
from mono_pipeline.core.discrepancy import MAX_DAYS, MAX_ROWS
from mono_pipeline.core.verdict import VerdictKind, VerdictReason
from mono_pipeline.usecases.live_verification import SLICE_SECONDS

PAGE = (Path(__file__).parents[3] / "docs" / "verification.md").read_text()
NUMBERS = {3: "three", 20: "twenty"}


@pytest.mark.parametrize("reason", [*VerdictReason, *CheckReason])
def test_every_reason_has_a_line_that_says_what_to_do(reason: str) -> None:
    """Three columns, none empty."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{reason}` |")]

    assert all(cell.strip() for cell in line.strip("|").split("|"))
    assert line.count("|") == 4


@pytest.mark.parametrize("kind", VerdictKind)
def test_every_verdict_is_explained(kind: str) -> None:
    """With its exit code."""
    assert f"\n| `{kind}" in PAGE


def test_the_limits_are_those_of_the_code() -> None:
    """What is said to be cut is cut there."""
    assert f"{NUMBERS[MAX_DAYS]} days at most" in PAGE
    assert f"({NUMBERS[MAX_ROWS]} at most" in PAGE
    assert f"every {SLICE_SECONDS:.0f} seconds" in PAGE
