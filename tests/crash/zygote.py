"""A process that has imported everything: for each line of orders it forks a worker and tells how that ended.

A fork takes milliseconds, a new interpreter most of a second. The zygote itself has no thread and no connection.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from tests.crash.child import Orders, live

ROOT = Path(__file__).resolve().parents[2]


class Zygote:
    """The parent's side."""

    def __init__(self) -> None:
        path = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "common")))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.zygote"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, orders: Orders) -> int:
        """Let a process carry out orders; its exit code, or the negative number of the signal that killed it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(orders)) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it."""
        self._process.communicate()


def main() -> None:
    """Serve orders until there are no more."""
    while line := sys.stdin.readline():
        worker = os.fork()
        if worker == 0:
            os._exit(live(Orders(**json.loads(line))))
        _, status = os.waitpid(worker, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
