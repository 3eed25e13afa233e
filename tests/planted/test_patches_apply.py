"""Every patch fits the tree: one that has gone stale is seen here, and not when somebody measures with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATCHES = sorted([*Path(__file__).parent.glob("*.patch"), *(ROOT / "bench").glob("*.patch")])


def test_the_measure_without_evidence_is_among_them() -> None:
    """`make cost` is not run by continuous integration; that its patch applies is."""
    assert ROOT / "bench" / "without_evidence.patch" in PATCHES


@pytest.mark.parametrize("patch", PATCHES, ids=lambda patch: patch.stem)
def test_a_patch_applies(patch: Path) -> None:
    """As `git apply` would have it, without doing it."""
    told = subprocess.run(  # noqa: S603 - ours
        ["git", "apply", "--check", "--whitespace=nowarn", str(patch)],  # noqa: S607 - git from PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert told.returncode == 0, f"{patch.name} does not apply any more; refresh it:\n{told.stderr}"
