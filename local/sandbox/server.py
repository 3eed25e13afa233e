"""Runs the sandbox in a child process, for tests and the embedded stack."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

from local.sandbox.client import SandboxClient

if TYPE_CHECKING:
    from types import TracebackType

ROOT = Path(__file__).resolve().parents[2]
READY = "Mono sandbox ready at "
STOP_SECONDS = 60.0  # on a machine with too much to do


class SandboxServer:
    """A context manager: inside it a sandbox listens at `url`, and `control` has the operations of `Sandbox`.

    Args:
        options: The command line of `python -m local.sandbox`, as `port=0, accounts=3, latency_ms=20`.
    """

    def __init__(self, **options: object) -> None:
        self._options = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        self._process: subprocess.Popen[str] | None = None
        self.url = ""
        self.control: SandboxClient

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the child and wait until it is ready.

        Raises:
            RuntimeError: It ended instead.
        """
        command = [sys.executable, "-m", "local.sandbox", "--until-stdin-ends", *self._options]
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process = process
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith(READY):
            self.stop()
            raise RuntimeError(f"the sandbox did not start: {' '.join(command)}")
        self.url = line.removeprefix(READY).strip()
        self.control = SandboxClient(self.url)

    def stop(self) -> None:
        """End the child and wait for it."""
        if self._process is None:
            return
        if self.url:
            self.control.close()
        self._process.communicate(timeout=STOP_SECONDS)
        self._process = None
