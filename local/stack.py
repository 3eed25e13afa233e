"""The embedded stack from outside: start it, find it, stop it.

`python -m local.stack up|down|status` is what `make up` and `make down` run; `EmbeddedStack` is the same for tests and
the demo, on ports of its own and ending with the program that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import psutil

from local import child
from local.build import ROOT, build
from local.stack_settings import STATE, Ports, Refused, StackSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

_START_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 15.0


def _echo(progress: str) -> None:
    print(progress, end="", flush=True)


class EmbeddedStack:
    """A stack that lives as long as the `with` block, or the program that started it.

    Attributes:
        record: what `.local/stack.json` says (design of the file: README, "The embedded stack").
    """

    def __init__(self, state_dir: Path, *, ports: Ports | None = None, **settings: Any) -> None:
        """Settings are those of `StackSettings`; `ports` are free ones unless given."""
        self.settings = StackSettings(state_dir=state_dir.absolute(), ports=ports or Ports.free(), **settings)
        self.record: Mapping[str, Any] = {}
        self._supervisor: subprocess.Popen[bytes] | None = None

    def start(self, *, say: Callable[[str], object] = _echo) -> Self:
        """Build what is not built, start everything and return when it answers.

        Raises:
            RuntimeError: a part did not come up; the message is that of the stack's log.
        """
        build()
        self._supervisor = _spawn_supervisor(self.settings, bound=True)
        self.record = _wait_until_ready(self.settings, self._supervisor, say=say)
        return self

    def stop(self) -> None:
        """Stop everything that `start` started."""
        if self._supervisor is not None:
            child.stop(self._supervisor, signals=[signal.SIGTERM], patience=_STOP_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


@dataclass(frozen=True, kw_only=True)
class Running:
    """A stack that was found by its record."""

    record: Mapping[str, Any]
    processes: Mapping[str, psutil.Process]

    @classmethod
    def find(cls, settings: StackSettings) -> Self | None:
        """The stack that `stack.json` speaks of; None where nothing of it runs (any more)."""
        if not settings.record.exists():
            return None
        record = json.loads(settings.record.read_text())
        processes = {
            name: process
            for name, told in record["processes"].items()
            if (process := _same_process(told["pid"], told["started"])) is not None
        }
        return cls(record=record, processes=processes) if processes else None

    def stop(self) -> None:
        """Stop the supervisor, which stops the rest; kill what is left of exactly these processes."""
        if supervisor := self.processes.get("supervisor"):
            _signal(supervisor, signal.SIGTERM)
            psutil.wait_procs([supervisor], timeout=_STOP_SECONDS)
        for process in self.processes.values():
            _signal(process, signal.SIGKILL)
        psutil.wait_procs(self.processes.values(), timeout=_STOP_SECONDS)


def up() -> int:
    """Start the stack of this checkout and leave it up."""
    settings = StackSettings.from_environment(os.environ)
    running = Running.find(settings)
    if running and "supervisor" not in running.processes:
        running.stop()  # it was killed, and what it left behind is still going
        running = None
    if running:
        if settings.mono_base_url not in (None, running.record["mono_base_url"]):
            raise Refused("a stack with another Mono is up; `make down` stops it")
        print("stack: already up")
        _show(running.record)
        return 0
    supervisor = _spawn_supervisor(settings, bound=False)
    try:
        record = _wait_until_ready(settings, supervisor, say=_echo)
    except KeyboardInterrupt:
        child.stop(supervisor, signals=[signal.SIGTERM], patience=_STOP_SECONDS)
        raise
    _show(record)
    return 0


def down() -> int:
    """Stop exactly what `up` started."""
    settings = StackSettings(state_dir=STATE, ports=Ports(http=0, postgres=0, aws=0, sandbox=0))
    running = Running.find(settings)
    if running is None:
        print("stack: nothing is up")
    else:
        running.stop()
        print(f"stack: stopped {', '.join(running.processes)}")
    settings.record.unlink(missing_ok=True)
    return 0


def status() -> int:
    """Say what is up; 0 when all of it is."""
    settings = StackSettings(state_dir=STATE, ports=Ports(http=0, postgres=0, aws=0, sandbox=0))
    running = Running.find(settings)
    if running is None:
        print("stack: nothing is up")
        return 1
    missing = set(running.record["processes"]) - set(running.processes)
    _show(running.record)
    if missing:
        print(f"stack: not running any more: {', '.join(sorted(missing))}")
    return 1 if missing else 0


def _spawn_supervisor(settings: StackSettings, *, bound: bool) -> subprocess.Popen[bytes]:
    settings.logs.mkdir(parents=True, exist_ok=True)
    settings.record.unlink(missing_ok=True)  # of a stack that was killed
    description = settings.state_dir / "stack-settings.json"
    description.touch(mode=0o600)
    description.write_text(settings.to_json())
    _log(settings).write_bytes(b"")
    argv = [sys.executable, "-m", "local.supervisor", str(description)]
    if bound:
        return child.spawn(argv, log=_log(settings), cwd=ROOT, death_signal=signal.SIGTERM)
    with _log(settings).open("ab") as output:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=ROOT, start_new_session=True
        )


def _wait_until_ready(
    settings: StackSettings, supervisor: subprocess.Popen[bytes], *, say: Callable[[str], object]
) -> Mapping[str, Any]:
    """Pass the supervisor's progress on, as it comes, until it has written its record."""
    give_up = time.monotonic() + _START_SECONDS
    with _log(settings).open() as log:
        while True:
            ended = supervisor.poll() is not None
            if progress := log.read():
                say(progress)
            if settings.record.exists():
                record: Mapping[str, Any] = json.loads(settings.record.read_text())
                return record
            if ended:
                raise RuntimeError(f"it ended while starting; see {_log(settings)}:\n{child.tail(_log(settings))}")
            if time.monotonic() > give_up:
                child.stop(supervisor, signals=[signal.SIGTERM], patience=_STOP_SECONDS)
                raise RuntimeError(f"the stack was not up after {_START_SECONDS:g} s; see {_log(settings)}")
            time.sleep(0.05)


def _log(settings: StackSettings) -> Path:
    return settings.logs / "stack.log"


def _show(record: Mapping[str, Any]) -> None:
    for name in ("http", "database_url", "aws_endpoint_url", "mono_base_url", "logs"):
        print(f"  {name:<18}{record[name]}")
    if record["prometheus"] is None:
        print("  prometheus        not installed: make monitoring")
        return
    for name in ("prometheus", "alertmanager", "metrics", "account_metrics"):
        print(f"  {name:<18}{record[name]}")


def _same_process(pid: int, started: float) -> psutil.Process | None:
    """The process with this id if it is the one that started then: ids are used again."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if same else None


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def main(argv: list[str]) -> int:
    """Run one command; 1 where it could not be done, 2 for a wrong one."""
    commands = {"up": up, "down": down, "status": status}
    if len(argv) != 1 or argv[0] not in commands:
        print("usage: python -m local.stack up|down|status", file=sys.stderr)
        return 2
    try:
        return commands[argv[0]]()
    except (Refused, RuntimeError) as problem:
        print(f"stack: {problem}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
