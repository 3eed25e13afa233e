-- part: incoming
-- The rows of a few pages, sorted by id; of one id the row read last counts. An instant is read from its text once.
clock AS MATERIALIZED (SELECT pipeline_now() AS now),
incoming AS MATERIALIZED (
 SELECT d.*, hashtextextended(d.id, 0) AS id_hash, lagos_date(d.occurred_at) AS booking_date FROM (
  SELECT DISTINCT ON (r.id)
         r.id, r.amount, r.type, coalesce(r.currency, :currency) AS currency, coalesce(r.narration, '') AS narration,
         r.category, r.balance, r.date::timestamptz AS occurred_at, r.date AS occurred_text, r.extra
  FROM ROWS FROM (json_to_recordset(:rows::json) AS (
         id text, amount bigint, type text, currency text, narration text, category text, balance bigint, date text,
         extra jsonb)) WITH ORDINALITY
       AS r (id, amount, type, currency, narration, category, balance, date, extra, position)
  ORDER BY r.id, r.position DESC
 ) d
),

-- part: digest
-- The flush's share of the pass's per-day digest and its counts for the run, in the statement of its rows, so that all are of one
-- commit and one round trip. Returns how many rows were inserted and updated.
days AS (
  SELECT booking_date, count(*) AS rows,
         coalesce(sum(amount) FILTER (WHERE type = 'credit'), 0) AS credits,
         coalesce(sum(amount) FILTER (WHERE type = 'debit'), 0)  AS debits,
         sum(transaction_weight(id, booking_date, amount, type)) AS weight
  FROM incoming GROUP BY booking_date
),
digest AS (
  INSERT INTO sync_flushes
    (run_id, pass, first_page, last_page, rows_read, lowest_total, highest_total, ids, rejected_ids, days, counts, credits,
     debits, weights, covered_rows, covered_weight, content, row_changes_before, row_changes_after)
  SELECT :run_id::uuid, :pass_number, :first_page, :last_page, :rows_read, :lowest_total, :highest_total,
         coalesce((SELECT array_agg(id_hash) FROM incoming), '{}'),
         (SELECT coalesce(array_agg(hashtextextended(key, 0)), '{}') FROM json_array_elements_text(:rejected::json) AS key),
         coalesce(array_agg(booking_date), '{}'), coalesce(array_agg(rows), '{}'), coalesce(array_agg(credits), '{}'),
         coalesce(array_agg(debits), '{}'), coalesce(array_agg(weight), '{}'),
         coalesce(sum(rows) FILTER (WHERE covered), 0), coalesce(sum(weight) FILTER (WHERE covered), 0),
         :content::bytea, :row_changes::bigint,
         :row_changes::bigint + (SELECT (inserted > 0)::int + (updated > 0)::int FROM written)
  FROM days, LATERAL (
    SELECT booking_date BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity')
  ) AS c (covered)
)
UPDATE sync_runs r
   SET rows_seen = rows_seen + :rows_read, rows_inserted = rows_inserted + w.inserted, rows_updated = rows_updated + w.updated,
       rows_unchanged = rows_unchanged + :rows_read - :quarantined - w.inserted - w.updated,
       rows_quarantined = rows_quarantined + :quarantined, pages_read = pages_read + :pages, mono_total = :mono_total
  FROM written w WHERE r.run_id = :run_id::uuid
RETURNING w.inserted, w.updated;

-- name: land_rows
-- Lands rows of a few pages: new ones are inserted, changed ones supersede a version, unchanged ones are not written at all.
-- A version begins where the one before it ends, never earlier: the clock may have been set back.
-- Stored rows are looked up one by one (LATERAL): joined freely, each flush would read the whole account. LIMIT 1 of a unique key
-- asks for a plain index scan; a bitmap for every single row takes a third longer.
WITH
-- with: incoming
compared AS MATERIALIZED (
  SELECT i.*, t.id AS stored_id,
         t.id IS NOT NULL AND (
           t.disappeared_at IS NOT NULL
           OR (t.amount_minor, t.direction, t.currency, t.narration, t.category, t.balance_after_minor, t.occurred_at, t.extra)
              IS DISTINCT FROM
              (i.amount, i.type, i.currency, i.narration, i.category, i.balance, i.occurred_at, i.extra)) AS changed
  FROM incoming i
  LEFT JOIN LATERAL (
    SELECT id, disappeared_at, amount_minor, direction, currency, narration, category, balance_after_minor, occurred_at, extra
    FROM bank_transactions WHERE account_id = :account_id AND mono_transaction_id = i.id
    ORDER BY account_id, mono_transaction_id LIMIT 1
  ) t ON true
),
superseded AS (
  INSERT INTO bank_transaction_versions
    (account_id, mono_transaction_id, version, amount_minor, direction, currency, narration, category, balance_after_minor,
     occurred_at, booking_date, occurred_text, extra, disappeared_at, changed_at, run_id, superseded_at, superseded_by)
  SELECT t.account_id, t.mono_transaction_id, t.version, t.amount_minor, t.direction, t.currency, t.narration, t.category,
         t.balance_after_minor, t.occurred_at, t.booking_date, t.occurred_text, t.extra, t.disappeared_at, t.changed_at,
         t.run_id, greatest(clock.now, t.changed_at), :run_id::uuid
  FROM clock, compared c JOIN bank_transactions t ON t.id = c.stored_id
  WHERE c.changed
),
inserted AS (
  INSERT INTO bank_transactions
    (account_id, mono_transaction_id, amount_minor, direction, currency, narration, category, balance_after_minor,
     occurred_at, booking_date, occurred_text, extra, changed_at, run_id)
  SELECT :account_id, c.id, c.amount, c.type, c.currency, c.narration, c.category, c.balance,
         c.occurred_at, c.booking_date, c.occurred_text, c.extra, clock.now, :run_id::uuid
  FROM clock, compared c WHERE c.stored_id IS NULL  -- in the order of `incoming`: by id
  RETURNING 1
),
updated AS (
  UPDATE bank_transactions t
     SET amount_minor = c.amount, direction = c.type, currency = c.currency, narration = c.narration,
         category = c.category, balance_after_minor = c.balance, occurred_at = c.occurred_at,
         booking_date = c.booking_date, occurred_text = c.occurred_text, extra = c.extra, disappeared_at = NULL,
         version = t.version + 1, changed_at = greatest(clock.now, t.changed_at), run_id = :run_id::uuid
    FROM clock, compared c WHERE t.id = c.stored_id AND c.changed
  RETURNING 1
),
written AS (SELECT (SELECT count(*) FROM inserted) AS inserted, (SELECT count(*) FROM updated) AS updated),
-- with: digest

-- name: land_first_rows
-- The same for an account of which nothing is stored yet, without looking: a row that is there after all is refused by the
-- unique key, and nothing is written.
-- plan: kept
WITH
-- with: incoming
inserted AS (
  INSERT INTO bank_transactions
    (account_id, mono_transaction_id, amount_minor, direction, currency, narration, category, balance_after_minor,
     occurred_at, booking_date, occurred_text, extra, changed_at, run_id)
  SELECT :account_id, i.id, i.amount, i.type, i.currency, i.narration, i.category, i.balance,
         i.occurred_at, i.booking_date, i.occurred_text, i.extra, clock.now, :run_id::uuid
  FROM clock, incoming i
  RETURNING 1
),
written AS (SELECT count(*) AS inserted, 0::bigint AS updated FROM inserted),
-- with: digest

-- name: recognise_rows
-- Lands rows that stand as they are since the last complete pass: text for text what that pass landed, and no statement has
-- changed a row of the account since. Their digest is copied, no row is looked at. Returns no row where that is not so.
-- plan: kept
WITH digest AS (
  INSERT INTO sync_flushes
    (run_id, pass, first_page, last_page, rows_read, lowest_total, highest_total, ids, rejected_ids, days, counts, credits,
     debits, weights, covered_rows, covered_weight, content, row_changes_before, row_changes_after)
  SELECT :run_id::uuid, :pass_number, :first_page, :last_page, :rows_read, :lowest_total, :highest_total,
         l.ids, '{}', l.days, l.counts, l.credits, l.debits, l.weights, c.rows, c.weight, l.content, l.row_changes, l.row_changes
  FROM landed_flushes l, LATERAL (
    SELECT coalesce(sum(d.rows), 0) AS rows, coalesce(sum(d.weight), 0) AS weight
    FROM unnest(l.days, l.counts, l.weights) AS d (day, rows, weight)
    WHERE d.day BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity')
  ) c
  WHERE l.account_id = :account_id AND l.content = :content::bytea AND l.row_changes = :row_changes::bigint
  RETURNING 1
)
UPDATE sync_runs r
   SET rows_seen = rows_seen + :rows_read, rows_unchanged = rows_unchanged + :rows_read, pages_read = pages_read + :pages,
       mono_total = :mono_total
  FROM digest WHERE r.run_id = :run_id::uuid
RETURNING 0 AS inserted, 0 AS updated;

-- name: remember_landed
-- Keeps what a complete pass landed, when nobody but the pass wrote to the account from its first flush to its last: each flush
-- found the account's count as the one before it had left it. What was kept before and is void, or, after a reading of all there
-- is (:everything), not of this pass, goes.
-- plan: kept
WITH chain AS (
  SELECT content, row_changes_before, row_changes_after, lag(row_changes_after) OVER (ORDER BY first_page) AS left_by_the_last
  FROM sync_flushes WHERE run_id = :run_id::uuid AND pass = :pass_number
),
landed AS MATERIALIZED (
  SELECT coalesce(bool_and(row_changes_before IS NOT NULL AND coalesce(left_by_the_last = row_changes_before, true)), false)
           AS undisturbed,
         max(row_changes_after) AS row_changes
  FROM chain
),
void AS (
  DELETE FROM landed_flushes l USING landed
   WHERE l.account_id = :account_id AND (:everything::boolean OR l.row_changes IS DISTINCT FROM landed.row_changes)
     AND NOT EXISTS (SELECT FROM chain c WHERE c.content = l.content)
)
INSERT INTO landed_flushes AS l (account_id, content, row_changes, ids, days, counts, credits, debits, weights)
SELECT DISTINCT ON (f.content)
       :account_id, f.content, landed.row_changes, f.ids, f.days, f.counts, f.credits, f.debits, f.weights
FROM sync_flushes f, landed
WHERE f.run_id = :run_id::uuid AND f.pass = :pass_number AND landed.undisturbed AND f.content IS NOT NULL
  AND NOT EXISTS (SELECT FROM landed_flushes k
                   WHERE k.account_id = :account_id AND k.content = f.content AND k.row_changes = landed.row_changes)
ON CONFLICT (account_id, content) DO UPDATE SET row_changes = excluded.row_changes;

-- name: forget_landed
DELETE FROM landed_flushes WHERE account_id = :account_id;

-- name: quarantine
-- One open record for a row and reason, however often it is seen.
INSERT INTO quarantined_transactions AS q (account_id, run_id, mono_transaction_id, reason, payload)
SELECT DISTINCT ON (r.reason, r.payload) :account_id, :run_id::uuid, r.mono_transaction_id, r.reason, r.payload
FROM json_to_recordset(:rejected::json) AS r (mono_transaction_id text, reason text, payload text)
ON CONFLICT (account_id, payload_digest, reason) WHERE closed_at IS NULL
DO UPDATE SET times_seen = q.times_seen + 1, last_seen_at = pipeline_now();

-- name: close_quarantined
-- A good row with the same id, shown by this pass, answers the question that an earlier broken one left open. A stored row
-- is no answer: it may be older than the broken one. What a reading of all there is (:everything) shows neither broken nor good
-- is no longer the bank's, and nothing is left to ask.
-- plan: kept
UPDATE quarantined_transactions q SET closed_at = pipeline_now()
WHERE q.account_id = :account_id AND q.closed_at IS NULL
  AND q.last_seen_at < (SELECT started_at FROM sync_runs WHERE run_id = :run_id::uuid)
  AND (:everything::boolean
       OR EXISTS (SELECT FROM sync_flushes f WHERE f.run_id = :run_id::uuid AND f.pass = :pass_number
                    AND hashtextextended(q.mono_transaction_id, 0) = ANY (f.ids)));

-- name: pass_totals
-- What a pass read in all: rows as they came, distinct rows, and how far Mono's total moved meanwhile.
-- plan: kept
SELECT coalesce(sum(rows_read), 0) AS rows_read, min(lowest_total) AS lowest_total, max(highest_total) AS highest_total,
       (SELECT count(DISTINCT id) FROM sync_flushes f, unnest(f.ids || f.rejected_ids) AS id
         WHERE f.run_id = :run_id AND f.pass = :pass_number) AS distinct_rows,
       (SELECT max(day) FROM sync_flushes f, unnest(f.days) AS day WHERE f.run_id = :run_id AND f.pass = :pass_number) AS newest_day
FROM sync_flushes WHERE run_id = :run_id AND pass = :pass_number;

-- name: agrees
-- Whether a pass and the stored rows of the days it covers agree as a whole, and with it on every day.
-- plan: kept
SELECT (p.rows, p.weight) = (s.rows, s.weight) AS agrees
FROM (SELECT coalesce(sum(covered_rows), 0) AS rows, coalesce(sum(covered_weight), 0) AS weight
        FROM sync_flushes WHERE run_id = :run_id AND pass = :pass_number) p,
     (SELECT count(*) AS rows,
             coalesce(sum(transaction_weight(mono_transaction_id, booking_date, amount_minor, direction)), 0) AS weight
        FROM bank_transactions
       WHERE account_id = :account_id AND disappeared_at IS NULL
         AND booking_date BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity')) s;

-- name: differing_days
-- The days, of those a pass covers, on which its digest and that of the stored rows differ: count, credits, debits and the
-- sum of the rows' weights. Stored rows that were not shown, and are not decided on, are set aside. No row: every day agrees.
WITH pass_days AS (
  SELECT d.day, sum(d.rows)::bigint AS rows, sum(d.credits) AS credits, sum(d.debits) AS debits,
         -- a flush of the code before weights has none: then the other three must do
         CASE WHEN count(d.weight) = count(*) THEN sum(d.weight) END AS weight
  FROM sync_flushes f, unnest(f.days, f.counts, f.credits, f.debits, f.weights) AS d (day, rows, credits, debits, weight)
  WHERE f.run_id = :run_id AND f.pass = :pass_number
  GROUP BY d.day
),
stored_days AS (
  SELECT booking_date AS day, count(*) AS rows,
         coalesce(sum(amount_minor) FILTER (WHERE direction = 'credit'), 0) AS credits,
         coalesce(sum(amount_minor) FILTER (WHERE direction = 'debit'), 0)  AS debits,
         sum(transaction_weight(mono_transaction_id, booking_date, amount_minor, direction)) AS weight
  FROM bank_transactions
  WHERE account_id = :account_id AND disappeared_at IS NULL AND mono_transaction_id <> ALL (:set_aside::text[])
    AND booking_date BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity')
  GROUP BY booking_date
)
SELECT day, coalesce(p.rows, 0) AS bank_rows, coalesce(s.rows, 0) AS stored_rows,
       coalesce(p.credits, 0) AS bank_credits, coalesce(s.credits, 0) AS stored_credits,
       coalesce(p.debits, 0) AS bank_debits, coalesce(s.debits, 0) AS stored_debits
FROM (SELECT * FROM pass_days
      WHERE day BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity')) p
FULL JOIN stored_days s USING (day)
WHERE (p.rows, p.credits, p.debits, coalesce(p.weight, s.weight)) IS DISTINCT FROM (s.rows, s.credits, s.debits, s.weight)
ORDER BY day;

-- name: rows_outside
-- Stored rows outside the covered days; none where every day is covered.
SELECT count(*) AS rows FROM bank_transactions
WHERE account_id = :account_id AND disappeared_at IS NULL
  AND booking_date NOT BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity');

-- name: open_quarantine
-- plan: kept
SELECT count(*) AS open FROM quarantined_transactions WHERE account_id = :account_id AND closed_at IS NULL;
