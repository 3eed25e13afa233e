-- Ids that contradict each other. No row is the only right answer.
--   orphaned     a transaction that no run has written, of those runs that are still kept
--   two_accounts one Mono id under two accounts
--   version_lost the history of a row does not begin with its first version
--   suspected    an old id that is gone and a new one that looks the same, not decided yet: monoctl duplicates list
SELECT 'orphaned' AS problem, a.mono_account_id, t.mono_transaction_id AS id, t.run_id::text AS detail
FROM bank_transactions t
JOIN bank_accounts a ON a.id = t.account_id
WHERE t.changed_at > (SELECT min(started_at) FROM sync_runs)
  AND NOT EXISTS (SELECT FROM sync_runs r WHERE r.run_id = t.run_id AND r.account_id = t.account_id)
UNION ALL
SELECT 'two_accounts', min(a.mono_account_id), t.mono_transaction_id, string_agg(a.mono_account_id, ', ' ORDER BY a.mono_account_id)
FROM bank_transactions t
JOIN bank_accounts a ON a.id = t.account_id
GROUP BY t.mono_transaction_id
HAVING count(DISTINCT t.account_id) > 1
UNION ALL
SELECT 'version_lost', a.mono_account_id, t.mono_transaction_id, 'version ' || t.version || ', older ones kept: ' || count(v.version)
FROM bank_transactions t
JOIN bank_accounts a ON a.id = t.account_id
LEFT JOIN bank_transaction_versions v ON v.account_id = t.account_id AND v.mono_transaction_id = t.mono_transaction_id
WHERE t.version > 1
GROUP BY a.mono_account_id, t.mono_transaction_id, t.version
HAVING count(v.version) <> t.version - 1
UNION ALL
SELECT 'suspected', a.mono_account_id, d.new_id, 'instead of ' || d.old_id
FROM duplicate_suspicions d
JOIN bank_accounts a ON a.id = d.account_id
WHERE d.status = 'open'
ORDER BY problem, mono_account_id, id;
