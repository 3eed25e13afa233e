"""AWS SAM's command line, without telemetry, a look for newer versions, and the network calls of an AWS account."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

REGION = "eu-west-1"  # SAM wants one to validate; nothing is called there
ROOT = Path(__file__).resolve().parent.parent
# Once a week SAM asks PyPI whether there is a newer SAM, and has no switch against it: it was asked in 2100.
_NEVER_AGAIN = {"telemetryEnabled": False, "lastVersionCheck": 4_102_444_800.0}


def run_sam(*arguments: str, cwd: Path | None = None, log: Path | None = None, wheels: Path | None = None) -> int:
    """Run `sam` with these arguments and return its exit code; its output goes to `log`, or to ours when None.

    With `wheels` its pip takes packages from that folder and asks no index.
    """
    command = [str(Path(sys.prefix) / "bin" / "sam"), *arguments]
    environment = sam_environment()
    if wheels is not None:
        environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    if log is None:
        return subprocess.run(command, cwd=cwd, env=environment, check=False).returncode
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        return subprocess.run(
            command, cwd=cwd, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
        ).returncode


def sam_environment() -> dict[str, str]:
    """The environment that `sam` runs in, with a folder of our own for what it remembers."""
    remembers = ROOT / ".local" / "sam"
    if not (known := remembers / "metadata.json").exists():
        remembers.mkdir(parents=True, exist_ok=True)
        (written := known.with_name(f"{os.getpid()}.json")).write_text(json.dumps(_NEVER_AGAIN))
        written.replace(known)  # as a whole: somebody else may run `sam` now
    # `sam build` looks for pip and python3.13 on PATH; a pyenv shim of that name can exist and fail, so the
    # environment's own come first, then those of the interpreter it was made from.
    real = Path(sys.base_prefix) / "bin"
    path = os.pathsep.join([str(Path(sys.prefix) / "bin"), str(real), os.environ.get("PATH", "")])
    return {
        **os.environ,
        "PATH": path,
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(remembers),
        "AWS_DEFAULT_REGION": REGION,
    }
