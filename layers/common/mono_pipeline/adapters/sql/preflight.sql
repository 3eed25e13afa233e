-- name: connection
-- Who is connected to what, and whether PostgreSQL sees TLS on the way to whoever connected to it.
SELECT current_user AS role, current_setting('server_version') AS server, coalesce(s.ssl, false) AS tls, s.version AS tls_version
FROM (SELECT pg_backend_pid() AS pid) me LEFT JOIN pg_stat_ssl s USING (pid);

-- name: arrival
-- What came of an event of Mono's, by its id; no row while it has not come.
SELECT effect, deliveries, extract(epoch FROM recorded_at - received_at)::float8 AS seconds
FROM webhook_inbox WHERE event_key = :event_key;
