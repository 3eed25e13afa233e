"""A PostgreSQL server that a test may kill, stop and start again on its port."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from local.ports import free_port, is_free
from local.postgres import PostgresServer

if TYPE_CHECKING:
    from pathlib import Path


FREE_SECONDS: Final = 10.0


class OwnServer:
    """One cluster, one port, and a server on it or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._server: PostgresServer | None = None

    @property
    def running(self) -> PostgresServer:
        """The server that runs."""
        assert self._server is not None
        return self._server

    def start(self, **settings: str) -> None:
        """Start it, after a stop on the same port."""
        give_up = time.monotonic() + FREE_SECONDS
        while not is_free(self.port) and time.monotonic() < give_up:
            time.sleep(0.05)  # sessions of a server that crashed end a moment after it
        self._server = PostgresServer.start(self.folder, port=self.port, settings=settings)

    def crash(self) -> None:
        """An immediate shutdown: sessions are cut, no checkpoint is written."""
        self.running.stop("immediate")

    def stop(self) -> None:
        """Stop it however it is."""
        if self._server is not None:
            self._server.stop("immediate")
