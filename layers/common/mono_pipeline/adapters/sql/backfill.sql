-- name: months
-- The days from :from_day to :to_day by calendar months: whether every day of one needs no reading now (it was read late enough,
-- or today, and cannot be read any better), how many rows are stored of it, and the run that is open for exactly these days.
WITH months AS (
  SELECT min(day) AS first_day, max(day) AS last_day,
         bool_and(coalesce(state = 'read' OR lagos_date(read_at) = lagos_date(pipeline_now()), false)) AS covered
  FROM coverage_of(:mono_account_id, :from_day, :to_day, :overlap_days)
  GROUP BY date_trunc('month', day::timestamp)
)
SELECT m.first_day, m.last_day, m.covered,
       (SELECT count(*) FROM bank_transactions t
         WHERE t.account_id = :account_id AND t.disappeared_at IS NULL AND t.booking_date BETWEEN m.first_day AND m.last_day) AS rows,
       (SELECT r.run_id FROM sync_runs r
         WHERE r.account_id = :account_id AND r.status = 'running' AND r.kind = 'window'
           AND r.window_start = m.first_day AND r.window_end = m.last_day
         ORDER BY r.started_at NULLS LAST LIMIT 1) AS run_id
FROM months m ORDER BY m.first_day;

-- name: open_window_run
-- The run that is under way or waiting for exactly these days.
SELECT run_id FROM sync_runs
WHERE account_id = :account_id AND status = 'running' AND kind = 'window' AND window_start = :from_day AND window_end = :to_day
ORDER BY started_at NULLS LAST LIMIT 1;

-- name: hold_account
-- Whoever asks for a backfill of an account waits here for whoever asks at the same moment.
SELECT id FROM bank_accounts WHERE id = :account_id FOR UPDATE;

-- name: next_backfill
-- Whether a backfill of the account waits or is under way, and in how many seconds the next one may begin: an interval after
-- the last one was asked for or began; null where there was none.
SELECT coalesce(bool_or(status = 'running'), false) AS under_way,
       extract(epoch FROM max(greatest(requested_at, started_at)) + make_interval(secs => :interval_seconds) - pipeline_now())::float8
         AS seconds
FROM sync_runs WHERE account_id = :account_id AND requested_by = 'backfill';

-- name: pace
-- How many seconds a request took, by the newest runs that ended complete; null where there is none. One request more than
-- pages: the account's own.
SELECT (sum(extract(epoch FROM finished_at - started_at)) / sum(pages_read + 1))::float8 AS seconds_per_request
FROM (SELECT finished_at, started_at, pages_read FROM sync_runs WHERE status = 'completed' ORDER BY finished_at DESC LIMIT 50) newest;
