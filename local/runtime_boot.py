"""Runs inside a function's own interpreter: the runtime interface client, bound to the emulator that started it.

Run as `python -S -P runtime_boot.py HANDLER`, so that only the artifact, its layers and the runtime's own packages can
be imported.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from awslambdaric.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Callable

AHEAD_FILE = "MONOTONIC_AHEAD_FILE"
_PR_SET_PDEATHSIG = 1


def run_ahead(path: str) -> None:
    """Let `time.monotonic` run ahead by as many seconds as the file at `path` has bytes.

    The ages of what a function keeps are told by that clock, so five minutes pass when a test makes the file longer.
    A length changes at once, whoever looks meanwhile. Only code that is loaded after this is under that clock.
    """
    time.monotonic = partial(_ahead, time.monotonic, os.open(path, os.O_RDONLY))


def _ahead(monotonic: Callable[[], float], file: int) -> float:
    return monotonic() + os.fstat(file).st_size


if __name__ == "__main__":
    # The emulator may be killed with SIGKILL in the middle of an invocation; the handler must not run on without it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if AHEAD_FILE in os.environ:
        run_ahead(os.environ[AHEAD_FILE])
    main(sys.argv)
