"""What must hold of the tables after whatever happened, asked of PostgreSQL alone: no row means that all holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import Database

# Named as in the list of invariants: I2 honest watermark, I3 atomic page, I7 one row a transaction, I8 versions without
# gaps, I16 the current row is the last version, I17 versions join up in time, I18 nothing is deleted, I20 one lease.
INVARIANTS: Final = """
WITH chains AS (
  SELECT t.account_id, t.mono_transaction_id, t.version, t.changed_at, count(v.version) AS superseded,
         min(v.version) AS oldest, max(v.version) AS newest, max(v.superseded_at) AS superseded_at
  FROM bank_transactions t LEFT JOIN bank_transaction_versions v USING (account_id, mono_transaction_id)
  GROUP BY t.account_id, t.mono_transaction_id, t.version, t.changed_at
)
SELECT 'I2 the watermark is later than today' AS broken
  FROM bank_accounts WHERE watermark > lagos_date(pipeline_now())
UNION ALL
SELECT 'I2 a watermark without a complete pass' FROM bank_accounts a
 WHERE watermark IS NOT NULL
   AND NOT EXISTS (SELECT FROM sync_runs r WHERE r.account_id = a.id AND r.status = 'completed')
UNION ALL
SELECT 'I2 the watermark is beyond every row' FROM bank_accounts a
 WHERE watermark > (SELECT max(booking_date) FROM transaction_versions v WHERE v.account_id = a.id)
UNION ALL
SELECT 'I3 run ' || run_id || ' does not account for every row' FROM sync_runs
 WHERE rows_seen <> rows_inserted + rows_updated + rows_unchanged + rows_quarantined
UNION ALL
SELECT 'I3 run ' || r.run_id || ' counted other inserts than it wrote' FROM sync_runs r
 WHERE r.rows_inserted <> (SELECT count(*) FROM transaction_versions v
                            WHERE v.account_id = r.account_id AND v.version = 1 AND v.run_id = r.run_id)
UNION ALL
SELECT 'I3 a page of run ' || f.run_id || ' is taken for read and its rows are not there'
  FROM sync_flushes f JOIN sync_runs r USING (run_id), unnest(f.ids) AS hash
 WHERE NOT EXISTS (SELECT FROM bank_transactions t
                    WHERE t.account_id = r.account_id AND hashtextextended(t.mono_transaction_id, 0) = hash)
UNION ALL
SELECT 'I3 the cursor of run ' || run_id || ' is ahead of its counts'
  FROM sync_flushes f JOIN sync_runs r USING (run_id)
 GROUP BY run_id, r.rows_seen, r.pages_read
HAVING sum(f.rows_read) > r.rows_seen OR sum(f.last_page - f.first_page + 1) > r.pages_read
UNION ALL
SELECT 'I3 run ' || run_id || ' left pages out before page ' || first_page
  FROM (SELECT run_id, first_page, lag(last_page, 1, 0) OVER (PARTITION BY run_id, pass ORDER BY first_page) AS before
          FROM sync_flushes) f
 WHERE first_page <> before + 1
UNION ALL
SELECT 'I7 two rows are one transaction: ' || mono_transaction_id FROM bank_transactions
 GROUP BY account_id, mono_transaction_id HAVING count(*) > 1
UNION ALL
SELECT 'I8 versions have a gap: ' || mono_transaction_id FROM chains
 WHERE superseded <> version - 1 OR (superseded > 0 AND (oldest <> 1 OR newest <> version - 1))
UNION ALL
SELECT 'I16 the current version does not begin where the last one ends: ' || mono_transaction_id FROM chains
 WHERE superseded > 0 AND superseded_at <> changed_at
UNION ALL
SELECT 'I16 a history without its transaction: ' || v.mono_transaction_id FROM bank_transaction_versions v
 WHERE NOT EXISTS (SELECT FROM bank_transactions t
                    WHERE (t.account_id, t.mono_transaction_id) = (v.account_id, v.mono_transaction_id))
UNION ALL
SELECT 'I17 a superseded version does not end where the next one begins: ' || v.mono_transaction_id
  FROM bank_transaction_versions v JOIN bank_transaction_versions n
    ON (n.account_id, n.mono_transaction_id, n.version) = (v.account_id, v.mono_transaction_id, v.version + 1)
 WHERE n.changed_at <> v.superseded_at
UNION ALL
SELECT 'I18 a row disappeared with evidence left against it: ' || e.mono_transaction_id
  FROM removal_evidence e JOIN bank_transactions t USING (account_id, mono_transaction_id)
 WHERE t.disappeared_at IS NOT NULL
UNION ALL
SELECT 'I20 a lease without an open run' FROM bank_accounts a
 WHERE lease_run_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM sync_runs r WHERE r.run_id = a.lease_run_id AND r.status = 'running')
UNION ALL
SELECT 'I20 two started runs of one account' FROM sync_runs WHERE status = 'running' AND started_at IS NOT NULL
 GROUP BY account_id HAVING count(*) > 1
"""
# What a repeated reading of an unchanged bank must leave as it is (I9), and what only grows (I15, I18).
WRITTEN: Final = """
SELECT (SELECT count(*) FROM bank_transactions) AS rows, (SELECT count(*) FROM bank_transaction_versions) AS versions,
       (SELECT coalesce(sum(version), 0) FROM bank_transactions) AS version_sum,
       (SELECT max(changed_at) FROM bank_transactions) AS changed_at
"""


def broken(database: Database) -> list[str]:
    """Every invariant that does not hold, in words."""
    return [str(row["broken"]) for row in database.rows(INVARIANTS)]
