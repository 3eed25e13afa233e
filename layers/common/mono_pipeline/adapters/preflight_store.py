"""What a pre-flight asks PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mono_pipeline.adapters.statements import statements

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import Database, Row

_SQL = statements("preflight")


class PreflightStore:
    """Reads only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def connection(self) -> Row:
        """`role`, `server` version, `tls` and its version, as PostgreSQL sees this connection."""
        return self._database.rows(_SQL["connection"])[0]

    def arrival(self, event_id: str) -> Row | None:
        """`effect`, `deliveries` and the `seconds` from the queue to the table; None while it has not come."""
        return self._database.row(_SQL["arrival"], event_key=f"event:{event_id}")
