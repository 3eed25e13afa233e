-- Days of the last 90 that no complete run of an account has read, in stretches. Accounts that were never read have one stretch.
-- Days before an account's first transaction are read like any other: a full history covers them all.
WITH unread AS (
  SELECT a.mono_account_id, d.day::date AS day
  FROM bank_accounts a,
       generate_series((now() AT TIME ZONE 'Africa/Lagos')::date - 90, (now() AT TIME ZONE 'Africa/Lagos')::date - 1, interval '1 day') AS d (day)
  WHERE a.link_status <> 'unlinked'
    AND NOT EXISTS (SELECT FROM coverage_ledger l WHERE l.account_id = a.id AND d.day::date BETWEEN l.first_day AND l.last_day)
),
stretches AS (
  SELECT *, day - (row_number() OVER (PARTITION BY mono_account_id ORDER BY day))::int AS stretch FROM unread
)
SELECT mono_account_id, min(day) AS first_day, max(day) AS last_day, count(*) AS days
FROM stretches
GROUP BY mono_account_id, stretch
ORDER BY mono_account_id, first_day;
