"""A PostgreSQL server that a test may kill, stop and start again on its port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.ports import free_port
from local.postgres import PostgresServer

if TYPE_CHECKING:
    from pathlib import Path


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
        self._server = PostgresServer.start(self.folder, port=self.port, settings=settings)

    def crash(self) -> None:
        """An immediate shutdown: sessions are cut, no checkpoint is written."""
        self.running.stop("immediate")

    def stop(self) -> None:
        """Stop it however it is."""
        if self._server is not None:
            self._server.stop("immediate")
