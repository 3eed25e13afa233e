"""Runs inside a function's own interpreter: the runtime interface client, bound to the emulator that started it.

Run as `python -S -P runtime_boot.py HANDLER`, so that only the artifact, its layers and the runtime's own packages can
be imported.
"""

import ctypes
import signal
import sys

from awslambdaric.__main__ import main

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    # The emulator may be killed with SIGKILL in the middle of an invocation; the handler must not run on without it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    main(sys.argv)
