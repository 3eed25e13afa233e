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

-- name: pace
-- How many seconds a request took, by the newest runs that ended complete; null where there is none. One request more than
-- pages: the account's own.
SELECT (sum(extract(epoch FROM finished_at - started_at)) / sum(pages_read + 1))::float8 AS seconds_per_request
FROM (SELECT finished_at, started_at, pages_read FROM sync_runs WHERE status = 'completed' ORDER BY finished_at DESC LIMIT 50) newest;
