"""The logs of the embedded stack: one file per function and process, which grow while it is up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from monoctl.errors import StackDown
from monoctl.logbook.log_line import LogLine, read_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from monoctl.logbook.query import LogQuery

LOOK_SECONDS = 0.3


class LogFiles:
    """The `*.log` files of a folder. `pause` waits between two looks at files that are followed."""

    def __init__(self, folder: Path, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._folder = folder
        self._pause = pause

    def past(self, query: LogQuery) -> list[LogLine]:
        """Return the lines that are there."""
        return query.chosen(self._grown({}))

    def follow(self, query: LogQuery) -> Iterator[LogLine]:
        """Return the lines that are there, then each new one; a file that is new, or was emptied, from its top."""
        tails: dict[Path, _Tail] = {}
        while True:
            yield from query.chosen(self._grown(tails))
            self._pause(LOOK_SECONDS)

    def _grown(self, tails: dict[Path, _Tail]) -> Iterator[LogLine]:
        if not self._folder.is_dir():
            raise StackDown(f"there is no folder {self._folder}: `make up` starts the stack that logs into it")
        for path in sorted(self._folder.glob("*.log")):
            for text in tails.setdefault(path, _Tail(path)).new_lines():
                yield read_line(text, source=path.stem)


class _Tail:
    """How far one file has been read: whole lines only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new_lines(self) -> list[str]:
        with self._path.open("rb") as file:
            if file.seek(0, 2) < self._offset:  # it was emptied: the stack was started again
                self._offset = 0
            file.seek(self._offset)
            grown = file.read()
        whole = grown[: grown.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.decode(errors="replace").splitlines()
