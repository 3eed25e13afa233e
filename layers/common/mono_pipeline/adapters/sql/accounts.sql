-- name: import_account
-- Adds an account, or refreshes what Mono says of a known one; never touches what a run has found out. A copy that was not filled
-- when it was last seen and is now was fetched from the bank in between.
-- plan: kept
INSERT INTO bank_accounts AS a
  (mono_account_id, first_mono_account_id, mono_customer_id, reference, bank_code, account_number, currency, data_status, data_status_at)
VALUES (:mono_account_id, :mono_account_id, :mono_customer_id, :reference, :bank_code, :account_number, :currency, :data_status,
        CASE WHEN :data_status::text IS NOT NULL THEN pipeline_now() END)
ON CONFLICT (mono_account_id) DO UPDATE
   SET mono_customer_id = coalesce(excluded.mono_customer_id, a.mono_customer_id),
       reference        = coalesce(excluded.reference, a.reference),
       bank_code        = coalesce(excluded.bank_code, a.bank_code),
       account_number   = coalesce(excluded.account_number, a.account_number),
       fresh_as_of      = CASE WHEN a.data_status = 'PROCESSING' AND :filled THEN greatest(a.fresh_as_of, a.data_status_at)
                               ELSE a.fresh_as_of END,
       data_status      = coalesce(excluded.data_status, a.data_status),
       data_status_at   = coalesce(excluded.data_status_at, a.data_status_at)
RETURNING a.id;

-- name: find_account
-- By its present Mono id, or by one it had before a re-link.
-- plan: kept
SELECT a.id, a.mono_account_id, a.first_mono_account_id, a.currency, a.link_status, a.data_status, a.watermark,
       a.last_full_read_at, a.fresh_as_of, a.last_success_at, a.next_attempt_at, a.totals_ignore_window, a.failure_streak,
       a.dead_lettered_at
FROM bank_accounts a
WHERE a.mono_account_id = :mono_account_id
   OR a.id = (SELECT account_id FROM account_aliases WHERE mono_account_id = :mono_account_id);

-- name: list_accounts
-- A page of accounts after an id, with the newest run of each. Stale is as in freshness.sql.
SELECT a.mono_account_id, a.mono_customer_id, a.reference, a.bank_code, a.currency, a.balance_minor, a.link_status,
       a.data_status, a.watermark, a.last_success_at, a.last_full_read_at, a.fresh_as_of, a.next_attempt_at,
       a.realtime, a.realtime_off_reason, a.realtime_asked_at, coalesce(a.freshness_slo_hours, :slo_hours::int) AS slo_hours,
       a.link_status <> 'unlinked' AND coalesce(a.fresh_as_of, a.created_at)
         + make_interval(hours => coalesce(a.freshness_slo_hours, :slo_hours::int)) < pipeline_now() AS stale,
       a.failure_streak, a.dead_lettered_at,
       (SELECT f.error_code FROM sync_runs f WHERE f.run_id = a.dead_letter_run) AS dead_letter_error, r.run_id, r.status, r.verdict, r.verdict_reason, r.error_code,
       (SELECT count(*) FROM bank_transactions t WHERE t.account_id = a.id AND t.disappeared_at IS NULL) AS transactions
FROM bank_accounts a
LEFT JOIN LATERAL (
  SELECT * FROM sync_runs r WHERE r.account_id = a.id ORDER BY r.requested_at DESC LIMIT 1
) r ON true
WHERE a.mono_account_id > :after
  AND (:only::text IS NULL OR a.mono_account_id = :only)
ORDER BY a.mono_account_id
LIMIT :limit;

-- name: note_account_state
-- What the account's own page at Mono says, noted at the start of a run.
-- plan: kept
UPDATE bank_accounts
   SET fresh_as_of = CASE WHEN data_status = 'PROCESSING' AND :filled THEN greatest(fresh_as_of, data_status_at) ELSE fresh_as_of END,
       data_status_at = pipeline_now(),
       data_status = :data_status, balance_minor = coalesce(:balance_minor, balance_minor),
       mono_customer_id = coalesce(:mono_customer_id, mono_customer_id), reference = coalesce(:reference, reference),
       bank_code = coalesce(:bank_code, bank_code), account_number = coalesce(:account_number, account_number),
       lease_until = pipeline_now() + make_interval(secs => :lease_seconds)
 WHERE id = :account_id AND fence = :fence
RETURNING id;

-- name: block_account
-- An account that was unlinked meanwhile stays so: there is nothing to try again after an hour.
UPDATE bank_accounts
   SET link_status = :link_status, next_attempt_at = pipeline_now() + make_interval(secs => :retry_seconds)
 WHERE id = :account_id AND link_status <> 'unlinked'
RETURNING id;

-- name: due_accounts
-- Accounts whose time has come, locked so that two ticks never pick the same; each gets its next time in the commit that asks
-- for its run.
WITH due AS (
  SELECT id FROM bank_accounts
  WHERE next_attempt_at <= pipeline_now() AND link_status <> 'unlinked' AND dead_lettered_at IS NULL
  ORDER BY next_attempt_at LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE bank_accounts a
   SET next_attempt_at = pipeline_now() + make_interval(secs => :interval_seconds * (0.9 + 0.2 * random()))
  FROM due WHERE a.id = due.id
RETURNING a.id, a.mono_account_id, a.mono_customer_id, a.first_mono_account_id,
  CASE WHEN a.deep_read_due_at <= pipeline_now() THEN 'full' ELSE 'incremental' END AS kind;

-- name: revive
-- A person, or a replay, has asked for the account: the scheduler looks after it again. The failures in a row stay counted.
UPDATE bank_accounts SET dead_lettered_at = NULL, dead_letter_run = NULL, dead_letter_sent_at = NULL
 WHERE id = :account_id AND dead_lettered_at IS NOT NULL;

-- name: look_again
-- Brings a due time forward; never moves one back.
UPDATE bank_accounts
   SET next_attempt_at = least(next_attempt_at, pipeline_now() + make_interval(secs => :seconds))
 WHERE id = ANY (:account_ids::bigint[]);
