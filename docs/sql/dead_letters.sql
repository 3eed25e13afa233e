-- Accounts that failed too often in a row: nobody reads them until a person or a replay does (monoctl dead-letters inspect).
-- Messages that no worker could finish are in SQS and not here.
SELECT a.mono_account_id,
       a.link_status,
       a.failure_streak,
       a.dead_lettered_at,
       r.error_code,
       r.correlation_id,
       r.run_id
FROM bank_accounts a
JOIN sync_runs r ON r.run_id = a.dead_letter_run
WHERE a.dead_lettered_at IS NOT NULL
ORDER BY a.dead_lettered_at, a.mono_account_id;
