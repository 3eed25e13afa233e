-- name: retention_rules
-- What is kept for a time, and for how many days.
SELECT what, round(extract(epoch FROM keep) / 86400)::int AS days FROM retention ORDER BY what;

-- name: forget_past
-- The oldest rows of one kind that are past their time, at most `most`; how many there were.
SELECT forget_past(:what, :most::int) AS gone;

-- name: erase_account
-- By its present Mono id or a former one; no row where there is no such account, the first erasure's where it was erased before.
SELECT erasure_id, erased_at, erased_by, reason, transactions, versions, quarantined
FROM erase_account(:account, :actor, :reason);
