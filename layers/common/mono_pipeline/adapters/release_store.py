"""Releases and their events in PostgreSQL: written once, never changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.release import Release, ReleaseEvent, ReleaseEventKind, ReleaseStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mono_pipeline.adapters.postgres import Database, Row

_SQL = statements("release")


class ReleaseStore:
    """The rows of `releases` and `release_events`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, release_id: str, *, actor: str, version: str, reason: str) -> Release | None:
        """Open a release; None where another one is open, or where there was one with this id."""
        row = self._database.row(_SQL["begin_release"], id=release_id, actor=actor, version=version, reason=reason)
        return _release(row) if row else None

    def record(
        self, release_id: str, *, actor: str, kind: ReleaseEventKind, detail: Mapping[str, Any]
    ) -> ReleaseEvent | None:
        """Write an event down; None where there is no such release."""
        # A statement of one row, in a transaction: what a cut connection leaves unknown is not written twice.
        with self._database.transaction():
            if self.find(release_id) is None:
                return None
            row = self._database.row(
                _SQL["record_event"], release_id=release_id, actor=actor, kind=kind, detail=json.dumps(detail)
            )
        return _event(row) if row else None

    def find(self, release_id: str) -> Release | None:
        """The release with this id."""
        row = self._database.row(_SQL["show_release"], id=release_id)
        return _release(row) if row else None

    def open_one(self) -> Release | None:
        """The release that is open now."""
        row = self._database.row(_SQL["open_release"])
        return _release(row) if row else None

    def newest(self, limit: int) -> list[Release]:
        """The last releases, newest first."""
        return [_release(row) for row in self._database.rows(_SQL["newest_releases"], limit=limit)]

    def events(self, release_id: str, *, after: int = 0, limit: int = 1_000) -> list[ReleaseEvent]:
        """What happened in a release, in its order, after the event `after`."""
        rows = self._database.rows(_SQL["release_events"], release_id=release_id, after=after, limit=limit)
        return [_event(row) for row in rows]


def _release(row: Row) -> Release:
    return Release(**{**row, "status": ReleaseStatus(row["status"])})


def _event(row: Row) -> ReleaseEvent:
    return ReleaseEvent(**{**row, "kind": ReleaseEventKind(row["kind"])})
