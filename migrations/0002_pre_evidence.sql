-- What makes the data prove themselves: which days were read when, what is missing since when, which ids may be one
-- transaction, and the table as it was at any instant.

-- The deep re-read has a due time of its own, so that an anomaly can ask for it at once.
ALTER TABLE bank_accounts ADD COLUMN deep_read_due_at timestamptz NOT NULL DEFAULT pipeline_now();

-- The days that complete passes covered: a range a run, not a row a day. A full history covers every day up to the one it
-- was read on.
CREATE TABLE coverage_ledger (
  account_id bigint NOT NULL REFERENCES bank_accounts (id) ON DELETE CASCADE,
  run_id     uuid NOT NULL,
  first_day  date NOT NULL,
  last_day   date NOT NULL,
  -- when the pass had ended: every row that the bank showed then was shown to it
  read_at    timestamptz NOT NULL,
  verdict    text NOT NULL,
  PRIMARY KEY (account_id, run_id),
  CHECK (first_day <= last_day)
);
CREATE INDEX coverage_ledger_newest ON coverage_ledger (account_id, read_at DESC);

-- A stored row that a complete pass did not show, since when, and how fresh the bank's data were then. One more absence that
-- is evidence of its own makes it disappear; being shown again clears it.
CREATE TABLE removal_evidence (
  account_id          bigint NOT NULL,
  mono_transaction_id text NOT NULL,
  first_missed_at     timestamptz NOT NULL,
  first_missed_by     uuid NOT NULL,
  fresh_then          timestamptz,
  PRIMARY KEY (account_id, mono_transaction_id),
  FOREIGN KEY (account_id, mono_transaction_id) REFERENCES bank_transactions (account_id, mono_transaction_id) ON DELETE CASCADE
);

-- An old id that is gone and a new one with the same fingerprint: perhaps one transaction under two ids. While it is open the
-- new id is out of the totals.
CREATE TABLE duplicate_suspicions (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id bigint NOT NULL,
  old_id     text NOT NULL,
  new_id     text NOT NULL,
  status     text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'rejected')),
  raised_at  timestamptz NOT NULL DEFAULT pipeline_now(),
  raised_by  uuid NOT NULL,
  decided_at timestamptz,
  decided_by text,
  UNIQUE (account_id, old_id, new_id),
  FOREIGN KEY (account_id, old_id) REFERENCES bank_transactions (account_id, mono_transaction_id) ON DELETE CASCADE,
  FOREIGN KEY (account_id, new_id) REFERENCES bank_transactions (account_id, mono_transaction_id) ON DELETE CASCADE,
  CHECK (old_id <> new_id),
  CHECK ((status = 'open') = (decided_at IS NULL) AND (decided_at IS NULL) = (decided_by IS NULL))
);
-- an id is one side of one open question at the most
CREATE UNIQUE INDEX duplicate_suspicions_open_old ON duplicate_suspicions (account_id, old_id) WHERE status = 'open';
CREATE UNIQUE INDEX duplicate_suspicions_open_new ON duplicate_suspicions (account_id, new_id) WHERE status = 'open';

CREATE OR REPLACE VIEW canonical_bank_transactions AS
SELECT a.mono_account_id,
       t.mono_transaction_id                        AS transaction_id,
       round(t.amount_minor / 100.0, 2)             AS amount,
       t.direction                                  AS transaction_type,
       t.currency,
       t.narration,
       t.category,
       round(t.balance_after_minor / 100.0, 2)      AS balance_after,
       t.occurred_at                                AS transaction_date,
       t.booking_date
FROM bank_transactions t
JOIN bank_accounts a ON a.id = t.account_id
WHERE t.disappeared_at IS NULL
  AND NOT EXISTS (SELECT FROM duplicate_suspicions d
                   WHERE d.account_id = t.account_id AND d.new_id = t.mono_transaction_id AND d.status = 'open');

-- Every version that there ever was: superseded ones from the history, the current one from the table. A version was in force
-- from changed_at until superseded_at. `raw` is the row as Mono sends it, but for fields that it had left out.
CREATE VIEW transaction_versions AS
SELECT account_id, mono_transaction_id, version, amount_minor, direction, currency, narration, category,
       balance_after_minor, occurred_at, booking_date, disappeared_at, changed_at, run_id, superseded_at, superseded_by,
       jsonb_build_object('id', mono_transaction_id, 'amount', amount_minor, 'type', direction, 'currency', currency,
         'narration', narration, 'category', category, 'balance', balance_after_minor, 'date', occurred_text)
         || coalesce(extra, '{}') AS raw
FROM bank_transaction_versions
UNION ALL
SELECT account_id, mono_transaction_id, version, amount_minor, direction, currency, narration, category,
       balance_after_minor, occurred_at, booking_date, disappeared_at, changed_at, run_id, NULL, NULL,
       jsonb_build_object('id', mono_transaction_id, 'amount', amount_minor, 'type', direction, 'currency', currency,
         'narration', narration, 'category', category, 'balance', balance_after_minor, 'date', occurred_text)
         || coalesce(extra, '{}')
FROM bank_transactions;

-- The account's transactions as the table held them at an instant, disappeared ones left out.
CREATE FUNCTION bank_transactions_at(account text, instant timestamptz) RETURNS SETOF transaction_versions
LANGUAGE sql STABLE AS $$
  SELECT v.* FROM transaction_versions v JOIN bank_accounts a ON a.id = v.account_id
  WHERE a.mono_account_id = account AND v.changed_at <= instant
    AND (v.superseded_at IS NULL OR v.superseded_at > instant)
    AND v.disappeared_at IS NULL
$$;

-- Each day of a range: never_read; read at T by run R; or due, when it was read before it can have been complete, that is
-- before the day was over and late postings had had `overlap_days` to come in.
CREATE FUNCTION coverage_of(account text, from_day date, to_day date, overlap_days integer)
RETURNS TABLE (day date, state text, read_at timestamptz, run_id uuid)
LANGUAGE sql STABLE AS $$
  SELECT d.day::date,
         CASE WHEN c.read_at IS NULL THEN 'never_read'
              WHEN lagos_date(c.read_at) <= d.day::date + overlap_days THEN 'due'
              ELSE 'read' END,
         c.read_at, c.run_id
  FROM generate_series(from_day::timestamp, to_day::timestamp, interval '1 day') AS d (day)
  LEFT JOIN LATERAL (
    SELECT l.read_at, l.run_id FROM coverage_ledger l JOIN bank_accounts a ON a.id = l.account_id
    WHERE a.mono_account_id = account AND d.day::date BETWEEN l.first_day AND l.last_day
    ORDER BY l.read_at DESC LIMIT 1
  ) c ON true
  ORDER BY d.day
$$;

GRANT SELECT ON coverage_ledger, duplicate_suspicions, transaction_versions, bank_transaction_versions TO reader;
