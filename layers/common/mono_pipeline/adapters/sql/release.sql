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
