"""A copy of the tree in which mutmut can work, and what it says there.

mutmut names a mutant by its file's path and finds it again by the module's name, so that the package must lie at the
root of the copy; in the repository it lies in the Lambda layer's folder. Nothing else is changed.
"""

from __future__ import annotations

import ast
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "layers" / "common" / "mono_pipeline"
NOT_MUTATED: Final = ("errors", "observer")  # words and a protocol; nothing that decides
# What the core's tests read besides it.
BESIDES: Final = ("docs", "local", "events")
TESTS: Final = ("core", "flag", "lifecycle", "wire", "webhook", *(f"test_{name}.py" for name in (
    "booking", "classify", "deadline", "identity", "mono_address", "retry_after",
)))  # fmt: skip
_SETTINGS = """
[tool.mutmut]
source_paths = ["mono_pipeline"]
only_mutate = ["mono_pipeline/core/*"]
do_not_mutate = [{kept}]
also_copy = [{besides}]
pytest_add_cli_args = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
pytest_add_cli_args_test_selection = [{tests}]
use_git_change_detection = false
timeout_constant = 10.0

[tool.pytest.ini_options]
addopts = ["--import-mode=importlib"]
pythonpath = ["."]
filterwarnings = ["error"]
markers = ["integration: x", "e2e: x"]
"""


# mutmut asks pytest for tests by their ids, and takes it for a kill when pytest cannot find one; of ids with parameters
# it cannot find every one again. So a test is named without them here, and all its cases run.
_CONFTEST = """
def pytest_collection_modifyitems(items):
    for item in items:
        item._nodeid = item.nodeid.partition("[")[0]
"""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of one function. `name` is mutmut's, `module` within the core, `fate` as mutmut says it."""

    name: str
    module: str
    function: str
    fate: str

    @property
    def is_killed(self) -> bool:
        """Whether some test failed, or never ended."""
        return self.fate in {"killed", "timeout", "suspicious", "segfault"}


class Workshop:
    """Where mutants are made and tried; made anew, so that no old verdict counts."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._read: dict[str, dict[str, list[str]]] = {}
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        forgotten = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(PACKAGE, home / "mono_pipeline", ignore=forgotten)
        for folder in BESIDES:
            shutil.copytree(ROOT / folder, home / folder, ignore=forgotten)
        shutil.copytree(ROOT / "tests" / "unit", home / "tests" / "unit", ignore=forgotten)
        # the handler's own test needs a function's folder; the core's does not
        (home / "tests" / "unit" / "webhook" / "test_webhook_answer.py").unlink(missing_ok=True)
        for lives in ("link_lives.py", "webhook_life.py"):  # what the tests of links live through
            shutil.copy(ROOT / "tests" / lives, home / "tests")
        (home / "tests" / "unit" / "conftest.py").write_text(_CONFTEST)
        (home / "pyproject.toml").write_text(
            _SETTINGS.format(
                kept=_listed(f"mono_pipeline/core/{name}.py" for name in NOT_MUTATED),
                besides=_listed(BESIDES),
                tests=_listed(f"tests/unit/{name}" for name in TESTS),
            )
        )

    def make(self) -> list[Mutant]:
        """Make every mutant and find out which tests reach it; none is tried yet."""
        # mutmut has no command that only makes them: it is asked to try one that does not exist
        told = self._mutmut("run", "--max-children", "1", "there is none of this name")
        mutants = self.mutants()
        if not mutants:
            raise RuntimeError(f"mutmut made no mutant:\n{told[-2000:]}")
        return mutants

    def try_out(self, names: Iterable[str], *, children: int) -> None:
        """Run the tests that reach each of these mutants; all of them without names."""
        self._mutmut("run", "--max-children", str(children), *names)

    def mutants(self) -> list[Mutant]:
        """Every mutant and its fate so far."""
        found = re.finditer(
            r"^ +mono_pipeline\.core\.(\S+)\.(x\S+)__mutmut_(\d+): (.+)$",
            self._mutmut("results", "--all", "true"),
            re.MULTILINE,
        )
        return [
            Mutant(
                name=f"mono_pipeline.core.{line[1]}.{line[2]}__mutmut_{line[3]}",
                module=line[1],
                function=line[2].removeprefix("x_").replace("ǁ", ".").removeprefix("x."),
                fate=line[4],
            )
            for line in found
        ]

    def change(self, mutant: Mutant) -> str:
        """The lines that a mutant changes, as a diff has them."""
        spelled = self._spelled(mutant.module)
        name = mutant.name.rpartition(".")[2]
        original = spelled[f"{name.rpartition('__mutmut_')[0]}__mutmut_orig"]
        changed = difflib.unified_diff(original[1:], spelled[name][1:], lineterm="", n=0)  # the first line is its name
        return "\n".join(f"{line[0]} {line[1:].strip()}" for line in changed if re.match(r"[+-](?![+-]{2})", line))

    def unreached(self, mutants: Iterable[Mutant]) -> list[str]:
        """Modules of the core of which no test that is chosen here calls any function: all of their mutants live."""
        kept = self.home / "mutants" / "mutmut-stats.json"
        if not kept.exists():
            raise RuntimeError(
                "mutmut has not seen which tests reach what: the tests of the unchanged core do not pass"
            )
        made = json.loads(kept.read_text(encoding="utf-8"))
        reached = {name for name, tests in made["tests_by_mangled_function_name"].items() if tests}
        modules = {mutant.module for mutant in mutants}
        return sorted(modules - {m.module for m in mutants if m.name.rpartition("__mutmut_")[0] in reached})

    def _spelled(self, module: str) -> dict[str, list[str]]:
        """Every function of a module as mutmut wrote it, each mutant beside its original."""
        if module not in self._read:
            path = self.home / "mutants" / "mono_pipeline" / "core" / f"{module.replace('.', '/')}.py"
            text = path.read_text(encoding="utf-8")
            lines = text.splitlines()
            self._read[module] = {
                node.name: lines[node.lineno - 1 : node.end_lineno]
                for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.FunctionDef)
            }
        return self._read[module]

    def _mutmut(self, *words: str) -> str:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        told = subprocess.run(  # noqa: S603 - ours
            [sys.executable, "-m", "mutmut", *words],
            cwd=self.home,
            env={**outside, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        return told.stdout + told.stderr


def score(mutants: Iterable[Mutant]) -> Mapping[str, Counter[bool]]:
    """For each module how many were killed (True), and how many were not."""
    scores: dict[str, Counter[bool]] = {}
    for mutant in mutants:
        scores.setdefault(mutant.module, Counter())[mutant.is_killed] += 1
    return scores


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f'"{word}"' for word in words)
