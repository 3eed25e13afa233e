"""`make help` is made from the Makefile's comments, and shows every target."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_help_shows_every_target_with_its_sentence() -> None:
    """Whatever characters its name has."""
    targets = re.findall(r"^\.PHONY: (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    told = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S607 - make from PATH

    shown = dict(re.findall(r"^  make (\S+) +(\S.*)$", told, re.MULTILINE))
    assert len(targets) > 20
    assert sorted(shown) == sorted(targets)
