"""What is in each artifact is what its function needs, and nothing that only a test or a developer needs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest
from samtranslator.yaml_helper import yaml_parse

from local.build import ARTIFACTS, build
from local.template import ROOT, Template

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("stack-life")]

FUNCTIONS: Final = sorted(Template.expand().functions)
# Code that breaks things on purpose, answers for a bank, or opens a way in beside the front door.
NEVER_SHIPPED: Final = re.compile(
    rb"\bpytest\b|\bunittest\b|\bimport moto\b|local\.sandbox|inject_fault|breakpoint\(\)|import pdb|debugpy"
)
SECRET: Final = re.compile(rb"(live|test)_(sk|pk)_[A-Za-z0-9]{8,}|-----BEGIN [A-Z ]*PRIVATE KEY|AKIA[0-9A-Z]{16}")


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    build()


def own_folder(function: str) -> Path:
    """Where a function's own source is."""
    source = dict(yaml_parse((ROOT / "template.yaml").read_text()))
    return ROOT / str(source["Resources"][function]["Properties"]["CodeUri"])


def ours() -> list[Path]:
    """Every file of ours in the artifacts: the functions' and the package's, not the libraries'."""
    package = list((ARTIFACTS / "CommonLayer" / "python" / "mono_pipeline").rglob("*"))
    handlers = [path for name in FUNCTIONS for path in (ARTIFACTS / name).glob("*")]
    migrations = list((ARTIFACTS / "Ops" / "migrations").rglob("*"))
    return [path for path in (*package, *handlers, *migrations) if path.is_file()]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_holds_its_own_files_and_no_other(function: str) -> None:
    """Its handlers, its bytecode and, where it has requirements, what they bring."""
    own = own_folder(function)
    written = {path.name for path in own.iterdir() if path.name not in {"__pycache__", ".mypy_cache"}}
    there = {path.name for path in (ARTIFACTS / function).iterdir()} - {"__pycache__"}
    assert written <= there
    if "requirements.txt" not in written:
        assert there == written


def test_the_layer_is_the_package_and_what_it_needs() -> None:
    """Nothing of tests, the command line or the local stack."""
    python = ARTIFACTS / "CommonLayer" / "python"
    assert (python / "mono_pipeline" / "bootstrap.py").exists()
    for stranger in ("local", "monoctl", "tests", "bench", "functions", "events", "pytest", "moto", "samcli"):
        assert not (python / stranger).exists(), stranger


def test_no_test_hook_and_no_debugger_is_shipped() -> None:
    """Whoever finds an artifact finds no door in it that is not in the documentation."""
    files = [path for path in ours() if path.suffix in {".py", ".sql"}]
    assert len(files) > 80
    assert [path.name for path in files if NEVER_SHIPPED.search(path.read_bytes())] == []


def test_no_secret_is_shipped() -> None:
    """Not as a default either."""
    assert [path.name for path in ours() if SECRET.search(path.read_bytes())] == []
