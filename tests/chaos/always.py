"""What holds at every moment of a soak, in the middle of the harm as well, asked of PostgreSQL alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.chaos.reckoning import told
from tests.invariants import broken

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import Database

# The bank of a soak tells the truth: what it shows is what must be stored.
MISMATCHES: Final = """
SELECT a.mono_account_id, r.run_id, r.kind, r.verdict_reason, r.first_bad_day, r.started_at, r.finished_at, r.mismatch
  FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
 WHERE r.verdict = 'mismatch'
"""
# A run that ends forgets its flushes; whoever adds one after that had lost its lease.
LATE_FLUSHES: Final = """
SELECT f.run_id, f.pass, f.first_page, r.status
  FROM sync_flushes f JOIN sync_runs r ON r.run_id = f.run_id
 WHERE r.status <> 'running'
"""


def not_as_always(database: Database) -> list[str]:
    """Every invariant that is broken, every mismatch and every flush that came late, in words."""
    return [
        *broken(database),
        *(f"a mismatch: {told(row)}" for row in database.rows(MISMATCHES)),
        *(f"a flush of a run that has ended: {told(row)}" for row in database.rows(LATE_FLUSHES)),
    ]
