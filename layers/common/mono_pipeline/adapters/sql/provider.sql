-- name: take_tokens
-- Up to :wanted tokens of the shared bucket, or none and how long to wait. Refill and take are one statement, so all workers
-- together never take more than burst + rate x time. While the provider is paused there are none.
WITH bucket AS (
  SELECT provider, paused_until, pause_reason, pipeline_now() AS now,
         least(:burst::float8, tokens + :per_second::float8 * greatest(0, extract(epoch FROM pipeline_now() - refilled_at))) AS level
  FROM provider_budget WHERE provider = 'mono' FOR UPDATE
),
grant_ AS (
  SELECT *, CASE WHEN paused_until > now THEN 0 ELSE least(:wanted::int, floor(level)::int) END AS granted FROM bucket
)
UPDATE provider_budget b
   SET tokens = g.level - g.granted,
       -- never back: a clock that was set back would refill the same minutes twice
       refilled_at = greatest(b.refilled_at, g.now),
       paused_until = CASE WHEN g.paused_until > g.now THEN g.paused_until END,
       pause_reason = CASE WHEN g.paused_until > g.now THEN g.pause_reason END
  FROM grant_ g WHERE b.provider = g.provider
RETURNING g.granted,
  CASE WHEN g.granted > 0 THEN 0
       WHEN g.paused_until > g.now THEN extract(epoch FROM g.paused_until - g.now)
       ELSE (1 - g.level) / :per_second::float8 END::float8 AS wait_seconds,
  CASE WHEN g.paused_until > g.now THEN g.pause_reason END AS pause_reason;

-- name: return_tokens
UPDATE provider_budget SET tokens = tokens + :unused WHERE provider = 'mono';

-- name: pause_provider
-- Nobody calls before this ends; a longer pause is never shortened.
UPDATE provider_budget
   SET paused_until = greatest(paused_until, pipeline_now() + make_interval(secs => :seconds)), pause_reason = :reason
 WHERE provider = 'mono'
RETURNING paused_until;
