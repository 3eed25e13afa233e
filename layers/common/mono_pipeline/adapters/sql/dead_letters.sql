-- name: unsent_letters
-- Accounts that became dead letters a while ago, and whose message nobody has noted as sent.
SELECT a.mono_account_id AS account_id, r.run_id, r.correlation_id, r.error_code, a.failure_streak AS streak
FROM bank_accounts a JOIN sync_runs r ON r.run_id = a.dead_letter_run
WHERE a.dead_lettered_at < pipeline_now() - make_interval(secs => :quiet_seconds) AND a.dead_letter_sent_at IS NULL
ORDER BY a.dead_lettered_at LIMIT :limit;

-- name: note_sent
-- The queue has the message of this run; of an account that was replayed meanwhile there is nothing to note.
UPDATE bank_accounts SET dead_letter_sent_at = pipeline_now() WHERE dead_letter_run = :run_id;

-- name: begin_action
-- The first invocation of an action writes it down; a later one finds it.
INSERT INTO dead_letter_actions
  (action_id, action, dry_run, forced, filter, most, per_second, asked_by, correlation_id, expected)
VALUES (:action_id, :action, :dry_run, :forced, :filter::jsonb, :most, :per_second, :asked_by, :correlation_id, :expected)
ON CONFLICT (action_id) DO NOTHING;

-- name: show_action
SELECT action_id, action, dry_run, forced, filter, most, per_second, asked_by, correlation_id, started_at, finished_at,
       refused, expected, seen, pipeline_now() AS now
FROM dead_letter_actions WHERE action_id = :action_id;

-- name: forget_decisions
-- The single messages of actions of more than a month ago; the actions themselves stay.
DELETE FROM dead_letter_decisions d USING dead_letter_actions a
 WHERE d.action_id = a.action_id AND a.finished_at < pipeline_now() - interval '30 days';

-- name: standings
-- The accounts of letters by the ids that the letters have, former ids included, with how the newest run of each ended.
SELECT asked.id AS asked_id, a.id, a.mono_account_id, a.first_mono_account_id, a.link_status,
       -- what this action has counted already is its own replay, not one before it
       a.dead_letter_replays - (a.dead_letter_action IS NOT DISTINCT FROM :action_id AND a.dead_letter_replays > 0)::int AS replays,
       r.run_id AS last_run_id,
       CASE r.status WHEN 'running' THEN 'unfinished'
                     ELSE coalesce(r.error_code, r.verdict_reason, r.verdict, r.status, 'never_run') END AS last_error
FROM unnest(:mono_account_ids::text[]) AS asked (id)
JOIN bank_accounts a ON a.mono_account_id = asked.id
  OR a.id = (SELECT account_id FROM account_aliases WHERE mono_account_id = asked.id)
LEFT JOIN LATERAL (
  SELECT * FROM sync_runs r WHERE r.account_id = a.id ORDER BY r.requested_at DESC LIMIT 1
) r ON true;

-- name: decided
-- What was decided before: by this action, or by any other that took the message off and was cut short before it was gone.
SELECT d.message_id, d.outcome, bool_or(d.action_id = :action_id) AS by_this
FROM dead_letter_decisions d JOIN dead_letter_actions a ON a.action_id = d.action_id
WHERE d.message_id = ANY (:message_ids::text[])
  AND (d.action_id = :action_id OR (NOT a.dry_run AND d.outcome = ANY (:takes_off::text[])))
GROUP BY d.message_id, d.outcome;

-- name: decide
INSERT INTO dead_letter_decisions
  (action_id, message_id, type, account_id, correlation_id, run_id, reason, receives, replays, outcome, sent_at, receipt)
SELECT :action_id, message_id, type, account_id, correlation_id, run_id, reason, receives, replays, outcome, sent_at, receipt
FROM json_to_recordset(:letters::json) AS l (message_id text, type text, account_id text, correlation_id text, run_id text,
  reason text, receives int, replays int, outcome text, sent_at timestamptz, receipt text)
ON CONFLICT (action_id, message_id) DO NOTHING;

-- name: take_hidden
-- Messages that an action has left where they are and has not shown to others again, each once.
UPDATE dead_letter_decisions d SET receipt = NULL
  FROM (SELECT message_id, receipt FROM dead_letter_decisions
        WHERE action_id = :action_id AND receipt IS NOT NULL LIMIT :limit) AS hidden
 WHERE d.action_id = :action_id AND d.message_id = hidden.message_id
RETURNING d.message_id, hidden.receipt;

-- name: count_seen
UPDATE dead_letter_actions SET seen = seen + :messages WHERE action_id = :action_id;

-- name: archive
-- Twice the same message is once in the archive: what was cut short before the deletion is archived already.
INSERT INTO dead_letter_archive
  (message_id, type, account_id, reason, correlation_id, body, body_length, receives, replays, sent_at, archived_as, action_id)
SELECT message_id, type, account_id, reason, correlation_id, body, body_length, receives, replays, sent_at, outcome, :action_id
FROM json_to_recordset(:letters::json) AS l (message_id text, type text, account_id text, reason text, correlation_id text,
  body text, body_length bigint, receives int, replays int, sent_at timestamptz, outcome text)
ON CONFLICT (message_id) DO NOTHING;

-- name: request_replays
-- Asks for a run of each account where none is open, ends its being a dead letter, and counts the replay once an action. An
-- account's open run is what its message was for: it goes on. Returns what to wake, and on which queue.
WITH asked AS (
  SELECT * FROM json_to_recordset(:accounts::json) AS a (id bigint, run_id uuid, correlation_id text)
),
locked AS (
  SELECT a.id, asked.run_id, asked.correlation_id,
         CASE WHEN a.deep_read_due_at <= pipeline_now() THEN 'full' ELSE 'incremental' END AS kind
  FROM bank_accounts a JOIN asked ON asked.id = a.id
  ORDER BY a.id FOR UPDATE OF a
),
open_runs AS (
  SELECT DISTINCT ON (r.account_id) r.account_id, r.kind FROM sync_runs r JOIN locked ON locked.id = r.account_id
  WHERE r.status = 'running' ORDER BY r.account_id, r.started_at NULLS LAST, r.requested_at, r.run_id
),
requested AS (
  INSERT INTO sync_runs (run_id, account_id, kind, requested_by, correlation_id)
  SELECT l.run_id, l.id, l.kind, :requested_by, l.correlation_id FROM locked l
  WHERE NOT EXISTS (SELECT FROM open_runs o WHERE o.account_id = l.id)
),
woken AS (
  UPDATE sync_runs r SET woken_at = pipeline_now() FROM open_runs o WHERE r.account_id = o.account_id AND r.status = 'running'
)
UPDATE bank_accounts a
   SET dead_lettered_at = NULL, dead_letter_run = NULL, dead_letter_sent_at = NULL,
       dead_letter_replays = a.dead_letter_replays + (a.dead_letter_action IS DISTINCT FROM :action_id OR a.dead_letter_replays = 0)::int,
       dead_letter_action = :action_id
  FROM locked l LEFT JOIN open_runs o ON o.account_id = l.id
 WHERE a.id = l.id
RETURNING a.id, a.mono_account_id, a.mono_customer_id, coalesce(o.kind, l.kind) AS kind, l.correlation_id,
  a.dead_letter_replays AS replays;

-- name: finish_action
UPDATE dead_letter_actions a
   SET finished_at = coalesce(finished_at, pipeline_now()), refused = :refused,
       outcomes = (SELECT coalesce(jsonb_object_agg(outcome, messages), '{}')
                   FROM (SELECT outcome, count(*) AS messages FROM dead_letter_decisions d
                         WHERE d.action_id = a.action_id GROUP BY outcome) AS counted)
 WHERE action_id = :action_id;

-- name: groups
-- What an action found, the largest groups first.
SELECT type, reason, outcome, count(*) AS messages, count(DISTINCT account_id) AS accounts,
       min(sent_at) AS oldest, max(sent_at) AS newest
FROM dead_letter_decisions WHERE action_id = :action_id AND outcome <> :not_matched
GROUP BY type, reason, outcome ORDER BY messages DESC, type, reason, outcome LIMIT :limit;

-- name: outcomes
SELECT outcome, count(*) AS messages, count(DISTINCT account_id) AS accounts
FROM dead_letter_decisions WHERE action_id = :action_id GROUP BY outcome ORDER BY outcome;

-- name: letters
-- The oldest first.
SELECT message_id, type, account_id, correlation_id, run_id, reason, receives, replays, outcome, sent_at
FROM dead_letter_decisions WHERE action_id = :action_id AND outcome <> :not_matched
ORDER BY sent_at, message_id LIMIT :limit;

-- name: provider_pause
-- Nobody may call Mono, or only a probe may: the circuit is open.
SELECT greatest(0, extract(epoch FROM coalesce(paused_until, probe_until) - pipeline_now()))::float8 AS seconds,
       coalesce(pause_reason, open_reason) AS reason
FROM provider_budget WHERE provider = 'mono' AND (paused_until > pipeline_now() OR opened_at IS NOT NULL);

-- name: quarantine_message
-- A message that nobody can read, once, however often it is delivered.
INSERT INTO quarantined_messages AS q (message_id, queue, reason, body, body_length, receives, sent_at)
VALUES (:message_id, :queue, :reason, :body, :body_length, :receives, :sent_at::timestamptz)
ON CONFLICT (message_id) DO UPDATE SET receives = greatest(q.receives, excluded.receives);
