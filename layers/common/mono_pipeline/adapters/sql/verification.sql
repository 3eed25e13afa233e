-- name: standing_run
-- The run whose verdict stands for the account: the newest that has one, unless an older one is a mismatch and no complete run since
-- has read its days; of several the one with the earliest bad day. All days of a mismatch are known where they are few; else they
-- reach to the end of what its run read.
SELECT run_id, kind, status, verdict, verdict_reason, first_bad_day, window_start, window_end, finished_at, mismatch
FROM (
  SELECT r.*, r.verdict = 'mismatch' AND NOT EXISTS (
    SELECT FROM sync_runs l
    WHERE l.account_id = r.account_id AND l.status = 'completed' AND l.finished_at > r.finished_at
      AND (l.window_start IS NULL
           OR l.window_start <= r.first_bad_day
              AND l.window_end >= CASE WHEN (r.mismatch ->> 'days_differing')::int = jsonb_array_length(r.mismatch -> 'days')
                                       THEN (r.mismatch -> 'days' -> -1 ->> 'day')::date
                                       ELSE coalesce(r.window_end, lagos_date(r.finished_at)) END)) AS stands
  FROM sync_runs r WHERE r.account_id = :account_id AND r.verdict IS NOT NULL
) concluded
ORDER BY stands DESC, CASE WHEN stands THEN first_bad_day END, finished_at DESC, run_id LIMIT 1;

-- name: full_run
-- The newest run of an account that read everything and has a verdict.
SELECT run_id, verdict, window_start, window_end, finished_at
FROM sync_runs WHERE account_id = :account_id AND verdict IS NOT NULL AND kind = 'full'
ORDER BY finished_at DESC, run_id LIMIT 1;

-- name: newest_end
-- The newest run that ended, whatever came of it.
SELECT run_id, kind, status, error_code, finished_at FROM sync_runs
WHERE account_id = :account_id AND finished_at IS NOT NULL
ORDER BY finished_at DESC, run_id LIMIT 1;

-- name: history_gaps
-- Transactions whose versions, history and current together, are not 1..n, each in force until the next one; the current one
-- is the last. Those that never changed have no history to be wrong.
WITH changed AS (
  SELECT mono_transaction_id, version, superseded_at,
         row_number() OVER w AS nth, lead(changed_at) OVER w AS next_changed_at
  FROM transaction_versions
  WHERE account_id = :account_id AND (version > 1 OR superseded_at IS NOT NULL)
  WINDOW w AS (PARTITION BY mono_transaction_id ORDER BY version, superseded_at NULLS LAST)
)
SELECT count(superseded_at) AS older_versions,
       count(DISTINCT mono_transaction_id) FILTER (WHERE version <> nth OR superseded_at IS DISTINCT FROM next_changed_at) AS broken,
       min(mono_transaction_id) FILTER (WHERE version <> nth OR superseded_at IS DISTINCT FROM next_changed_at) AS example
FROM changed;

-- name: rebuilt
-- The live rows as the table holds them, and as history and current together rebuild them for this instant.
SELECT held.rows AS held_rows, held.net AS held_net, rebuilt.rows AS rebuilt_rows, rebuilt.net AS rebuilt_net
FROM (SELECT count(*) AS rows, coalesce(sum(CASE direction WHEN 'credit' THEN amount_minor ELSE -amount_minor END), 0) AS net
      FROM bank_transactions WHERE account_id = :account_id AND disappeared_at IS NULL) held,
     (SELECT count(*) AS rows, coalesce(sum(CASE direction WHEN 'credit' THEN amount_minor ELSE -amount_minor END), 0) AS net
      FROM bank_transactions_at(:mono_account_id, pipeline_now())) rebuilt;

-- name: stored_balance
SELECT balance_minor FROM bank_accounts WHERE id = :account_id;

-- name: today
SELECT lagos_date(pipeline_now()) AS today, pipeline_now() AS now;

-- name: coverage
-- The days from :from_day to :to_day in stretches of one state, and the newest reading of each stretch.
WITH days AS (
  SELECT *, day - (row_number() OVER (PARTITION BY state ORDER BY day))::int AS stretch
  FROM coverage_of(:mono_account_id, :from_day, :to_day, :overlap_days)
)
SELECT min(day) AS from_day, max(day) AS to_day, state, count(*) AS days, min(read_at) AS read_at
FROM days GROUP BY state, stretch ORDER BY from_day;

-- name: digest_of_rows
-- The digest per booking day of rows as Mono shows them (:rows). Nothing is written.
SELECT lagos_date(r.date::timestamptz) AS day, count(*) AS rows,
       coalesce(sum(r.amount) FILTER (WHERE r.type = 'credit'), 0) AS credits,
       coalesce(sum(r.amount) FILTER (WHERE r.type = 'debit'), 0)  AS debits,
       sum(transaction_weight(r.id, lagos_date(r.date::timestamptz), r.amount, r.type)) AS weight
FROM json_to_recordset(:rows::json) AS r (id text, amount bigint, type text, date text)
GROUP BY 1;

-- name: digest_of_stored
-- The same of the live rows, without the ids set aside.
SELECT booking_date AS day, count(*) AS rows,
       coalesce(sum(amount_minor) FILTER (WHERE direction = 'credit'), 0) AS credits,
       coalesce(sum(amount_minor) FILTER (WHERE direction = 'debit'), 0)  AS debits,
       sum(transaction_weight(mono_transaction_id, booking_date, amount_minor, direction)) AS weight
FROM bank_transactions
WHERE account_id = :account_id AND disappeared_at IS NULL AND mono_transaction_id <> ALL (:set_aside::text[])
  AND booking_date BETWEEN coalesce(:from_day::date, '-infinity') AND coalesce(:to_day::date, 'infinity')
GROUP BY booking_date;

-- name: canonical_totals
-- What counts: canonical_bank_transactions in minor units.
SELECT count(*) AS rows, coalesce(sum(amount) FILTER (WHERE transaction_type = 'credit'), 0) * 100 AS credits,
       coalesce(sum(amount) FILTER (WHERE transaction_type = 'debit'), 0) * 100 AS debits
FROM canonical_bank_transactions
WHERE mono_account_id = :mono_account_id
  AND booking_date BETWEEN coalesce(:from_day::date, '-infinity') AND coalesce(:to_day::date, 'infinity');

-- name: undecided
-- Stored ids that the bank need not show: old sides of open suspicions, and rows that were missed once.
SELECT old_id AS id, 'duplicate_suspected' AS reason FROM duplicate_suspicions WHERE account_id = :account_id AND status = 'open'
UNION ALL
SELECT mono_transaction_id, 'removal_pending' FROM removal_evidence e
WHERE account_id = :account_id
  AND NOT EXISTS (SELECT FROM duplicate_suspicions d
                   WHERE d.account_id = e.account_id AND d.old_id = e.mono_transaction_id AND d.status = 'open');

-- name: undecided_in
-- Those of the ids :ids that these rows show.
SELECT r.id FROM json_to_recordset(:rows::json) AS r (id text) WHERE r.id = ANY (:ids::text[]);
