"""The functions' log files, read on as they grow: one line an event, as CloudWatch Logs receives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from local.cloudwatch.emf import BadEmf, observations

if TYPE_CHECKING:
    from pathlib import Path

    from local.cloudwatch.points import Points

_END: Final = b"\n"


class LogFolder:
    """Reads every `*.log` of a folder into points.

    Attributes:
        refused: what CloudWatch would have dropped, each with its reason.
    """

    def __init__(self, folder: Path, points: Points, *, start: dict[str, int] | None = None) -> None:
        """`start` says how many bytes of which file are somebody else's already."""
        self._folder = folder
        self._points = points
        self._read = dict(start or {})
        self.refused: list[str] = []

    def take(self) -> int:
        """Take in what was written since the last time; how many observations that was."""
        taken = []
        for line in self._new_lines():
            try:
                taken += observations(line)
            except BadEmf as problem:
                self.refused.append(f"{problem}: {line}")
        self._points.add(taken)
        return len(taken)

    def position(self) -> dict[str, int]:
        """How far each file is read, in bytes."""
        return dict(self._read)

    def _new_lines(self) -> list[str]:
        lines: list[str] = []
        for log in sorted(self._folder.glob("*.log")):
            begun = self._read.get(log.name, 0)
            with log.open("rb") as stream:
                stream.seek(begun)
                written = stream.read()
            whole = written[: written.rfind(_END) + 1]  # a line that is being written is for the next time
            self._read[log.name] = begun + len(whole)
            lines += whole.decode(errors="replace").splitlines()
        return lines
