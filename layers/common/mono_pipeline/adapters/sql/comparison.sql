-- name: differing_rows
-- The rows that make days differ: those that Mono shows (:rows, pages as they come) against the stored ones, joined by id, so
-- that a row on another day is one row that differs and not a missing and an extra one. Ids set aside are not decided on.
-- Returns the first :most, each with the number of them all.
WITH bank AS MATERIALIZED (
  SELECT DISTINCT ON (r.id) r.id, r.amount, r.type, coalesce(r.currency, :currency) AS currency, r.narration, r.category, r.balance,
         r.date::timestamptz AS occurred_at, lagos_date(r.date::timestamptz) AS booking_date
  FROM json_to_recordset(:rows::json) AS r (id text, amount bigint, type text, currency text, narration text, category text,
                                            balance bigint, date text)
  ORDER BY r.id
),
stored AS MATERIALIZED (
  SELECT * FROM bank_transactions
  WHERE account_id = :account_id AND disappeared_at IS NULL AND mono_transaction_id <> ALL (:set_aside::text[])
    AND (booking_date = ANY (:days::date[]) OR mono_transaction_id IN (SELECT id FROM bank))
),
pairs AS (
  SELECT least(CASE WHEN b.booking_date = ANY (:days::date[]) THEN b.booking_date END,
               CASE WHEN s.booking_date = ANY (:days::date[]) THEN s.booking_date END) AS day,
         coalesce(b.id, s.mono_transaction_id) AS mono_transaction_id,
         CASE WHEN s.id IS NULL THEN 'missing' WHEN b.id IS NULL THEN 'extra' ELSE 'differs' END AS fault,
         (SELECT jsonb_object_agg(f.name, jsonb_build_object('bank', f.bank, 'stored', f.stored))
            FROM (VALUES ('amount_minor', to_jsonb(b.amount), to_jsonb(s.amount_minor)),
                         ('direction', to_jsonb(b.type), to_jsonb(s.direction)),
                         ('currency', to_jsonb(b.currency), to_jsonb(s.currency)),
                         ('narration', to_jsonb(b.narration), to_jsonb(s.narration)),
                         ('category', to_jsonb(b.category), to_jsonb(s.category)),
                         ('balance_after_minor', to_jsonb(b.balance), to_jsonb(s.balance_after_minor)),
                         ('booking_date', to_jsonb(b.booking_date), to_jsonb(s.booking_date))) AS f (name, bank, stored)
           WHERE f.bank IS DISTINCT FROM f.stored) AS fields
  FROM bank b FULL JOIN stored s ON s.mono_transaction_id = b.id
)
SELECT day, mono_transaction_id, fault, fields, count(*) OVER () AS total
FROM pairs WHERE day IS NOT NULL AND fields IS NOT NULL
ORDER BY day, mono_transaction_id LIMIT :most;

-- name: keep_discrepancy
UPDATE sync_runs SET mismatch = :mismatch::jsonb WHERE run_id = :run_id;
