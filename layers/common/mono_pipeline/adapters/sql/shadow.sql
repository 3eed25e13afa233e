-- name: shadow_rows
-- What landing the rows of a few pages would do, told and not done: the same rows as a flush makes of them, against the stored
-- ones. Returns counts, the ids as hashes, the first day on which a stored row's money would change, and the first :most rows
-- that would change, with both sides. Nothing is written.
WITH
-- with: flush.incoming
compared AS MATERIALIZED (
  SELECT i.id, i.id_hash, t.id IS NULL AS is_new, t.disappeared_at IS NOT NULL AS comes_back, i.booking_date,
         least(i.booking_date, t.booking_date) AS day, t.occurred_at IS DISTINCT FROM i.occurred_at AS moved,
         t.extra IS DISTINCT FROM i.extra AS extra_differs,
         (t.amount_minor, t.direction, t.currency, t.booking_date) IS DISTINCT FROM (i.amount, i.type, i.currency, i.booking_date)
           AS money_differs,
         (SELECT coalesce(jsonb_object_agg(f.name, jsonb_build_object('bank', f.bank, 'stored', f.stored)), '{}')
            FROM (VALUES ('amount_minor', to_jsonb(i.amount), to_jsonb(t.amount_minor)),
                         ('direction', to_jsonb(i.type), to_jsonb(t.direction)),
                         ('currency', to_jsonb(i.currency), to_jsonb(t.currency)),
                         ('narration', to_jsonb(i.narration), to_jsonb(t.narration)),
                         ('category', to_jsonb(i.category), to_jsonb(t.category)),
                         ('balance_after_minor', to_jsonb(i.balance), to_jsonb(t.balance_after_minor)),
                         ('booking_date', to_jsonb(i.booking_date), to_jsonb(t.booking_date))) AS f (name, bank, stored)
           WHERE f.bank IS DISTINCT FROM f.stored) AS fields
  FROM incoming i
  LEFT JOIN LATERAL (
    SELECT id, disappeared_at, amount_minor, direction, currency, narration, category, balance_after_minor, occurred_at,
           booking_date, extra
    FROM bank_transactions WHERE account_id = :account_id AND mono_transaction_id = i.id
    ORDER BY account_id, mono_transaction_id LIMIT 1
  ) t ON true
),
changed AS (
  SELECT * FROM compared WHERE NOT is_new AND (comes_back OR moved OR extra_differs OR fields <> '{}')
)
SELECT (SELECT coalesce(array_agg(id_hash), '{}') FROM compared) AS ids,
       (SELECT count(*) FROM compared WHERE is_new) AS inserted,
       (SELECT count(*) FROM changed) AS updated,
       (SELECT min(day) FROM changed WHERE money_differs AND NOT comes_back) AS first_bad_day,
       (SELECT coalesce(jsonb_agg(jsonb_build_object('day', day, 'id', id, 'fault', 'differs', 'fields', fields)), '[]')
          FROM (SELECT * FROM changed WHERE fields <> '{}' ORDER BY day, id LIMIT :most) c) AS rows;

-- name: shadow_absent
-- The live rows of the days that a reading covers which it did not show: how many, and how many of them are old sides of open
-- suspicions; and how many live rows the account has in all.
SELECT count(*) FILTER (WHERE absent) AS absent, count(*) FILTER (WHERE absent AND suspected) AS suspected, count(*) AS stored
FROM (
  SELECT t.booking_date BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity')
           AND NOT EXISTS (SELECT FROM unnest(:ids::bigint[]) AS shown (id_hash)
                            WHERE shown.id_hash = hashtextextended(t.mono_transaction_id, 0)) AS absent,
         EXISTS (SELECT FROM duplicate_suspicions d WHERE d.account_id = t.account_id AND d.old_id = t.mono_transaction_id
                    AND d.status = 'open') AS suspected
  FROM bank_transactions t WHERE t.account_id = :account_id AND t.disappeared_at IS NULL
) each_row;

-- name: rows_outside
SELECT count(*) AS rows FROM bank_transactions
WHERE account_id = :account_id AND disappeared_at IS NULL
  AND booking_date NOT BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity');
