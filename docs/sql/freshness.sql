-- How old the bank's data are (fresh_as_of: Mono has confirmed them) and how long our last success is ago, oldest first.
-- A successful run of an account whose link is dead reads Mono's old copy: that is why both are shown.
SELECT mono_account_id,
       link_status,
       fresh_as_of,
       date_trunc('minute', now() - fresh_as_of)     AS bank_data_age,
       last_success_at,
       date_trunc('minute', now() - last_success_at) AS last_success_age,
       watermark,
       next_attempt_at
FROM bank_accounts
WHERE link_status <> 'unlinked'
ORDER BY fresh_as_of NULLS FIRST, last_success_at NULLS FIRST, mono_account_id;
