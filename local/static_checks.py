"""Checks that read and run nothing: templates, secrets, Python, workflows, licences. Offline, all of them.

`python -m local.static_checks` is part of `make check`: a check that had nothing to say, and whose command and files
are the same as then, is not run again. With `--anew` (`make security`) each is. Most need an environment of their own
(`local/setup.sh checks`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
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
BASELINE: Final = ROOT / "security" / "secrets.baseline"
SBOMS: Final = ROOT / ".local" / "sbom"
# Every id of Mono's is 24 hexadecimal digits, and tests make up secrets: all files are searched for the forms of real
# keys alone.
NO_GUESSES: Final = tuple(
    word
    for plugin in ("KeywordDetector", "HexHighEntropyString", "Base64HighEntropyString", "BasicAuthDetector")
    for word in ("--disable-plugin", plugin)
)
OURS: Final = ("functions", "layers/common/mono_pipeline", "monoctl", "local")
SERVERLESS_RULES: Final = ("--append-rules", "cfn_lint_serverless.rules")
# Rules of cfn-lint that are off, each with its reason.
NOT_LINTED: Final = {
    "W1020": "samtranslator writes Fn::Sub around texts of its own that have no variable",
    "W2001": "a parameter that SAM itself uses up, as the type of deployments; `sam validate` lints what is written",
    "ES1001": "a destination of an event source is for streams; queues have a redrive, which a test holds",
    "ES4000": "the one rule starts the rollback; an alarm tells when it could not, sooner than a dead letter would",
    "ES2000": "access logs are a parameter, since they need a role of the account's; staging and prod have them",
    "ES6000": "of the dead-letter queue alone, where all ends: looking at a letter any number of times does it no harm",
    "WS1004": "it knows no LoggingConfig; a test holds that each function logs to a group that forgets",
    "WS5000": "traces of the rollback's one call would need a role with `*`; Step Functions keeps its history",
}


_UPDATED: Final = 3  # detect-secrets-hook: nothing new, but lines have moved, and it wrote so into its baseline


@dataclass(frozen=True, kw_only=True)
class Check:
    """A command that says by its exit code whether it found anything, and the files that its answer depends on.

    Without `files` nobody knows what it depends on, and it is run each time.
    """

    name: str
    command: tuple[str, ...]
    files: tuple[Path, ...] = ()
    good: tuple[int, ...] = (0,)

    @property
    def stamp(self) -> Path:
        """Where it is written down that it had nothing to say."""
        return EXPANDED / f"{self.name.replace(': ', '-').replace(' ', '-')}.ok"

    def digest(self) -> str:
        """Over the command, the locked versions of the tools, and each file."""
        digest = hashlib.sha256("\0".join(self.command).encode())
        for path in (ROOT / "uv.lock", *self.files):
            digest.update(f"\0{path}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def had_nothing_to_say(self) -> bool:
        """Of the same files, the last time."""
        return bool(self.files) and self.stamp.exists() and self.stamp.read_text() == self.digest()

    def run(self) -> bool:
        """Whether there is nothing to say."""
        self.stamp.unlink(missing_ok=True)
        before = self.digest()
        if subprocess.run(self.command, cwd=ROOT, env=environment(), check=False).returncode not in self.good:
            return False
        if self.files:
            self.stamp.write_text(before)
        return True


def checks() -> list[Check]:
    """All of them."""
    expanded, resolved = write_expanded()
    infra = tuple(sorted((ROOT / "infra").glob("*.yaml")))
    lint = str(Path(sys.prefix) / "bin" / "cfn-lint")
    sources = tuple(path for each in OURS for path in sorted((ROOT / each).rglob("*.py")))
    statements = tuple(sorted((ROOT / "layers").rglob("*.sql")))
    python = [str(ROOT / each) for each in OURS]
    security = ROOT / "security"
    locked = shipped()
    return [
        Check(
            name="cfn-lint",
            command=(lint, *SERVERLESS_RULES, "--ignore-checks", *NOT_LINTED, "--", str(expanded), *map(str, infra)),
            files=(expanded, *infra),
        ),
        Check(name="checkov", command=checkov(resolved), files=(resolved, *infra, security / "checkov.yaml")),
        Check(
            name="bandit",
            command=(tool("bandit"), "-q", "-c", "security/bandit.yaml", "-r", *python),
            files=(*sources, security / "bandit.yaml"),
        ),
        Check(
            name="semgrep",
            files=(*sources, *statements, security / "semgrep.yaml"),
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
        *secrets(),
        Check(
            name="zizmor",
            command=(tool("zizmor"), "--offline", "--no-progress", ".github/workflows"),
            files=tuple(sorted((ROOT / ".github").rglob("*.yml"))),
        ),
        *(sbom(path) for path in locked),
        Check(name="licences", command=(sys.executable, "-m", "local.licences"), files=locked),
    ]


def shipped() -> tuple[Path, ...]:
    """What is locked for each thing that is deployed: the layer, the ops function, the account exporter's image."""
    return tuple(sorted(ROOT.glob("*/*/requirements.txt")))


def sbom(requirements: Path) -> Check:
    """The bill of materials of one of them."""
    name = requirements.parent.name
    SBOMS.mkdir(parents=True, exist_ok=True)
    form = ("--sv", "1.6", "--output-reproducible", "--of", "JSON", "-o", str(SBOMS / f"{name}.json"))
    return Check(name=f"SBOM: {name}", command=(tool("cyclonedx-py"), "requirements", *form, str(requirements)))


def secrets() -> list[Check]:
    """In what is tracked, and in all that ever was."""
    tracked = tracked_files()
    ours = [name for name in tracked if not name.startswith(("tests/", "bench/", "events/", "docs/"))]
    baseline = EXPANDED / "secrets.baseline"  # a copy: the hook writes into it where lines have moved
    shutil.copy(BASELINE, baseline)
    hook = tool("detect-secrets-hook")
    return [
        Check(
            name="detect-secrets: keys",
            command=(hook, *NO_GUESSES, *tracked),
            files=tuple(ROOT / name for name in tracked),
        ),
        Check(
            name="detect-secrets: words",
            command=(hook, "--baseline", str(baseline), *ours),
            files=(BASELINE, *(ROOT / name for name in ours)),
            good=(0, _UPDATED),
        ),
        Check(name="keys in the history", command=(sys.executable, "-m", "local.history_keys")),
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
    """What git has, but locks, binary files and the list of what is no secret: nothing else is published."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 - git from PATH
    left_out = (".lock", ".png", ".svg", "requirements.txt", BASELINE.name)
    return [name for name in listed.stdout.splitlines() if not name.endswith(left_out) and (ROOT / name).is_file()]


def tool(name: str) -> str:
    """A program of the checks' own environment."""
    return str(TOOLS / name)


def run(given: Sequence[Check], *, anew: bool) -> int:
    """Run each, or all but those that are known to have nothing to say; say how long it took; 1 where one had."""
    failed = False
    for check in given:
        began = time.monotonic()
        if not anew and check.had_nothing_to_say():
            print(f"{check.name}: ok (nothing has changed)")
            continue
        good = check.run()
        print(f"{check.name}: {'ok' if good else 'FAILED'} ({time.monotonic() - began:.1f} s)", flush=True)
        failed |= not good
    return 1 if failed else 0


def environment() -> dict[str, str]:
    """What the tools are run in."""
    # None may call home: checkov asks PyPI for its newest version when it is imported.
    silent = {"CKV_SKIP_PACKAGE_UPDATE_CHECK": "true", "CHECKOV_RUN_SCA_PACKAGE_SCAN_V2": "false"}
    return {**os.environ, **silent, "SEMGREP_SEND_METRICS": "off", "NO_COLOR": "1"}


def main(argv: list[str]) -> int:
    """Nothing, or `--anew`."""
    if argv not in ([], ["--anew"]):
        print("usage: python -m local.static_checks [--anew]", file=sys.stderr)
        return 2
    if not TOOLS.is_dir():
        print("the checks have no environment yet: local/setup.sh checks", file=sys.stderr)
        return 2
    return run(checks(), anew=bool(argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
