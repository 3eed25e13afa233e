-- Rows that the bank no longer shows, by evidence of two independent readings; newest first. They are kept, and come back if
-- the bank shows them again.
SELECT a.mono_account_id,
       t.mono_transaction_id,
       t.booking_date,
       t.direction,
       round(t.amount_minor / 100.0, 2) AS amount,
       t.currency,
       t.narration,
       t.disappeared_at
FROM bank_transactions t
JOIN bank_accounts a ON a.id = t.account_id
WHERE t.disappeared_at > now() - interval '30 days'
ORDER BY t.disappeared_at DESC, a.mono_account_id, t.mono_transaction_id;
