-- What the newest run with a verdict says of each account; an account without one was never read to its end.
SELECT a.mono_account_id,
       a.link_status,
       coalesce(r.verdict, 'never_read') AS verdict,
       r.verdict_reason,
       r.first_bad_day,
       r.run_id,
       r.finished_at
FROM bank_accounts a
LEFT JOIN LATERAL (
  SELECT * FROM sync_runs WHERE account_id = a.id AND verdict IS NOT NULL ORDER BY finished_at DESC, run_id LIMIT 1
) r ON true
ORDER BY CASE coalesce(r.verdict, 'never_read') WHEN 'mismatch' THEN 0 WHEN 'never_read' THEN 1 WHEN 'unverifiable' THEN 2 ELSE 3 END,
         a.mono_account_id;
