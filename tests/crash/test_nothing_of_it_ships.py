"""What ships knows nothing of crashes and simulations: there is no hook to find and none to leave on."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(
    path for folder in ("layers", "functions") for path in (ROOT / folder).rglob("*.py") if ".aws-sam" not in path.parts
)
HOOK = re.compile(
    r"fault_point|crash_point|buggify|set_trace|breakpoint\(|os\.kill|_exit\(|SIGKILL|PYTEST|HYPOTHESIS", re.IGNORECASE
)


def test_there_is_something_to_look_at() -> None:
    """The folders are where they were."""
    assert len(SHIPPED) > 40


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_shipped_module_has_no_hook_and_imports_nothing_of_tests(path: Path) -> None:
    """No place to die at, no switch for it, and nothing of `tests`, `local` or `bench`."""
    source = path.read_text(encoding="utf-8")

    assert not HOOK.search(source)
    for node in ast.walk(ast.parse(source)):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert not {name.partition(".")[0] for name in names} & {"tests", "local", "bench", "hypothesis", "pytest"}
