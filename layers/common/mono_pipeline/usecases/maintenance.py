"""What is kept only for a time is forgotten after it, an hour's share at a time, as the schedule asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.adapters.retention_store import RetentionStore

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import Database
    from mono_pipeline.core.deadline import Deadline

ROWS_AT_ONCE: Final = 5_000  # one statement's share: it is over in a second or two
_SECONDS_OF_A_STATEMENT: Final = 15.0  # what must be left of the time before another one is begun


class Maintenance:
    """Serves `maintenance.run`."""

    def __init__(self, database: Database) -> None:
        self._store = RetentionStore(database)

    def run(self, deadline: Deadline) -> dict[str, Any]:
        """Forget until nothing is past its time, or until ours is over; what is left then is the next hour's.

        Returns `forgotten`, rows by kind, and `unfinished`, the kinds of which some may be left.
        """
        forgotten: dict[str, int] = {}
        unfinished: list[str] = []
        for what in self._store.rules():
            forgotten[what], done = self._forget(what, deadline)
            if not done:
                unfinished.append(what)
        return {"forgotten": forgotten, "unfinished": unfinished}

    def _forget(self, what: str, deadline: Deadline) -> tuple[int, bool]:
        """How many rows of a kind are gone, and whether none is left."""
        total = 0
        while deadline.remaining() > _SECONDS_OF_A_STATEMENT:
            gone = self._store.forget(what, most=ROWS_AT_ONCE)
            total += gone
            if gone < ROWS_AT_ONCE:
                return total, True
        return total, False
