-- Days whose newest reading found a mismatch are to be read again: what was read is not what is stored.
CREATE OR REPLACE FUNCTION coverage_of(account text, from_day date, to_day date, overlap_days integer)
RETURNS TABLE (day date, state text, read_at timestamptz, run_id uuid)
LANGUAGE sql STABLE AS $$
  SELECT d.day::date,
         CASE WHEN c.read_at IS NULL THEN 'never_read'
              WHEN c.verdict = 'mismatch' OR lagos_date(c.read_at) <= d.day::date + overlap_days THEN 'due'
              ELSE 'read' END,
         c.read_at, c.run_id
  FROM generate_series(from_day::timestamp, to_day::timestamp, interval '1 day') AS d (day)
  LEFT JOIN LATERAL (
    SELECT l.read_at, l.run_id, l.verdict FROM coverage_ledger l JOIN bank_accounts a ON a.id = l.account_id
    WHERE a.mono_account_id = account AND d.day::date BETWEEN l.first_day AND l.last_day
    ORDER BY l.read_at DESC LIMIT 1
  ) c ON true
  ORDER BY d.day
$$;
