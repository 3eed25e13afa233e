-- Rows, credits, debits and net of each account and booking day, of the last 30 days, in major units: to be held against the
-- bank's own statement. Rows that the bank no longer shows, and new ids that may be doubles, do not count.
SELECT mono_account_id,
       booking_date,
       currency,
       count(*)                                                               AS rows,
       coalesce(sum(amount) FILTER (WHERE transaction_type = 'credit'), 0)    AS credits,
       coalesce(sum(amount) FILTER (WHERE transaction_type = 'debit'), 0)     AS debits,
       sum(CASE transaction_type WHEN 'credit' THEN amount ELSE -amount END)  AS net
FROM canonical_bank_transactions
WHERE booking_date > (now() AT TIME ZONE 'Africa/Lagos')::date - 30
GROUP BY mono_account_id, booking_date, currency
ORDER BY mono_account_id, booking_date;
