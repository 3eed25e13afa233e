"""Open questions of identity in PostgreSQL: an old id that is gone and a new one that looks the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mono_pipeline.adapters.statements import statements

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import Database, Row

_SQL = statements("evidence")
_LOCK = statements("runs")["lock_account"]


class SuspicionStore:
    """The rows of `duplicate_suspicions`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, *, account: str | None, every: bool, after: int = 0, limit: int = 100) -> list[Row]:
        """Suspicions in the order of their raising, open ones or all; `account` is a Mono id."""
        return self._database.rows(_SQL["list_suspicions"], account=account, every=every, after=after, limit=limit)

    def decide(self, suspicion: int, *, same: bool, decided_by: str) -> bool:
        """Close an open suspicion; False when it is not open (any more).

        `same` means one transaction: the old row is superseded by the new one and disappears. Otherwise both are real:
        the new one counts, and the old one, if the bank goes on not showing it, is a matter of evidence.
        """
        with self._database.transaction():
            raised = self._database.row(_SQL["account_of_suspicion"], id=suspicion)
            if raised is None:
                return False
            # The account first, as every flush does: nothing of this account may come between the decision and what
            # follows from it, and whoever ends a run holds the account while it settles suspicions.
            self._database.rows(_LOCK, account_id=raised["account_id"])
            decided = self._database.row(
                _SQL["decide_suspicion"],
                id=suspicion,
                status="accepted" if same else "rejected",
                decided_by=decided_by,
            )
            if decided is None:
                return False
            if same:
                self._database.rows(
                    _SQL["disappear"],
                    account_id=decided["account_id"],
                    run_id=decided["raised_by"],
                    gone=[decided["old_id"]],
                )
        return True
