-- name: lock_link
-- Whoever writes of a link waits here for others who do, whether its account is known yet or not; let go with the transaction.
-- plan: kept
SELECT pg_advisory_xact_lock(hashtextextended(:mono_account_id, 0));

-- name: lock_bank_account
-- Two links of one bank account that come in at once are one account: the second one finds the first. Taken after `lock_link`
-- and by nobody before it, so that no two wait for each other.
-- plan: kept
SELECT pg_advisory_xact_lock(hashtextextended(concat_ws(' ', :bank_code::text, :account_number::text, :currency::text), 1));

-- name: find_event
SELECT event_key, effect, account_id, run_id, received_at FROM webhook_inbox WHERE event_key = :event_key;

-- name: write_event
-- An event once, however often it is delivered. One without an id of Mono's that is told again may be told anew: what counts of it
-- is the last time.
INSERT INTO webhook_inbox AS i
  (event_key, kind, name, mono_account_id, account_id, happened_at, received_at, sync_status, data_status, retrieved_data,
   has_new_data, job_id, job_status, mark, effect, run_id, correlation_id, retry_at)
VALUES (:event_key, :kind, :name, :mono_account_id, :account_id::bigint, :happened_at::timestamptz, :received_at::timestamptz, :sync_status,
        :data_status, :retrieved_data::text[], :has_new_data, :job_id, :job_status, :mark, :effect, :run_id::uuid,
        :correlation_id, pipeline_now() + make_interval(secs => :retry_seconds::float8))
ON CONFLICT (event_key) DO UPDATE
   SET received_at = greatest(i.received_at, excluded.received_at), account_id = coalesce(excluded.account_id, i.account_id),
       mark = excluded.mark, effect = excluded.effect, run_id = coalesce(excluded.run_id, i.run_id),
       retry_at = excluded.retry_at, deliveries = i.deliveries + (i.effect <> 'waiting')::int;

-- name: count_delivery
-- Mono sent again what is known for good.
UPDATE webhook_inbox SET deliveries = deliveries + 1 WHERE event_key = :event_key;

-- name: link_marks
-- What has been told of a link: of every mark the newest instant, of signing in all.
-- plan: kept
SELECT mark, max(told_at) AS told_at FROM webhook_inbox
 WHERE mono_account_id = :mono_account_id AND mark IS NOT NULL
 GROUP BY mark, CASE WHEN mark IN ('signed_in', 'connected') THEN told_at END;

-- name: adopt_events
-- Events that came before their account belong to it from now on. Whether anything has been told of this link.
-- plan: kept
WITH adopted AS (
  UPDATE webhook_inbox SET account_id = :account_id WHERE mono_account_id = :mono_account_id AND account_id IS NULL
)
SELECT EXISTS (SELECT FROM webhook_inbox WHERE mono_account_id = :mono_account_id) AS told;

-- name: lock_account_for_link
-- plan: kept
SELECT id, mono_account_id, link_status, watermark, reauth_required_at, link_proven_at, found_unlinked_at, found_linked_at
FROM bank_accounts WHERE id = :account_id FOR UPDATE;

-- name: hold_link
-- Locks the account if it goes by this Mono id: who gives it to another link at this moment is waited for, and seen.
SELECT id FROM bank_accounts WHERE id = :account_id AND mono_account_id = :mono_account_id FOR UPDATE;

-- name: settle_link
-- What the account is said to be. The instants only rise; a second look is never put off. A link that is proven has brought the
-- bank's data: a real-time sync's, or those that follow linking and signing in (Mono contract 4).
-- plan: kept
UPDATE bank_accounts
   SET link_status = :link_status,
       reauth_required_at = greatest(reauth_required_at, :required_at::timestamptz),
       link_proven_at = greatest(link_proven_at, :proven_at::timestamptz),
       fresh_as_of = greatest(fresh_as_of, :proven_at::timestamptz),
       look_again_at = greatest(look_again_at, pipeline_now() + make_interval(secs => :look_again_seconds::float8))
 WHERE id = :account_id;

-- name: covering_run
-- The run that will see, or has seen, whatever was there at an instant: one that waits, or one that began no earlier.
-- Days that somebody asked for are no answer to what may be new on others.
SELECT run_id, kind, started_at IS NULL AS waiting FROM sync_runs
 WHERE account_id = :account_id AND kind <> 'window'
   AND ((status = 'running' AND started_at IS NULL) OR started_at >= :since::timestamptz)
 ORDER BY started_at NULLS FIRST LIMIT 1;

-- name: open_kind
-- What of the account is asked for or under way: the kind of the run that whoever takes it goes on with.
SELECT kind FROM sync_runs WHERE account_id = :account_id AND status = 'running'
 ORDER BY started_at NULLS LAST, requested_by = 'backfill', requested_at, run_id LIMIT 1;

-- name: put_off_read
-- Where an account's webhooks have started so many runs in the interval already, its next reading is due when the oldest of these is
-- an interval old: what is told until then is told for that one. A run that is under way does not put it off any further.
WITH oldest AS (
  SELECT started_at + make_interval(secs => :interval_seconds::float8) AS until FROM sync_runs
   WHERE account_id = :account_id AND requested_by = :requested_by AND kind <> 'window'
     AND started_at > pipeline_now() - make_interval(secs => :interval_seconds::float8)
   ORDER BY started_at DESC OFFSET :runs::int - 1 LIMIT 1
)
UPDATE bank_accounts
   SET next_attempt_at = least(next_attempt_at, oldest.until), look_again_at = greatest(look_again_at, oldest.until)
  FROM oldest WHERE id = :account_id
RETURNING oldest.until;

-- name: stop_account
-- Nobody reads on: whoever holds the account finds its lease gone at the next flush, and what was asked for is over.
WITH freed AS (
  UPDATE bank_accounts SET fence = fence + 1, lease_until = NULL, lease_run_id = NULL WHERE id = :account_id
),
stopped AS (
  UPDATE sync_runs SET status = 'stopped', finished_at = greatest(pipeline_now(), started_at)
   WHERE account_id = :account_id AND status = 'running'
  RETURNING run_id
)
DELETE FROM sync_flushes USING stopped WHERE sync_flushes.run_id = stopped.run_id;

-- name: same_bank_account
-- The account of this bank account, by bank, number and currency; a name is no proof of anything.
-- plan: kept
SELECT id, mono_account_id, link_status FROM bank_accounts
 WHERE bank_code = :bank_code AND account_number = :account_number AND currency = :currency
 ORDER BY id LIMIT 1 FOR UPDATE;

-- name: take_new_link
-- The account goes on under another Mono id, and the one it had stays valid everywhere. Its rows, watermark and place in the rollout
-- stay; what was said of the old link does not; everything is read again.
WITH former AS (
  INSERT INTO account_aliases (mono_account_id, account_id) SELECT mono_account_id, id FROM bank_accounts WHERE id = :account_id
)
UPDATE bank_accounts
   SET mono_account_id = :mono_account_id, link_status = 'linked', reauth_required_at = NULL, link_proven_at = NULL,
       found_unlinked_at = NULL, found_linked_at = NULL,
       failure_streak = 0, dead_lettered_at = NULL, dead_letter_run = NULL, dead_letter_sent_at = NULL,
       deep_read_due_at = pipeline_now(), next_attempt_at = pipeline_now()
 WHERE id = :account_id;

-- name: note_former_link
INSERT INTO account_aliases (mono_account_id, account_id) VALUES (:mono_account_id, :account_id) ON CONFLICT DO NOTHING;

-- name: take_waiting
-- Events for which Mono was to be asked first, each moved on so that no other tick takes it too.
WITH due AS (
  SELECT event_key FROM webhook_inbox WHERE retry_at <= pipeline_now() ORDER BY retry_at LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE webhook_inbox i SET retry_at = pipeline_now() + make_interval(secs => :retry_seconds) FROM due WHERE i.event_key = due.event_key
RETURNING i.event_key, i.kind, i.name, i.mono_account_id, i.happened_at, i.received_at, i.sync_status, i.data_status,
          i.retrieved_data, i.has_new_data, i.job_id, i.job_status, i.correlation_id;
