"""Handlers are thin: they parse, call one use case and map the result (CONTRIBUTING.md)."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HANDLERS = sorted((ROOT / "functions").rglob("*.py"))


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_handler_has_at_most_sixty_lines(handler: Path) -> None:
    """What is more is a decision of its own, and has its room in the package."""
    assert len(handler.read_text().splitlines()) <= 60


def test_every_function_of_the_template_is_among_them() -> None:
    """An empty folder would be thin too."""
    assert {path.name for path in HANDLERS} >= {"api.py", "schedule.py", "worker.py", "app.py"}
