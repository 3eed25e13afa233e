"""A child process that cannot outlive the one that started it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_PR_SET_PDEATHSIG: Final = 1
# Loaded before any fork: nothing may be imported or allocated at length between fork and exec.
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: str | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, its output appended to `log`.

    On Linux the kernel sends `death_signal` to it when the *thread* that called this ends, even by SIGKILL; call it
    from a thread that lives as long as the child should (the main one).

    Raises:
        OSError: the program cannot be started.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else dict(env),
            cwd=cwd,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid(), death_signal),  # noqa: PLW1509 - the kernel offers no other way
        )


def stop(child: subprocess.Popen[bytes], *, signals: Sequence[signal.Signals], patience: float = 10.0) -> None:
    """Ask the child to end with each signal in turn, `patience` seconds apart, and at last kill its whole session.

    Its session is swept in any case, so that a grandchild does not stay behind. The child is reaped only after that:
    until then its number cannot become somebody else's. One that was reaped before is left alone for the same reason.
    """
    if child.returncode is not None:
        return
    try:
        _ask_to_end(child, signals=signals, patience=patience)
        os.killpg(child.pid, signal.SIGKILL)
    except (ChildProcessError, ProcessLookupError):
        pass  # something else in this process reaped it
    child.wait()


def _ask_to_end(child: subprocess.Popen[bytes], *, signals: Sequence[signal.Signals], patience: float) -> None:
    for request in signals:
        if _has_ended(child):
            return
        os.kill(child.pid, request)
        give_up = time.monotonic() + patience
        while not _has_ended(child) and time.monotonic() < give_up:
            time.sleep(0.005)


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether it has, without reaping it; raises ChildProcessError where it was reaped behind our back."""
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def wait_until(
    ready: Callable[[], bool], *, child: subprocess.Popen[bytes], what: str, log: Path, patience: float
) -> None:
    """Return when `ready()` is true.

    Raises:
        RuntimeError: the child ended first, or `patience` seconds went by; the end of its log is in the message.
    """
    give_up = time.monotonic() + patience
    while not ready():
        if child.poll() is not None:
            raise RuntimeError(f"{what} ended with code {child.returncode} while starting:\n{tail(log)}")
        if time.monotonic() > give_up:
            raise RuntimeError(f"{what} was not ready after {patience:g} s:\n{tail(log)}")
        time.sleep(0.02)


def tail(log: Path, *, lines: int = 15) -> str:
    """The last lines of a log, for an error's message."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"


def _die_with(parent: int, death_signal: signal.Signals) -> Callable[[], None] | None:
    if _LIBC is None:
        return None
    number = int(death_signal)

    def bind() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # the parent died between fork and prctl
            os._exit(1)

    return bind
