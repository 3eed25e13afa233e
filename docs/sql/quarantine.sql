-- Rows that came and cannot be trusted, and that no good row with the same id has answered yet. The raw row is `payload`.
SELECT a.mono_account_id,
       q.reason,
       count(*)              AS rows,
       sum(q.times_seen)     AS times_seen,
       min(q.quarantined_at) AS first_seen,
       max(q.last_seen_at)   AS last_seen
FROM quarantined_transactions q
JOIN bank_accounts a ON a.id = q.account_id
WHERE q.closed_at IS NULL
GROUP BY a.mono_account_id, q.reason
ORDER BY a.mono_account_id, q.reason;
