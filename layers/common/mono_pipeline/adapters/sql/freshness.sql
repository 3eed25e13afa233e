-- name: take_stale
-- Accounts of which Mono has confirmed nothing for longer than their SLO and of which nobody was told of this breach, or not for a
-- day; each marked as told. An account that was never confirmed counts from when it became known here.
WITH stale AS (
  SELECT a.id FROM bank_accounts a,
         LATERAL (SELECT coalesce(a.fresh_as_of, a.created_at)
                         + make_interval(hours => coalesce(a.freshness_slo_hours, :slo_hours::int)) AS stale_from) s
   WHERE a.link_status <> 'unlinked' AND s.stale_from < pipeline_now()
     AND (a.stale_told_at IS NULL OR a.stale_told_at < s.stale_from
          OR a.stale_told_at <= pipeline_now() - make_interval(secs => :again_seconds))
   ORDER BY a.stale_told_at NULLS FIRST, a.id LIMIT :limit FOR UPDATE OF a SKIP LOCKED
)
UPDATE bank_accounts a SET stale_told_at = pipeline_now() FROM stale WHERE a.id = stale.id
RETURNING a.mono_account_id, a.fresh_as_of, a.link_status, a.realtime, coalesce(a.freshness_slo_hours, :slo_hours::int) AS slo_hours,
          (extract(epoch FROM pipeline_now() - coalesce(a.fresh_as_of, a.created_at)) / 3600)::float8 AS hours_old;

-- name: count_stale
SELECT count(*) AS accounts FROM bank_accounts a
 WHERE a.link_status <> 'unlinked'
   AND coalesce(a.fresh_as_of, a.created_at) + make_interval(hours => coalesce(a.freshness_slo_hours, :slo_hours::int)) < pipeline_now();

-- name: set_slo
-- Null: the setting's hours again.
UPDATE bank_accounts SET freshness_slo_hours = :slo_hours WHERE id = :account_id;
