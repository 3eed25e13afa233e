"""A pseudo-terminal for monoctl: it is asked, it sees what it would see there, and it is answered by key strokes."""

from __future__ import annotations

import io
import os
import pty
import sys
from threading import Thread
from typing import TYPE_CHECKING

import typer.main

from monoctl.app import app
from monoctl.session import Wiring
from tests.unit.monoctl.stand_ins import NOON, Said

if TYPE_CHECKING:
    import pytest

    from tests.unit.monoctl.stand_ins import FakeClock, FakeReach


def at_a_terminal(
    monkeypatch: pytest.MonkeyPatch, *arguments: str, reach: FakeReach, clock: FakeClock, keys: str = ""
) -> Said:
    """Run a command with a terminal as its standard input and output; `keys` are typed ahead."""
    master, slave = pty.openpty()
    wiring = Wiring(connect=lambda _: reach, now=lambda: NOON, monotonic=lambda: clock.seconds, pause=clock.pause)
    seen, stderr = bytearray(), io.StringIO()
    watcher = Thread(target=_watch, args=(master, seen))
    watcher.start()
    os.write(master, keys.encode())
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    try:
        with (
            os.fdopen(slave, encoding="utf-8", closefd=False) as keyboard,
            os.fdopen(slave, "w", encoding="utf-8") as screen,
            monkeypatch.context() as patched,
        ):
            patched.setattr(sys, "stdin", keyboard)
            patched.setattr(sys, "stdout", screen)
            patched.setattr(sys, "stderr", stderr)
            code = _exit_code(arguments, wiring)
    finally:
        watcher.join()
        os.close(master)
    return Said(exit_code=code, stdout=seen.decode().replace("\r\n", "\n"), stderr=stderr.getvalue())


def _exit_code(arguments: tuple[str, ...], wiring: Wiring) -> int:
    try:
        typer.main.get_command(app).main(["--env", "local", *arguments], prog_name="monoctl", obj=wiring)
    except SystemExit as ended:
        return int(ended.code or 0)
    raise AssertionError("a command ends with its exit code")


def _watch(master: int, seen: bytearray) -> None:
    """Read what is on the screen until the terminal is closed, which Linux tells by an error."""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:
            return
        if not part:
            return
        seen.extend(part)
