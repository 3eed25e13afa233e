"""A key that a commit once added is found, also when a later one took it away."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from local.history_keys import findings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# put together here, so that this file holds none
KEYS = {
    "Mono's": "live_" + "sk_" + "q7Hd92kLmZ0x",
    "of AWS": "AKIA" + "Q7HD92KLMZ0XABCD",
    "private": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "of GitHub": "ghp_" + "q7Hd92kLmZ0x" * 3,
}


@pytest.fixture
def commit(tmp_path: Path) -> Callable[[str], None]:
    """Writes a file of a new repository and commits it."""
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    alone = {"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", "PATH": "/usr/bin:/bin", **who}

    def git(*words: str) -> None:
        subprocess.run(["git", *words], cwd=tmp_path, env=alone, check=True, capture_output=True)  # noqa: S603, S607

    def write(text: str) -> None:
        (tmp_path / "settings.py").write_text(text)
        git("add", "settings.py")
        git("commit", "-m", "one")

    git("init")
    return write


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_that_was_taken_away_is_found(kind: str, commit: Callable[[str], None], tmp_path: Path) -> None:
    """Whoever has a clone has it still; the key itself is not told again."""
    commit(f"{KEYS[kind]}\n")
    commit("")
    (found,) = findings(tmp_path)
    assert found.path == "settings.py"
    assert KEYS[kind] not in found.begins
    assert KEYS[kind].startswith(found.begins)


def test_an_example_is_none(commit: Callable[[str], None], tmp_path: Path) -> None:
    """Tests and pages need keys of the real form."""
    commit('key = "test_sk_0123456789abcdef"\n')
    assert list(findings(tmp_path)) == []
