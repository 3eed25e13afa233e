"""Ends a server before it fills the disk that others use too."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from local.postgres import ShutdownMode

_SECONDS = 1.0


class DiskNearlyFull(Exception):
    """Too little of the disk is left; the server was stopped before it took more."""

    def __init__(self, *, free: int, reserve: int) -> None:
        """Both in bytes."""
        super().__init__(
            f"{free / 1e9:.1f} GB of the disk are left, and {reserve / 1e9:.0f} must stay: ask for fewer rows"
        )


class Stoppable(Protocol):
    """A server with a folder."""

    @property
    def data_dir(self) -> Path:
        """On the disk that is watched."""

    def stop(self, mode: ShutdownMode = "fast") -> None:
        """End it."""


class DiskWatch:
    """While it is open, stops the server as soon as less than `reserve` bytes are free.

    What fails meanwhile because the server is gone leaves it as DiskNearlyFull.
    """

    def __init__(self, server: Stoppable, *, reserve: int) -> None:
        self._server = server
        self._reserve = reserve
        self._left: int | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._left is not None:
            raise DiskNearlyFull(free=self._left, reserve=self._reserve) from error

    def _look(self) -> None:
        while True:
            free = shutil.disk_usage(self._server.data_dir).free
            if free < self._reserve:
                self._left = free
                self._server.stop("immediate")
                return
            if self._over.wait(_SECONDS):
                return
