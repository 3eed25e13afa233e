-- part: ended_in_period
-- Runs that ended in a period, each with the slot it ended in; slots are counted from the period's begin. A run of older code did not keep
-- how long it waited for Mono: the whole of it counts.
SELECT date_bin(make_interval(secs => :slot_seconds::double precision), r.finished_at, :since::timestamptz) AS slot,
       a.id AS account_id, a.mono_account_id,
       a.id IN (SELECT c.id FROM bank_accounts c WHERE c.mono_account_id = ANY (:accounts::text[])
                UNION ALL SELECT l.account_id FROM account_aliases l WHERE l.mono_account_id = ANY (:accounts::text[])) AS canary,
       r.kind, r.status, r.verdict, r.verdict_reason, r.error_code, r.rows_seen, r.finished_at,
       coalesce(r.fetch_seconds, extract(epoch FROM r.finished_at - r.started_at)::float8) AS seconds
FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
WHERE r.finished_at BETWEEN :since::timestamptz AND :until::timestamptz AND r.started_at IS NOT NULL

-- name: runs_by_slot
-- What ended in each slot, of the accounts that are named and of all others apart; and, where `slot` is null, in the whole period. Counted
-- as a cohort of the gate is (core/release_cohort.py): the nearest rank of the fetches, an incremental run with a verdict each.
WITH ended AS (
-- with: ended_in_period
)
SELECT slot, canary, count(DISTINCT account_id) AS accounts,
       count(*) FILTER (WHERE status = 'completed') AS completed, count(*) FILTER (WHERE status = 'incomplete') AS incomplete,
       count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'stopped') AS stopped,
       count(*) FILTER (WHERE kind = 'incremental' AND verdict IS NOT NULL) AS fetches,
       percentile_disc(0.95) WITHIN GROUP (ORDER BY seconds) FILTER (WHERE kind = 'incremental' AND verdict IS NOT NULL) AS p95_seconds,
       count(*) FILTER (WHERE kind = 'incremental' AND verdict IS NOT NULL AND seconds > :sla_seconds::double precision) AS slow,
       count(*) FILTER (WHERE status = 'completed' AND rows_seen = 0) AS zero_runs,
       count(*) FILTER (WHERE verdict = 'verified') AS verified, count(*) FILTER (WHERE verdict = 'unverifiable') AS unverifiable,
       count(*) FILTER (WHERE verdict = 'mismatch') AS mismatches
FROM ended
GROUP BY GROUPING SETS ((slot, canary), ())
ORDER BY slot NULLS FIRST, canary DESC;

-- name: errors_by_slot
-- Failed runs of each slot by their reason.
WITH ended AS (
-- with: ended_in_period
)
SELECT slot, error_code AS reason, count(*) AS failed FROM ended WHERE status = 'failed'
GROUP BY slot, error_code ORDER BY slot, error_code;

-- name: accounts_of_period
-- The accounts that had a run that ended, those that went worst first, then those that are named; `found` is how many there are. `why` is
-- the reason of the newest run that was not verified.
WITH ended AS (
-- with: ended_in_period
)
SELECT account_id AS id, mono_account_id AS account_id, bool_or(canary) AS canary, count(*) AS runs,
       count(*) FILTER (WHERE verdict = 'verified') AS verified, count(*) FILTER (WHERE verdict = 'unverifiable') AS unverifiable,
       count(*) FILTER (WHERE verdict = 'mismatch') AS mismatches, count(*) FILTER (WHERE status = 'failed') AS failed,
       (array_agg(coalesce(error_code, verdict_reason) ORDER BY finished_at DESC)
          FILTER (WHERE status <> 'stopped' AND verdict IS DISTINCT FROM 'verified'))[1] AS why,
       count(*) OVER () AS found
FROM ended
GROUP BY ended.account_id, mono_account_id
ORDER BY mismatches DESC, bool_or(canary) DESC, failed DESC, unverifiable DESC, mono_account_id
LIMIT :limit;

-- name: verdicts_by_slot
-- How the runs of some accounts, by their internal keys, ended in each slot.
WITH ended AS (
-- with: ended_in_period
)
SELECT account_id AS id, slot, count(*) FILTER (WHERE verdict = 'verified') AS verified,
       count(*) FILTER (WHERE verdict = 'unverifiable') AS unverifiable, count(*) FILTER (WHERE verdict = 'mismatch') AS mismatches,
       count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'stopped') AS stopped
FROM ended WHERE account_id = ANY (:ids::bigint[])
GROUP BY account_id, slot ORDER BY account_id, slot;

-- name: accounts_given_up
-- Accounts that became dead letters in a period and are so still: a success or a replay ends it, and with it its time.
SELECT a.mono_account_id AS account_id, a.dead_lettered_at AS at, a.failure_streak, r.error_code AS reason, r.run_id, count(*) OVER () AS found
FROM bank_accounts a LEFT JOIN sync_runs r ON r.run_id = a.dead_letter_run
WHERE a.dead_lettered_at BETWEEN :since::timestamptz AND :until::timestamptz
ORDER BY a.dead_lettered_at, a.mono_account_id LIMIT :limit;

-- name: letters_archived
-- Messages that were taken off the queue without being done.
SELECT type, reason, archived_as, count(*) AS messages, count(DISTINCT account_id) AS accounts
FROM dead_letter_archive WHERE archived_at BETWEEN :since::timestamptz AND :until::timestamptz
GROUP BY type, reason, archived_as ORDER BY messages DESC, type, reason, archived_as LIMIT :limit;

-- name: actions_on_letters
-- What was done about dead letters, and by whom; looking and dry runs do nothing.
SELECT action_id, action, asked_by, started_at AS at, finished_at, refused, seen, outcomes
FROM dead_letter_actions
WHERE started_at BETWEEN :since::timestamptz AND :until::timestamptz AND NOT dry_run AND action <> 'inspect'
ORDER BY started_at, action_id LIMIT :limit;
