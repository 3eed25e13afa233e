"""Checks that read and run nothing: templates, secrets, Python, workflows, licences. Offline, all of them.

`python -m local.static_checks quick` takes seconds and is part of `make check`; `all` adds what needs an environment of
its own (`local/setup.sh checks`) and is `make security`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.permissions import DEPLOYED
from local.template import ROOT, Template

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPANDED: Final = ROOT / ".local" / "checks-output"
TOOLS: Final = ROOT / ".local" / "checks" / "bin"
SBOM: Final = ("--sv", "1.6", "--output-reproducible", "--of", "JSON", "-o", ".local/sbom.json")
# Every id of Mono's is 24 hexadecimal digits, and tests make up secrets: all files are searched for the forms of real
# keys alone.
NO_GUESSES: Final = tuple(
    word
    for plugin in ("KeywordDetector", "HexHighEntropyString", "Base64HighEntropyString", "BasicAuthDetector")
    for word in ("--disable-plugin", plugin)
)
OURS: Final = ("functions", "layers/common/mono_pipeline", "monoctl", "local")


@dataclass(frozen=True, kw_only=True)
class Check:
    """A command whose exit code 0 means that there is nothing to say."""

    name: str
    command: tuple[str, ...]


def quick() -> list[Check]:
    """What runs in the project's own environment."""
    expanded, _ = write_expanded()
    infra = [str(path) for path in sorted((ROOT / "infra").glob("*.yaml"))]
    lint = str(Path(sys.prefix) / "bin" / "cfn-lint")
    return [
        # W1020: samtranslator writes Fn::Sub around texts of its own that have no variable.
        # W2001: a parameter that SAM itself uses up, as the type of deployments; `sam validate` lints what is written.
        Check(name="cfn-lint", command=(lint, "--ignore-checks", "W1020", "W2001", "--", str(expanded), *infra)),
    ]


def slow() -> list[Check]:
    """What brings an environment of its own."""
    _, resolved = write_expanded()
    python = [str(ROOT / each) for each in OURS]
    return [
        Check(name="checkov", command=checkov(resolved)),
        Check(name="bandit", command=(tool("bandit"), "-q", "-c", "security/bandit.yaml", "-r", *python)),
        Check(
            name="semgrep",
            command=(
                tool("semgrep"),
                "scan",
                "--config",
                "security/semgrep.yaml",
                "--metrics=off",
                "--disable-version-check",
                "--error",
                "--quiet",
                *python,
            ),
        ),
        Check(name="detect-secrets: keys", command=(tool("detect-secrets-hook"), *NO_GUESSES, *tracked_files())),
        Check(
            name="detect-secrets: words",
            command=(
                tool("detect-secrets-hook"),
                "--baseline",
                "security/secrets.baseline",
                *(name for name in tracked_files() if not name.startswith(("tests/", "bench/", "events/", "docs/"))),
            ),
        ),
        Check(name="zizmor", command=(tool("zizmor"), "--offline", "--no-progress", ".github/workflows")),
        Check(name="SBOM", command=(tool("cyclonedx-py"), "requirements", *SBOM, "layers/common/requirements.txt")),
        Check(name="licences", command=(sys.executable, "-m", "local.licences")),
    ]


def checkov(resolved: Path) -> tuple[str, ...]:
    """Checkov over the expanded template and the stacks beside it; each check that is skipped has its reason there."""
    files = [resolved, *sorted((ROOT / "infra").glob("*.yaml"))]
    named = [word for path in files for word in ("--file", str(path))]
    return (tool("checkov"), "--config-file", "security/checkov.yaml", *named)


def write_expanded() -> tuple[Path, Path]:
    """The template as CloudFormation gets it, and the same with production's parameters put in."""
    EXPANDED.mkdir(parents=True, exist_ok=True)
    expanded, resolved = EXPANDED / "expanded.json", EXPANDED / "production.json"
    expanded.write_text(json.dumps(dict(Template.expand().document), indent=1))
    resolved.write_text(json.dumps(production(), indent=1))
    return expanded, resolved


def production() -> dict[str, object]:
    """Every resource that production has, without conditions: a scanner that cannot decide them looks away."""
    template = Template.expand(parameters=DEPLOYED)
    kinds = {resource["Type"] for resource in template.document["Resources"].values()}
    left_out = {"AWS::ApiGateway::RestApi"}  # its body is OpenAPI with functions in it: kept as written
    resources: dict[str, object] = {}
    for kind in sorted(kinds):
        listing = template.of_type(kind) if kind in left_out else template.resolved(kind)
        for logical_id, properties in listing:
            resources[logical_id] = {"Type": kind, "Properties": properties}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def tracked_files() -> list[str]:
    """What git has, but locks and binary files: nothing else is published."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 - git from PATH
    return [
        name for name in listed.stdout.splitlines() if not name.endswith((".lock", ".png", ".svg", "requirements.txt"))
    ]


def tool(name: str) -> str:
    """A program of the checks' own environment."""
    return str(TOOLS / name)


def run(checks: Sequence[Check]) -> int:
    """Run each, say how long it took, and return 1 where one had something to say."""
    failed = []
    for check in checks:
        began = time.monotonic()
        outcome = subprocess.run(check.command, cwd=ROOT, env=_environment(), check=False)
        print(f"{check.name}: {'ok' if outcome.returncode == 0 else 'FAILED'} ({time.monotonic() - began:.1f} s)")
        if outcome.returncode:
            failed.append(check.name)
    return 1 if failed else 0


def _environment() -> dict[str, str]:
    # neither may call home
    return {**os.environ, "CHECKOV_RUN_SCA_PACKAGE_SCAN_V2": "false", "SEMGREP_SEND_METRICS": "off", "NO_COLOR": "1"}


def main(argv: list[str]) -> int:
    """`quick` or `all`."""
    if argv not in (["quick"], ["all"]):
        print("usage: python -m local.static_checks quick|all", file=sys.stderr)
        return 2
    checks = quick()
    if argv == ["all"]:
        if not TOOLS.is_dir():
            print("the checks have no environment yet: local/setup.sh checks", file=sys.stderr)
            return 2
        checks += slow()
    return run(checks)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
