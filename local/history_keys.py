"""Keys and secrets of a real form, in every line that any commit of this repository ever added.

`python -m local.history_keys` names each with its commit and file and ends with 1; what was removed later is still
there for whoever has a clone. Of a shallow clone it sees what is there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
FORMS: Final = re.compile(
    r"(?:live|test|prod)_[sp]k_[A-Za-z0-9]{12,}"  # Mono's keys
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
    r"|gh[oprsu]_[A-Za-z0-9]{36}|xox[abp]-[A-Za-z0-9-]{10,}"
)
# An example counts up: nobody's key is made of the digits and letters in their order.
EXAMPLE: Final = "0123456789"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something of a key's form; the key itself is not repeated."""

    commit: str
    path: str
    begins: str


def findings(repository: Path = ROOT) -> Iterator[Finding]:
    """Each added line of each commit of each branch that holds a key, newest first.

    Raises:
        subprocess.CalledProcessError: it is no repository.
    """
    command = ["git", "log", "--all", "--format=commit %h", "-p", "-U0", "--no-color", "--no-ext-diff"]
    told = subprocess.run(command, cwd=repository, capture_output=True, check=True)
    commit = path = ""
    for line in told.stdout.decode(errors="replace").splitlines():
        if line.startswith("commit "):
            commit = line.removeprefix("commit ")
        elif line.startswith("+++ "):
            path = line[4:].removeprefix("b/")
        elif line.startswith("+"):
            for key in FORMS.findall(line):
                if EXAMPLE not in key:
                    yield Finding(commit=commit, path=path, begins=key[:12])


def main() -> int:
    """Name each; 0 when there is none."""
    found = list(findings())
    for each in found:
        print(f"{each.commit} {each.path}: {each.begins}…")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
