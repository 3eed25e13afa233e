"""The code as it was before the newest migration, for tests of a rollback and of two versions at once.

`python -m tests.earlier_code` lets it run all its tests on a real PostgreSQL with today's schema: some minutes.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[1]
# Its tests of what it was built into, and of the sandbox: they need its artifacts, and no schema.
NOT_OF_THE_SCHEMA: Final = ("tests/integration/local", "tests/integration/sandbox", "tests/integration/template")


def _git(*arguments: str) -> bytes:
    done = subprocess.run(  # noqa: S603 - ours
        ["git", *arguments],  # noqa: S607 - git from PATH
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"THE CODE BEFORE IS NOT TRIED: this checkout has no history ({done.stderr.decode()[:80].strip()})")
    return done.stdout


def before_the_newest_migration() -> tuple[str, str]:
    """The newest committed migration, and the commit before the one that brought it."""
    newest = max(Path(name).name for name in _git("ls-files", "migrations").decode().split())
    brought = _git("log", "--diff-filter=A", "--format=%H", "-1", "--", f"migrations/{newest}").decode().strip()
    if not brought:
        pytest.skip("THE CODE BEFORE IS NOT TRIED: this checkout's history does not reach the newest migration")
    return newest, _git("rev-parse", f"{brought}^").decode().strip()


def check_out(commit: str, folder: Path) -> None:
    """Put what a commit's engine and its tests need into `folder`."""
    packed = _git("archive", "--format=tar", commit)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def its_tests_on_our_schema(folder: Path, *chosen: str) -> subprocess.CompletedProcess[str]:
    """Run tests of what `check_out` put into `folder`, by its own code, on a database that today's migrations made."""
    shutil.rmtree(folder / "migrations")
    shutil.copytree(ROOT / "migrations", folder / "migrations")
    state = folder / ".local"
    state.mkdir(exist_ok=True)
    (state / "ministack").symlink_to(ROOT / ".local" / "ministack")  # the stand-in for AWS, which some of them ask
    # a session that makes its own folder among pytest's shuts out the servers of the one that started it
    own_folder = f"--basetemp={folder / '.local' / 'pytest'}"
    own = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV_"))}
    return subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", own_folder, *chosen],
        cwd=folder,
        env=own,
        capture_output=True,
        text=True,
        check=False,
        timeout=3_600,
    )


def main() -> int:
    """Say how its tests ended."""
    newest, commit = before_the_newest_migration()
    with TemporaryDirectory(prefix="mono-pipeline-") as folder:
        check_out(commit, Path(folder))
        left_out: Iterable[str] = (f"--ignore={path}" for path in NOT_OF_THE_SCHEMA)
        ran = its_tests_on_our_schema(Path(folder), "tests/integration", *left_out)
    sys.stdout.write(f"{ran.stdout[-4000:]}{commit[:7]} on {newest}\n")
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main())
