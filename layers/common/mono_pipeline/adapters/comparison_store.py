"""The bank's rows against the stored ones, in PostgreSQL, which knows the types of both."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.discrepancy import MAX_ROWS, DifferingRow, DifferingRows, RowFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from uuid import UUID

    from mono_pipeline.adapters.postgres import Database
    from mono_pipeline.core.discrepancy import Discrepancy
    from mono_pipeline.core.run import Account
    from mono_pipeline.core.wire import TransactionPage

_SQL = statements("comparison")


class ComparisonStore:
    """Compares; but for `keep` it writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def differing_rows(
        self, account: Account, pages: Sequence[TransactionPage], *, days: Iterable[date], set_aside: Iterable[str]
    ) -> DifferingRows:
        """The rows that make `days` differ; `pages` hold every row that Mono shows of them.

        Rows of other days in `pages` count where they are stored on one of `days`. Rows that came broken, and ids
        `set_aside`, are not accused.
        """
        broken = [row.mono_transaction_id for page in pages for row in page.rejected if row.mono_transaction_id]
        rows = self._database.rows(
            _SQL["differing_rows"],
            account_id=account.id,
            currency=account.currency,
            rows=joined_rows(pages),
            days=list(days),
            set_aside=[*set_aside, *broken],
            most=MAX_ROWS,
        )
        found = [
            DifferingRow(
                day=row["day"],
                mono_transaction_id=row["mono_transaction_id"],
                fault=RowFault(row["fault"]),
                fields=row["fields"],
            )
            for row in rows
        ]
        return DifferingRows(rows=found, total=rows[0]["total"] if rows else 0)

    def keep(self, run_id: UUID, discrepancy: Discrepancy) -> None:
        """Store what a run's mismatch is made of, in the caller's transaction."""
        self._database.rows(_SQL["keep_discrepancy"], run_id=run_id, mismatch=json.dumps(discrepancy.as_json()))


def joined_rows(pages: Sequence[TransactionPage]) -> str:
    """One JSON array of the arrays of several pages, joined as text: rows are never objects in Python here."""
    return "[" + ",".join(page.rows_json[1:-1] for page in pages if page.row_count) + "]"
