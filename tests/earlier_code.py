"""The code as it was before the newest migration, for tests of a rollback and of two versions at once."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


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
    packed = _git("archive", "--format=tar", commit, "layers", "local", "tests", "migrations")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
