"""docs/security.md: a row for each requirement, held by a test that exists or with its gap said."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from local import static_checks
from local.template import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Final = (ROOT / "docs" / "security.md").read_text()
ROWS: Final = {
    cells[1]: cells
    for line in PAGE.splitlines()
    if (cells := [c.strip() for c in line.split("|")])[1:2] and re.fullmatch(r"S\d+", cells[1])
}
NAMED: Final = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SHIPPED: Final = ("layers/common/mono_pipeline", "functions")
REASON: Final = re.compile(r"(?:\]|[A-Z]+\d+)\s*[-#(]\s*\w+")
SUPPRESSIONS: Final = re.compile(r"#\s*(?:noqa|type:\s*ignore|nosec|nosemgrep)\b[^\n]*")


def sources(*folders: str) -> list[Path]:
    """The Python files of folders of ours."""
    return [
        path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")) if "node_modules" not in path.parts
    ]


def test_every_requirement_has_its_row() -> None:
    """S1 to S33, once each and in order."""
    assert list(ROWS) == [f"S{number}" for number in range(1, 34)]


@pytest.mark.parametrize("requirement", ROWS)
def test_a_row_is_held_by_tests_that_exist_or_says_its_gap(requirement: str) -> None:
    """A test that was renamed is noticed here; a row without any must say what is missing."""
    _, _, asked, _, held, gap, _ = ROWS[requirement]
    assert asked
    named = NAMED.findall(held)
    assert named or gap, requirement
    assert held.count("`") == 2 * len(named), f"{requirement}: something in `held by` is no test"
    for path, name in named:
        file = ROOT / path
        assert file.is_file(), path
        assert re.search(rf"^def {name}\(", file.read_text(), re.MULTILINE), f"{path}::{name}"


def test_the_linters_are_on() -> None:
    """Every rule of ruff (naive times, SQL from text, broad excepts and hard-coded secrets among them), mypy strict."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    lint = settings["ruff"]["lint"]
    assert lint["select"] == ["ALL"]
    never_off = ("S", "B", "DTZ", "BLE", "G", "LOG", "ASYNC")
    assert not [rule for rule in lint["ignore"] if re.match(rf"({'|'.join(never_off)})\d", rule)]
    for folder, rules in lint["per-file-ignores"].items():
        if not folder.startswith(("tests", "bench", "local", "live_", "monitoring")):
            assert not [rule for rule in rules if re.match(rf"({'|'.join(never_off)})\d", rule)], folder
    assert settings["mypy"]["strict"] is True


def test_every_suppression_has_a_reason() -> None:
    """In words behind it, or in a comment on one of the lines before."""
    bare = []
    for path in sources(*SHIPPED, "monoctl", "local"):
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            found = SUPPRESSIONS.search(line)
            said = found is None or REASON.search(found[0]) or any("#" in each for each in lines[number - 3 : number])
            if not said:
                bare.append(f"{path.relative_to(ROOT)}:{number + 1}")
    assert bare == []


def test_every_rule_of_cfn_lint_that_is_off_has_a_reason() -> None:
    """And those for serverless applications are on."""
    (command,) = (check.command for check in static_checks.checks() if check.name == "cfn-lint")
    off = command[command.index("--ignore-checks") + 1 : command.index("--")]
    assert set(off) == set(static_checks.NOT_LINTED)
    assert all(len(reason) > 20 for reason in static_checks.NOT_LINTED.values())
    assert command[command.index("--append-rules") + 1] == "cfn_lint_serverless.rules"


@pytest.mark.parametrize("name", ["checkov.yaml", "bandit.yaml"])
def test_every_check_that_is_off_has_a_reason(name: str) -> None:
    """In a sentence beside it."""
    lines = [line for line in (ROOT / "security" / name).read_text().splitlines() if line.startswith("  - ")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"  - [A-Z]+\w+ # .{20,}", line)] == []


def test_few_libraries_are_shipped() -> None:
    """At most six that we ask for by name: each is somebody else's release process."""
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert len(groups["layer"]) + len(groups["ops"]) <= 6


def test_every_file_of_a_dependency_is_locked_by_its_hash() -> None:
    """In what SAM installs and in what developers install."""
    for path in ("layers/common/requirements.txt", "functions/ops/requirements.txt"):
        text = (ROOT / path).read_text().replace("\\\n", " ")
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        assert all("--hash=sha256:" in line for line in lines), path
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    files = [
        file
        for package in packages
        for file in [*package.get("wheels", []), *([package["sdist"]] if "sdist" in package else [])]
    ]
    assert all(file["hash"].startswith("sha256:") for file in files)


def workflow(path: Path) -> dict[str, Any]:
    """A workflow as GitHub reads it."""
    document: dict[str, Any] = yaml.safe_load(path.read_text())
    return document


def test_the_workflow_pins_what_it_uses_and_may_only_read() -> None:
    """By a commit, not by a tag that may move; no right beyond reading the code."""
    assert WORKFLOWS
    for path in WORKFLOWS:
        document = workflow(path)
        assert document["permissions"] == {}
        for job in document["jobs"].values():
            assert job["permissions"] == {"contents": "read"}
            uses = [step["uses"] for step in job["steps"] if "uses" in step]
            assert [use for use in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", use)] == []


def test_the_audit_is_strict() -> None:
    """A vulnerability, and a database that cannot be reached, fail the job; nobody is told that all is well."""
    (path,) = WORKFLOWS
    job = workflow(path)["jobs"]["audit"]
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make audit"]
    assert "continue-on-error" not in path.read_text()
    audit = (ROOT / "security" / "audit.sh").read_text()
    assert "--strict" in audit
    assert "--require-hashes" in audit
    assert all(str(path.relative_to(ROOT)) in audit for path in static_checks.shipped())
    assert "|| true" not in audit


def test_no_event_is_logged_whole() -> None:
    """Neither by Powertools' switch nor by its decorator, and no print that could hold one."""
    for path in (ROOT / "template.yaml", *sources(*SHIPPED)):
        text = path.read_text()
        for switch in ("LOG_EVENT", "log_event", "inject_lambda_context", "POWERTOOLS_DEV"):
            assert switch not in text, (path, switch)
