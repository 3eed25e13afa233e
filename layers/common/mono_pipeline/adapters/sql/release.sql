-- name: begin_release
-- One release is open at a time: no row where another one is, or where the id is taken.
INSERT INTO releases (id, actor, version, reason) VALUES (:id, :actor, :version, :reason)
ON CONFLICT DO NOTHING
RETURNING id, began_at, actor, version, reason, status;

-- name: record_event
INSERT INTO release_events (release_id, actor, kind, detail) VALUES (:release_id, :actor, :kind, :detail::jsonb)
RETURNING id, at, actor, kind, detail;

-- name: show_release
SELECT id, began_at, actor, version, reason, status FROM releases WHERE id = :id;

-- name: open_release
SELECT id, began_at, actor, version, reason, status FROM releases WHERE status = 'open';

-- name: newest_releases
SELECT id, began_at, actor, version, reason, status FROM releases ORDER BY began_at DESC, id LIMIT :limit;

-- name: release_events
SELECT id, at, actor, kind, detail FROM release_events WHERE release_id = :release_id AND id > :after ORDER BY id LIMIT :limit;

-- part: names_of_account
a.mono_account_id, a.first_mono_account_id,
       ARRAY (SELECT l.mono_account_id FROM account_aliases l WHERE l.account_id = a.id) AS former

-- name: pipeline_clock
SELECT pipeline_now() AS now;

-- name: ended_runs
-- Runs that ended since :from; `inside` are those of the window, the others were before it. A run of older code did not keep how long it
-- waited for Mono: the whole of it counts. How old the bank's own data are is of now.
SELECT r.kind, r.status, r.verdict, r.error_code, r.rows_seen, r.finished_at >= :since::timestamptz AS inside,
       coalesce(r.fetch_seconds, extract(epoch FROM r.finished_at - r.started_at)::float8) AS seconds,
       extract(epoch FROM pipeline_now() - a.fresh_as_of)::float8 AS bank_data_seconds,
-- with: names_of_account
FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
WHERE r.finished_at >= :from::timestamptz AND r.started_at IS NOT NULL;

-- name: raised_suspicions
SELECT count(*) AS raised,
-- with: names_of_account
FROM duplicate_suspicions d JOIN bank_accounts a ON a.id = d.account_id
WHERE d.raised_at >= :since::timestamptz GROUP BY a.id;

-- name: accounts_by_name
-- A page of accounts that can be read, for whom the flag is asked one by one.
SELECT a.id,
-- with: names_of_account
FROM bank_accounts a
WHERE a.id > :after AND a.link_status IN ('linked', 'reauth_required') ORDER BY a.id LIMIT :limit;

-- name: how_accounts_stand
SELECT a.mono_account_id AS account_id, a.link_status, a.last_success_at, a.fresh_as_of, r.status, r.verdict, r.verdict_reason,
       r.error_code, r.finished_at
FROM bank_accounts a
LEFT JOIN LATERAL (SELECT * FROM sync_runs r WHERE r.account_id = a.id ORDER BY r.requested_at DESC LIMIT 1) r ON true
WHERE a.mono_account_id = ANY (:accounts::text[]) ORDER BY a.mono_account_id;

-- name: started_runs
-- What began after an instant, and how many are at work now.
SELECT pipeline_now() AS now, count(*) FILTER (WHERE r.started_at > :since::timestamptz) AS started,
       max(r.started_at) FILTER (WHERE r.started_at > :since::timestamptz) AS last_started_at,
       (SELECT count(*) FROM bank_accounts WHERE lease_until > pipeline_now()) AS working,
       (SELECT count(*) FROM sync_runs WHERE status = 'running' AND started_at IS NULL) AS waiting
FROM sync_runs r WHERE r.started_at > :since::timestamptz;
