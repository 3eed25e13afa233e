"""What is forgotten when its time is over, and accounts that are erased: both decided by functions of the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.adapters.statements import statements

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from mono_pipeline.adapters.postgres import Database

_SQL = statements("retention")


class Erasure(Struct, frozen=True, kw_only=True):
    """One account's erasure: when, by whom and why; and how many rows say nothing any more."""

    erasure_id: UUID
    erased_at: datetime
    erased_by: str
    reason: str
    transactions: int
    versions: int
    quarantined: int


class RetentionStore:
    """Asks as the role `ops`, which alone may."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rules(self) -> dict[str, int]:
        """For how many days each kind of row is kept."""
        return {row["what"]: row["days"] for row in self._database.rows(_SQL["retention_rules"])}

    def forget(self, what: str, *, most: int) -> int:
        """Delete at most `most` rows of a kind that are past their time; return how many there were."""
        row = self._database.row(_SQL["forget_past"], what=what, most=most)
        return int(row["gone"]) if row else 0

    def erase(self, account_id: str, *, actor: str, reason: str) -> Erasure | None:
        """Take what is personal out of an account; None where there is no such account."""
        row = self._database.row(_SQL["erase_account"], account=account_id, actor=actor, reason=reason)
        return Erasure(**row) if row else None
