"""Child processes: ended as asked, with all they started, and nobody else."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from local import child

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

pytestmark = pytest.mark.integration

DEAF = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print(grandchild.pid, flush=True)
signal.pause()
"""


def spawned(source: str, log: Path) -> subprocess.Popen[bytes]:
    """A Python program as a child."""
    return child.spawn([sys.executable, "-c", source], log=log)


def test_a_child_that_does_not_listen_is_killed_with_its_own_children(tmp_path: Path) -> None:
    """A polite signal first, then the whole session."""
    log = tmp_path / "log"
    process = spawned(DEAF, log)
    child.wait_until(lambda: "\n" in log.read_text(), child=process, what="it", log=log, patience=10)
    grandchild = psutil.Process(int(log.read_text()))
    child.stop(process, signals=[signal.SIGTERM], patience=0.2)
    assert process.returncode == -signal.SIGKILL
    psutil.wait_procs([grandchild], timeout=5)
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


def test_a_child_that_ended_by_itself_is_never_signalled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be a stranger's by now."""
    process = spawned("", tmp_path / "log")
    process.wait()

    def forbidden(*_: int) -> None:
        pytest.fail("a signal was sent")

    monkeypatch.setattr("os.kill", forbidden)
    monkeypatch.setattr("os.killpg", forbidden)
    child.stop(process, signals=[signal.SIGTERM])


def test_a_child_that_ends_while_starting_says_why(tmp_path: Path) -> None:
    """The end of its log is in the message."""
    log = tmp_path / "log"
    process = spawned("raise SystemExit('no such luck')", log)
    with pytest.raises(RuntimeError, match=r"it ended with code 1 while starting:\nno such luck"):
        child.wait_until(lambda: False, child=process, what="it", log=log, patience=10)


def test_a_child_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    """After the patience that was asked for."""
    log = tmp_path / "log"
    process = spawned("import signal; signal.pause()", log)
    with pytest.raises(RuntimeError, match="it was not ready after"):
        child.wait_until(lambda: False, child=process, what="it", log=log, patience=0.1)
    child.stop(process, signals=[signal.SIGTERM])
