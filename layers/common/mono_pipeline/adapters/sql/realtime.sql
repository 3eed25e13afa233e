-- name: reserve_call
-- Writes a call down before it is made, or nothing at all: the account's policy and five minutes, its open call and the month's
-- cap are looked at and taken in this one statement. Two that ask at once wait for each other at the account's row, and at the
-- month's; whoever comes second sees what the first one took.
WITH eligible AS (
  SELECT id, date_trunc('month', lagos_date(pipeline_now())::timestamp)::date AS month FROM bank_accounts
   WHERE id = :account_id AND link_status <> 'unlinked' AND realtime = ANY (:policies::text[])
     AND (realtime_asked_at IS NULL OR realtime_asked_at <= pipeline_now() - make_interval(secs => :guard_seconds))
     AND NOT EXISTS (SELECT FROM realtime_calls c WHERE c.account_id = :account_id AND c.ended_at IS NULL)
     FOR UPDATE
),
paid AS (
  INSERT INTO realtime_spend AS s (month, spent_ngn)
  SELECT month, :price_ngn::int FROM eligible WHERE :price_ngn::int <= :cap_ngn::int
  ON CONFLICT (month) DO UPDATE SET spent_ngn = s.spent_ngn + :price_ngn::int
   WHERE s.spent_ngn + :price_ngn::int <= :cap_ngn::int
  RETURNING month
),
marked AS (
  UPDATE bank_accounts a SET realtime_asked_at = pipeline_now() FROM eligible e, paid WHERE a.id = e.id
  RETURNING a.id, a.realtime_asked_at
)
INSERT INTO realtime_calls (account_id, requested_by, correlation_id, asked_at, month, reserved_ngn, poll_at)
SELECT marked.id, :requested_by, :correlation_id, marked.realtime_asked_at, paid.month, :price_ngn::int,
       marked.realtime_asked_at + make_interval(secs => :unanswered_seconds)
FROM marked, paid
RETURNING id;

-- name: standing
-- What a refused reservation is explained by.
SELECT a.realtime, a.link_status = 'unlinked' AS unlinked,
       extract(epoch FROM pipeline_now() - a.realtime_asked_at)::float8 AS seconds_since,
       EXISTS (SELECT FROM realtime_calls c WHERE c.account_id = a.id AND c.ended_at IS NULL) AS open_call,
       coalesce((SELECT s.spent_ngn FROM realtime_spend s
                  WHERE s.month = date_trunc('month', lagos_date(pipeline_now())::timestamp)::date), 0) AS spent_ngn
FROM bank_accounts a WHERE a.id = :account_id;

-- name: await_job
-- The call's job is under way, to be looked at in a while.
UPDATE realtime_calls
   SET state = 'processing', job_id = :job_id, poll_at = pipeline_now() + make_interval(secs => :poll_seconds)
 WHERE id = :call_id AND state = 'asked';

-- name: call_of_job
-- The call that a job belongs to: by the job's id, or the open one whose answer never came.
SELECT id, asked_at FROM realtime_calls
 WHERE account_id = :account_id AND (job_id = :job_id OR (job_id IS NULL AND state = 'asked'))
 ORDER BY (job_id = :job_id) DESC NULLS LAST, asked_at DESC LIMIT 1;

-- name: knows_job
-- Whether an earlier call had this job: inside five minutes Mono names the last one again.
SELECT EXISTS (SELECT FROM realtime_calls WHERE account_id = :account_id AND job_id = :job_id AND id <> :call_id) AS known;

-- name: end_call
-- Ends a call and gives back what it did not cost. Again only where it was not known yet whether there were new data.
WITH before AS (
  SELECT id, month, coalesce(charged_ngn, reserved_ngn) AS counted_ngn FROM realtime_calls
   WHERE id = :call_id AND (ended_at IS NULL OR (has_new_data IS NULL AND :has_new_data::boolean IS NOT NULL)) FOR UPDATE
),
ended AS (
  UPDATE realtime_calls c
     SET state = :state, charged_ngn = :charged_ngn, has_new_data = :has_new_data, reason = :reason,
         job_id = coalesce(c.job_id, :job_id), ended_at = coalesce(c.ended_at, pipeline_now())
    FROM before WHERE c.id = before.id
  RETURNING before.month, before.counted_ngn - c.charged_ngn AS unspent_ngn
),
refunded AS (
  UPDATE realtime_spend s SET spent_ngn = s.spent_ngn - ended.unspent_ngn FROM ended WHERE s.month = ended.month
)
SELECT count(*) AS ended FROM ended;

-- name: note_fresh
-- Mono has confirmed the bank's data as of an instant. It only rises. Where it is known when the bank was asked, the link is known
-- to have worked then, and what needed the customer before that no longer does.
UPDATE bank_accounts
   SET fresh_as_of = greatest(fresh_as_of, coalesce(:as_of::timestamptz, pipeline_now())),
       link_proven_at = CASE WHEN :proves THEN greatest(link_proven_at, coalesce(:as_of::timestamptz, pipeline_now()))
                             ELSE link_proven_at END,
       link_status = CASE WHEN link_status = 'reauth_required' AND :proves
                          THEN link_status_of(reauth_required_at, greatest(link_proven_at, coalesce(:as_of::timestamptz, pipeline_now())))
                          ELSE link_status END
 WHERE id = :account_id;

-- name: note_reauthorisation_required
-- The bank asks for the customer, unless the link is known to have worked since.
UPDATE bank_accounts
   SET reauth_required_at = greatest(reauth_required_at, coalesce(:as_of::timestamptz, pipeline_now())),
       link_status = CASE WHEN link_status IN ('linked', 'reauth_required')
                          THEN link_status_of(greatest(reauth_required_at, coalesce(:as_of::timestamptz, pipeline_now())), link_proven_at)
                          ELSE link_status END
 WHERE id = :account_id;

-- name: take_polls
-- Open calls whose time to be looked at has come, each moved on so that no other tick looks at it too.
WITH due AS (
  SELECT id FROM realtime_calls
   WHERE ended_at IS NULL AND poll_at <= pipeline_now() AND account_id IS NOT NULL
     AND (:only::bigint IS NULL OR account_id = :only::bigint)
   ORDER BY poll_at LIMIT :limit FOR UPDATE SKIP LOCKED
)
UPDATE realtime_calls c SET polled_at = pipeline_now(), poll_at = pipeline_now() + make_interval(secs => :poll_seconds)
  FROM due, bank_accounts a WHERE c.id = due.id AND a.id = c.account_id
RETURNING c.id, c.account_id, c.job_id, a.mono_account_id, a.first_mono_account_id, a.mono_customer_id, c.correlation_id,
          c.asked_at <= pipeline_now() - make_interval(secs => :lost_seconds) AS lost;

-- name: daily_accounts
-- Accounts whose daily call is due, the longest waiting first; whoever makes it reserves it.
SELECT id, mono_account_id, first_mono_account_id, mono_customer_id FROM bank_accounts
 WHERE realtime = 'daily' AND link_status <> 'unlinked'
   AND (realtime_asked_at IS NULL OR realtime_asked_at <= pipeline_now() - make_interval(secs => :day_seconds))
   AND NOT (id = ANY (:left_out::bigint[]))
 ORDER BY realtime_asked_at NULLS FIRST, id LIMIT :limit;

-- name: set_policy
UPDATE bank_accounts SET realtime = :policy, realtime_off_reason = NULL WHERE id = :account_id;

-- name: turn_off
UPDATE bank_accounts SET realtime = 'never', realtime_off_reason = :reason WHERE id = :account_id AND realtime <> 'never';

-- name: newest_call
-- The account's last call, as people ask for it, and what the month has cost.
SELECT c.state, c.job_id, c.asked_at, c.polled_at, c.ended_at, c.has_new_data, c.charged_ngn, c.reserved_ngn, c.reason
FROM realtime_calls c WHERE c.account_id = :account_id ORDER BY c.asked_at DESC, c.id DESC LIMIT 1;
