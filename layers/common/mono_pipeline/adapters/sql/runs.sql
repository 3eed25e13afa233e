-- name: request_run
-- One waiting request for the same thing, however many ask: the second one gets the first one's run.
-- plan: kept
INSERT INTO sync_runs (run_id, account_id, kind, requested_by, correlation_id, window_start, window_end)
VALUES (:run_id, :account_id, :kind, :requested_by, :correlation_id, :window_start::date, :window_end::date)
ON CONFLICT (account_id, kind, window_start, window_end) WHERE status = 'running' AND started_at IS NULL
DO UPDATE SET woken_at = pipeline_now()
RETURNING run_id, kind, correlation_id;

-- name: lock_account
-- Serialises those who want the account; held only to the end of a short transaction.
-- plan: kept
SELECT a.id, a.mono_account_id, a.currency, a.watermark, a.last_full_read_at, a.fresh_as_of, a.totals_ignore_window, a.link_status,
       a.first_mono_account_id, a.dead_lettered_at, a.fence, lagos_date(pipeline_now()) AS today,
       CASE WHEN a.lease_until > pipeline_now() THEN a.lease_run_id END AS held_by
FROM bank_accounts a WHERE a.id = :account_id FOR UPDATE;

-- name: holder
SELECT lease_run_id FROM bank_accounts WHERE id = :account_id AND lease_until > pipeline_now();

-- part: next_open_run
-- What was interrupted goes first, then daily work before backfills, then what was asked for longest ago.
SELECT run_id FROM sync_runs
WHERE account_id = :account_id AND status = 'running'
ORDER BY started_at NULLS LAST, requested_by = 'backfill', requested_at, run_id LIMIT 1

-- name: open_run
-- plan: kept
-- with: next_open_run

-- name: backfill_is_next
-- Whether nobody has the account and its next run, in the order of `next_open_run`, is a backfill's.
-- plan: kept
SELECT r.requested_by = 'backfill' AND coalesce(a.lease_until <= pipeline_now(), true) AS is_next
FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
WHERE r.account_id = :account_id AND r.status = 'running'
ORDER BY r.started_at NULLS LAST, r.requested_by = 'backfill', r.requested_at, r.run_id LIMIT 1;

-- name: waiting_run
-- Days that somebody asked for are no answer to what may be new on others.
-- plan: kept
SELECT run_id FROM sync_runs
WHERE account_id = :account_id AND status = 'running' AND started_at IS NULL AND kind <> 'window' LIMIT 1;

-- name: served_since
-- Whether a run started at or after an instant: whatever a message sent then asked for has been looked at.
-- plan: kept
SELECT EXISTS (
  SELECT FROM sync_runs WHERE account_id = :account_id AND kind <> 'window' AND started_at >= to_timestamp(:sent_at::double precision)
) AS served;

-- name: lease_next_run
-- Takes the account's lease for its next open run; no row where there is none. Raises the fence: every commit that names an older one
-- touches nothing from here on. Starts a requested run, or takes an interrupted one up again where its last flush ended. An incremental
-- run answers for the days from the watermark less the overlap to today; without a watermark there are none, and it becomes a full one.
-- plan: kept
WITH next AS (
-- with: next_open_run
),
lease AS (
  UPDATE bank_accounts a
     SET fence = fence + 1, lease_run_id = next.run_id, lease_until = pipeline_now() + make_interval(secs => :lease_seconds)
    FROM next WHERE a.id = :account_id
  RETURNING a.fence, a.watermark
)
UPDATE sync_runs r
   SET started_at = coalesce(started_at, pipeline_now()), flag_reason = :flag_reason, hops = :hop,
       kind = CASE WHEN kind = 'incremental' AND lease.watermark IS NULL THEN 'full' ELSE kind END,
       window_start = CASE WHEN kind = 'incremental' THEN coalesce(window_start, lease.watermark - :overlap_days::int + 1)
                           ELSE window_start END,
       window_end = CASE WHEN kind = 'incremental' AND lease.watermark IS NOT NULL THEN coalesce(window_end, :today::date)
                         ELSE window_end END
  FROM next, lease WHERE r.run_id = next.run_id
RETURNING r.run_id, kind, requested_by, correlation_id, window_start, window_end, pass, lease.fence,
  (SELECT coalesce(max(last_page), 0) FROM sync_flushes f WHERE f.run_id = r.run_id AND f.pass = r.pass) AS pages_done;

-- name: hold_lease
-- The first statement of every commit: locks the account, renews the lease; no row means that the lease was lost.
-- plan: kept
UPDATE bank_accounts SET lease_until = pipeline_now() + make_interval(secs => :lease_seconds)
 WHERE id = :account_id AND fence = :fence
RETURNING failure_streak, row_changes;

-- name: release_lease
-- plan: kept
UPDATE bank_accounts SET lease_until = NULL, lease_run_id = NULL,
       next_attempt_at = coalesce(pipeline_now() + make_interval(secs => :next_attempt_seconds), next_attempt_at)
 WHERE id = :account_id AND fence = :fence
RETURNING id;

-- name: begin_next_pass
-- Forgets what the drifting pass read; the rows it wrote stay, they were true when read.
WITH forgotten AS (DELETE FROM sync_flushes WHERE run_id = :run_id)
UPDATE sync_runs SET pass = pass + 1 WHERE run_id = :run_id RETURNING pass;

-- name: finish_run
-- plan: kept
WITH forgotten AS (DELETE FROM sync_flushes WHERE run_id = :run_id)
UPDATE sync_runs
   SET status = :status, verdict = :verdict, verdict_reason = :verdict_reason, first_bad_day = :first_bad_day::date,
       error_code = :error_code, fetch_seconds = :fetch_seconds::double precision, mono_total = coalesce(:mono_total::bigint, mono_total),
       finished_at = greatest(pipeline_now(), started_at)  -- a clock that was set back: no run takes less than no time
 WHERE run_id = :run_id
RETURNING rows_seen, rows_inserted, rows_updated, rows_unchanged, rows_quarantined;

-- name: account_succeeded
-- The watermark is the newest booking date seen in a complete pass, never later than today, and only rises. The CASE is
-- there because least() passes over a null: a pass that saw no date would move the watermark to today.
-- plan: kept
UPDATE bank_accounts
   SET watermark = CASE WHEN :newest_day::date IS NULL THEN watermark
                        ELSE greatest(watermark, least(:newest_day::date, lagos_date(pipeline_now()))) END,
       last_success_at = pipeline_now(), failure_streak = 0,
       dead_lettered_at = NULL, dead_letter_run = NULL, dead_letter_sent_at = NULL, dead_letter_replays = 0,
       last_full_read_at = CASE WHEN :full_read THEN pipeline_now() ELSE last_full_read_at END,
       -- after a mismatch everything is read at the next turn: the days that differ may lie far behind the window
       deep_read_due_at = CASE WHEN :mismatch THEN pipeline_now()
                               WHEN :full_read THEN pipeline_now() + make_interval(days => :deep_read_days)
                               ELSE deep_read_due_at END,
       totals_ignore_window = totals_ignore_window OR :totals_ignore_window,
       link_status = CASE WHEN link_status = 'refused' THEN link_status_of(reauth_required_at, link_proven_at) ELSE link_status END,
       -- a run that began before the second look at a new link was due does not put it off
       next_attempt_at = least(pipeline_now() + make_interval(secs => :interval_seconds * (0.9 + 0.2 * random())),
         (SELECT greatest(look_again_at, pipeline_now()) FROM sync_runs r WHERE r.run_id = lease_run_id AND r.started_at < look_again_at)),
       lease_until = NULL, lease_run_id = NULL
 WHERE id = :account_id AND fence = :fence
RETURNING id;

-- name: account_did_not_succeed
-- The watermark stays. An account that is not a dead letter yet becomes one here, in the commit that ends its run: that the
-- queue is owed a message is known before anybody can die.
-- plan: kept
UPDATE bank_accounts
   SET failure_streak = :failure_streak,
       dead_lettered_at = CASE WHEN :dead_letter AND dead_lettered_at IS NULL THEN pipeline_now() ELSE dead_lettered_at END,
       dead_letter_run = CASE WHEN :dead_letter AND dead_lettered_at IS NULL THEN lease_run_id ELSE dead_letter_run END,
       next_attempt_at = pipeline_now() + make_interval(secs => :next_attempt_seconds),
       lease_until = NULL, lease_run_id = NULL
 WHERE id = :account_id AND fence = :fence
RETURNING coalesce(dead_letter_run = :run_id AND dead_letter_sent_at IS NULL, false) AS owes_letter;

-- name: show_run
SELECT r.run_id, a.mono_account_id AS account_id, r.kind, r.status, r.started_at, r.finished_at, r.requested_at, r.verdict,
       r.verdict_reason, r.first_bad_day, r.rows_seen, r.rows_inserted, r.rows_updated, r.rows_unchanged,
       r.rows_quarantined, r.window_start, r.window_end, r.pages_read, r.mono_total, r.error_code, r.correlation_id,
       r.mismatch, a.link_status
FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
WHERE r.run_id = :run_id;

-- name: unserved_runs
-- Open runs that nobody works on and nobody has woken for a while: the message was lost, or deferred runs came due.
WITH lost AS (
  SELECT r.run_id FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
  WHERE r.status = 'running' AND r.woken_at < pipeline_now() - make_interval(secs => :quiet_seconds)
    AND (a.lease_until IS NULL OR a.lease_until < pipeline_now()) AND a.link_status <> 'unlinked'
    AND a.dead_lettered_at IS NULL
  ORDER BY r.woken_at LIMIT :limit FOR UPDATE OF r SKIP LOCKED
)
UPDATE sync_runs r SET woken_at = pipeline_now() FROM lost, bank_accounts a
 WHERE r.run_id = lost.run_id AND a.id = r.account_id
RETURNING a.id, a.mono_account_id, a.mono_customer_id, a.first_mono_account_id, r.correlation_id,
  CASE WHEN r.requested_by = 'backfill' THEN 'full' ELSE r.kind END AS kind;  -- by its queue: a backfill is as long as a history
