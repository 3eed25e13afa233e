-- name: take_tokens
-- Up to :wanted tokens of the shared bucket, or none and how long to wait. :unused ones of an earlier block go back first. Refill
-- and take are one statement over one reading of the clock, so all workers together never take more than burst + rate x time;
-- whoever leaves a :reserve takes only what is above it. While the provider is paused there are none; while the circuit is open,
-- one for one probe at a time, and for who is :probing.
-- plan: kept
WITH bucket AS (
  SELECT b.*, clock.now,
         least(:burst::float8, b.tokens + :unused::int + :per_second::float8 * greatest(0, extract(epoch FROM clock.now - b.refilled_at)))
           AS level
  FROM provider_budget b, (SELECT pipeline_now() AS now) clock WHERE b.provider = 'mono' FOR UPDATE OF b
),
door AS (
  SELECT *, CASE WHEN paused_until > now THEN paused_until
                 WHEN opened_at IS NOT NULL AND probe_until > now AND NOT :probing::boolean THEN probe_until END AS shut_until
  FROM bucket
),
grant_ AS (
  SELECT *, CASE WHEN shut_until IS NOT NULL THEN 0
                 WHEN opened_at IS NOT NULL THEN least(1, floor(level)::int)
                 ELSE least(:wanted::int, greatest(0, floor(level - :reserve::float8))::int) END AS granted
  FROM door
)
UPDATE provider_budget b
   SET tokens = g.level - g.granted,
       -- never back: a clock that was set back would refill the same minutes twice
       refilled_at = greatest(b.refilled_at, g.now),
       paused_until = CASE WHEN g.paused_until > g.now THEN g.paused_until END,
       pause_reason = CASE WHEN g.paused_until > g.now THEN g.pause_reason END,
       probe_until = CASE WHEN g.opened_at IS NULL THEN NULL
                          WHEN g.granted > 0 THEN g.now + make_interval(secs => :probe_seconds) ELSE g.probe_until END
  FROM grant_ g WHERE b.provider = g.provider
RETURNING g.granted,
  CASE WHEN g.granted > 0 THEN 0
       WHEN g.shut_until IS NOT NULL THEN extract(epoch FROM g.shut_until - g.now)
       ELSE (1 + CASE WHEN g.opened_at IS NULL THEN :reserve::float8 ELSE 0 END - g.level) / :per_second::float8 END::float8 AS wait_seconds,
  CASE WHEN g.paused_until > g.now THEN g.pause_reason WHEN g.shut_until IS NOT NULL THEN g.open_reason END AS shut_reason,
  g.granted > 0 AND g.opened_at IS NOT NULL AS probe, cardinality(g.failing_accounts) > 0 AS failing;

-- name: return_tokens
-- plan: kept
UPDATE provider_budget SET tokens = tokens + :unused WHERE provider = 'mono';

-- name: pause_provider
-- Nobody calls before this ends; a longer pause is never shortened.
UPDATE provider_budget
   SET paused_until = greatest(paused_until, pipeline_now() + make_interval(secs => :seconds)), pause_reason = :reason
 WHERE provider = 'mono'
RETURNING paused_until;

-- name: open_circuit
-- Nobody calls for :seconds, and after that one probe at a time until one succeeds.
UPDATE provider_budget
   SET opened_at = coalesce(opened_at, pipeline_now()), open_reason = :reason, probe_until = NULL,
       paused_until = greatest(paused_until, pipeline_now() + make_interval(secs => :seconds)), pause_reason = :reason
 WHERE provider = 'mono'
RETURNING opened_at;

-- name: close_circuit
-- A probe had an answer: everybody may call. A pause that Mono asked for meanwhile stays.
UPDATE provider_budget
   SET opened_at = NULL, open_reason = NULL, probe_until = NULL, failing_accounts = '{}'
 WHERE provider = 'mono'
RETURNING provider;

-- name: forget_failures
-- Somebody had an answer, so the failures so far were not everybody's. What is open stays so: that is for a probe to end.
UPDATE provider_budget SET failing_accounts = '{}'
 WHERE provider = 'mono' AND opened_at IS NULL AND failing_accounts <> '{}'
RETURNING provider;

-- name: note_failure
-- One more account finds Mono down. The same one twice is one: its own trouble shuts out nobody else.
UPDATE provider_budget
   SET failing_accounts = CASE WHEN :account_id::bigint = ANY (failing_accounts) THEN failing_accounts
                               ELSE failing_accounts || :account_id::bigint END
 WHERE provider = 'mono'
RETURNING cardinality(failing_accounts) AS failing;

-- name: circuit
-- Whether the circuit is open, and why.
SELECT open_reason FROM provider_budget WHERE provider = 'mono' AND opened_at IS NOT NULL;
