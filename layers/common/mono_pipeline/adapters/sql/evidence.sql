-- name: pass_extent
-- The oldest booking day that a pass showed, and how many rows are stored on the days that it covers.
SELECT (SELECT min(day) FROM sync_flushes f, unnest(f.days) AS day WHERE f.run_id = :run_id AND f.pass = :pass_number)
         AS oldest_shown,
       (SELECT count(*) FROM bank_transactions
         WHERE account_id = :account_id AND disappeared_at IS NULL
           AND booking_date BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity'))
         AS covered_rows,
       pipeline_now() AS now;

-- name: missing_rows
-- Stored rows on covered days that the pass did not show, with what is known of their absence. A row that came broken is not
-- absent: it was shown, and stands in quarantine. NOT IN, because it is one hash table whatever the planner guesses: of a
-- table that grew a moment ago it expects one row, and joins 10,000 rows to 10,000 by comparing each with each.
SELECT t.mono_transaction_id, t.booking_date, e.first_missed_at, e.fresh_then,
       EXISTS (SELECT FROM quarantined_transactions q JOIN sync_runs r ON r.run_id = :run_id
                WHERE q.account_id = t.account_id AND q.mono_transaction_id = t.mono_transaction_id
                  AND q.closed_at IS NULL AND q.last_seen_at >= r.started_at) AS came_broken
FROM bank_transactions t
LEFT JOIN removal_evidence e ON e.account_id = t.account_id AND e.mono_transaction_id = t.mono_transaction_id
WHERE t.account_id = :account_id AND t.disappeared_at IS NULL
  AND hashtextextended(t.mono_transaction_id, 0) NOT IN (
    SELECT id FROM sync_flushes f, unnest(f.ids) AS id WHERE f.run_id = :run_id AND f.pass = :pass_number)
  AND t.booking_date BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity')
ORDER BY t.booking_date, t.mono_transaction_id;

-- name: forget_absences
-- Rows that are shown again are not missing any more. Only rows with evidence are looked up, which are few.
-- plan: kept
DELETE FROM removal_evidence e
WHERE e.account_id = :account_id AND e.mono_transaction_id <> ALL (:missing::text[])
  AND (SELECT t.booking_date FROM bank_transactions t
        WHERE t.account_id = e.account_id AND t.mono_transaction_id = e.mono_transaction_id)
      BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity');

-- name: note_absences
-- The first absence counts; a later one does not make it younger.
INSERT INTO removal_evidence (account_id, mono_transaction_id, first_missed_at, first_missed_by, fresh_then)
SELECT :account_id, id, pipeline_now(), :run_id::uuid, :fresh_as_of::timestamptz FROM unnest(:missing::text[]) AS id
ON CONFLICT (account_id, mono_transaction_id) DO NOTHING;

-- name: disappear
-- Nothing is deleted: the row is superseded by a version that says that the bank no longer shows it.
WITH clock AS MATERIALIZED (SELECT pipeline_now() AS now),
superseded AS (
  INSERT INTO bank_transaction_versions
    (account_id, mono_transaction_id, version, amount_minor, direction, currency, narration, category, balance_after_minor,
     occurred_at, booking_date, occurred_text, extra, disappeared_at, changed_at, run_id, superseded_at, superseded_by)
  SELECT t.account_id, t.mono_transaction_id, t.version, t.amount_minor, t.direction, t.currency, t.narration, t.category,
         t.balance_after_minor, t.occurred_at, t.booking_date, t.occurred_text, t.extra, t.disappeared_at, t.changed_at,
         t.run_id, greatest(clock.now, t.changed_at), :run_id::uuid
  FROM clock, bank_transactions t
  WHERE t.account_id = :account_id AND t.mono_transaction_id = ANY (:gone::text[]) AND t.disappeared_at IS NULL
),
settled AS (
  DELETE FROM removal_evidence WHERE account_id = :account_id AND mono_transaction_id = ANY (:gone::text[])
)
UPDATE bank_transactions t
   SET disappeared_at = clock.now, version = version + 1, changed_at = greatest(clock.now, t.changed_at),
       run_id = :run_id::uuid
  FROM clock
 WHERE t.account_id = :account_id AND t.mono_transaction_id = ANY (:gone::text[]) AND t.disappeared_at IS NULL
RETURNING t.mono_transaction_id;

-- name: suspect_duplicates
-- Pairs each missing row with a shown one of the same fingerprint (day, amount, direction, narration, balance) that was first
-- seen after the last complete pass that still showed the missing one: two ids that were shown together are twins, and
-- twins are never suspects. Equal fingerprints are paired in the order of their coming.
WITH shown AS (
  SELECT DISTINCT id FROM sync_flushes f, unnest(f.ids) AS id WHERE f.run_id = :run_id AND f.pass = :pass_number
),
missing AS (
  SELECT t.id, t.mono_transaction_id, t.booking_date,
         ROW (t.booking_date, t.amount_minor, t.direction, t.narration, t.balance_after_minor)::text AS fingerprint,
         (SELECT max(l.read_at) FROM coverage_ledger l
           WHERE l.account_id = t.account_id AND l.run_id <> :run_id::uuid
             AND t.booking_date BETWEEN l.first_day AND l.last_day
             AND l.read_at < coalesce(e.first_missed_at, 'infinity')) AS last_shown_at
  FROM bank_transactions t
  LEFT JOIN removal_evidence e ON e.account_id = t.account_id AND e.mono_transaction_id = t.mono_transaction_id
  WHERE t.account_id = :account_id AND t.mono_transaction_id = ANY (:missing::text[])
    AND NOT EXISTS (SELECT FROM duplicate_suspicions d
                     WHERE d.account_id = t.account_id AND d.old_id = t.mono_transaction_id AND d.status = 'open')
),
candidates AS (
  SELECT t.id, t.mono_transaction_id,
         ROW (t.booking_date, t.amount_minor, t.direction, t.narration, t.balance_after_minor)::text AS fingerprint,
         coalesce((SELECT v.changed_at FROM bank_transaction_versions v
                    WHERE v.account_id = t.account_id AND v.mono_transaction_id = t.mono_transaction_id AND v.version = 1),
                  t.changed_at) AS first_seen_at
  FROM bank_transactions t JOIN shown ON shown.id = hashtextextended(t.mono_transaction_id, 0)
  WHERE t.account_id = :account_id AND t.disappeared_at IS NULL
    AND t.booking_date IN (SELECT booking_date FROM missing)
    AND NOT EXISTS (SELECT FROM duplicate_suspicions d
                     WHERE d.account_id = t.account_id AND d.new_id = t.mono_transaction_id)
),
old AS (SELECT *, row_number() OVER (PARTITION BY fingerprint ORDER BY id) AS nth FROM missing),
fresh AS (
  SELECT c.*, row_number() OVER (PARTITION BY c.fingerprint ORDER BY c.id) AS nth
  FROM candidates c
  WHERE EXISTS (SELECT FROM missing m WHERE m.fingerprint = c.fingerprint AND m.id < c.id
                   AND (m.last_shown_at IS NULL OR c.first_seen_at > m.last_shown_at))
)
INSERT INTO duplicate_suspicions (account_id, old_id, new_id, raised_by)
SELECT :account_id, old.mono_transaction_id, fresh.mono_transaction_id, :run_id::uuid
FROM old JOIN fresh ON fresh.fingerprint = old.fingerprint AND fresh.nth = old.nth
ON CONFLICT (account_id, old_id, new_id) DO NOTHING
RETURNING old_id, new_id;

-- name: open_questions
-- What stands open of an account: old ids under suspicion, rows that were missed, rows in quarantine. Nearly always nothing.
-- plan: kept
SELECT (SELECT count(*) FROM duplicate_suspicions WHERE account_id = :account_id AND status = 'open') AS suspicions,
       (SELECT count(*) FROM removal_evidence WHERE account_id = :account_id) AS removals,
       (SELECT count(*) FROM quarantined_transactions WHERE account_id = :account_id AND closed_at IS NULL) AS quarantined;

-- name: open_suspicions
-- The old ids that stand under suspicion.
-- plan: kept
SELECT old_id, new_id FROM duplicate_suspicions WHERE account_id = :account_id AND status = 'open';

-- name: settle_twins
-- Both ids of a suspicion are shown by one pass: they are two transactions. IS TRUE keeps each IN a hash table, which is not
-- even made while nothing is suspected.
-- plan: kept
UPDATE duplicate_suspicions d SET status = 'rejected', decided_at = pipeline_now(), decided_by = 'pipeline: both are shown'
WHERE d.account_id = :account_id AND d.status = 'open'
  AND (hashtextextended(d.old_id, 0) IN (
    SELECT id FROM sync_flushes f, unnest(f.ids) AS id WHERE f.run_id = :run_id AND f.pass = :pass_number)) IS TRUE
  AND (hashtextextended(d.new_id, 0) IN (
    SELECT id FROM sync_flushes f, unnest(f.ids) AS id WHERE f.run_id = :run_id AND f.pass = :pass_number)) IS TRUE;

-- name: list_suspicions
-- In the order of their raising, after an id.
SELECT d.id, a.mono_account_id AS account_id, d.old_id, d.new_id, d.status, d.raised_at, d.decided_at, d.decided_by,
       t.booking_date, t.amount_minor, t.direction, t.currency, t.narration
FROM duplicate_suspicions d
JOIN bank_accounts a ON a.id = d.account_id
JOIN bank_transactions t ON t.account_id = d.account_id AND t.mono_transaction_id = d.old_id
WHERE (:account::text IS NULL OR a.mono_account_id = :account) AND (:every OR d.status = 'open') AND d.id > :after
ORDER BY d.id LIMIT :limit;

-- name: account_of_suspicion
SELECT account_id FROM duplicate_suspicions WHERE id = :id AND status = 'open';

-- name: decide_suspicion
UPDATE duplicate_suspicions d SET status = :status, decided_at = pipeline_now(), decided_by = :decided_by
WHERE d.id = :id AND d.status = 'open'
RETURNING d.account_id, d.old_id, d.new_id, d.raised_by;

-- name: cover
-- A complete pass covered these days. A full one covers all up to today, and begins with the oldest day that is stored.
-- plan: kept
INSERT INTO coverage_ledger (account_id, run_id, first_day, last_day, read_at, verdict)
SELECT :account_id, :run_id::uuid, coalesce(:covered_start::date, '-infinity'),
       coalesce(:covered_end::date, lagos_date(pipeline_now())), pipeline_now(), :verdict
ON CONFLICT (account_id, run_id) DO NOTHING;

-- name: day_balances
-- For each covered day with rows: how many balances the bank left out, and what is left when the balances after its rows are
-- set off against the balances before them. A chain leaves its two ends. Grouped and never joined: one pass over the rows.
-- A balance or an amount from 2^62 on (46 quadrillion naira) counts as left out, so that 64 bits carry the rest.
WITH steps AS (
  SELECT booking_date AS day, after,
         after - CASE direction WHEN 'credit' THEN amount_minor ELSE -amount_minor END AS before
  FROM bank_transactions, LATERAL (
    SELECT CASE WHEN balance_after_minor BETWEEN -(1::bigint << 62) AND (1::bigint << 62) AND amount_minor < (1::bigint << 62)
                THEN balance_after_minor END
  ) AS b (after)
  WHERE account_id = :account_id AND disappeared_at IS NULL
    AND booking_date BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity')
),
sides AS (
  SELECT day, after AS value, CASE WHEN after IS NULL THEN 0 ELSE 1 END AS side, true AS is_row FROM steps
  UNION ALL SELECT day, before, -1, false FROM steps WHERE after IS NOT NULL
),
balances AS (
  SELECT day, value, sum(side) AS n, count(*) FILTER (WHERE is_row) AS rows FROM sides GROUP BY day, value
)
SELECT day, sum(rows)::bigint AS rows, coalesce(sum(rows) FILTER (WHERE value IS NULL), 0)::bigint AS without,
       sum(abs(n))::bigint AS loose_ends,
       CASE WHEN count(*) FILTER (WHERE n = -1) = 1 THEN max(value) FILTER (WHERE n = -1) END AS opening,
       CASE WHEN count(*) FILTER (WHERE n = 1) = 1 THEN max(value) FILTER (WHERE n = 1) END AS closing
FROM balances
GROUP BY day
ORDER BY day;

-- name: chain_to
-- Whether the covered days' balances are one chain that ends in :closing, in one pass over the rows and no value by itself. The
-- days' sums say where each of them must have begun and ended; then the balances after its rows and those before them, which
-- differ by these two alone, have hashes whose sums differ by these two's alone. `opening` is where the chain begins; null where no
-- day moved the balance. What `day_balances` leaves out does not hold here either.
-- plan: kept
WITH days AS (
  SELECT booking_date AS day, count(*) FILTER (WHERE after IS NULL) AS without, sum(amount) AS net,
         sum(hashint8extended(after, 0)) - sum(hashint8extended(after - amount, 0)) AS drift
  FROM bank_transactions, LATERAL (
    SELECT CASE direction WHEN 'credit' THEN amount_minor ELSE -amount_minor END,
           CASE WHEN balance_after_minor BETWEEN -(1::bigint << 62) AND (1::bigint << 62) AND amount_minor < (1::bigint << 62)
                THEN balance_after_minor END
  ) AS step (amount, after)
  WHERE account_id = :account_id AND disappeared_at IS NULL
    AND booking_date BETWEEN coalesce(:covered_start::date, '-infinity') AND coalesce(:covered_end::date, 'infinity')
  GROUP BY booking_date
),
ends AS (SELECT *, :closing::bigint - sum(net) OVER (ORDER BY day DESC) AS opening FROM days)
SELECT coalesce(bool_and(
         CASE WHEN without = 0 AND opening BETWEEN -(1::bigint << 62) AND (1::bigint << 62)
                               AND opening + net BETWEEN -(1::bigint << 62) AND (1::bigint << 62)
              THEN drift = hashint8extended((opening + net)::bigint, 0)::numeric - hashint8extended(opening::bigint, 0)
              ELSE false END), true) AS holds,
       CASE WHEN bool_or(net <> 0) THEN (array_agg(opening ORDER BY day))[1] END AS opening
FROM ends;

-- name: day_before
-- The newest day with rows before a day.
-- plan: kept
SELECT max(booking_date) AS day FROM bank_transactions
WHERE account_id = :account_id AND disappeared_at IS NULL AND booking_date < :day::date;

-- name: ask_for_deep_read
UPDATE bank_accounts SET deep_read_due_at = pipeline_now() WHERE id = :account_id;
