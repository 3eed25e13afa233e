-- The tables that other programs read (bank_accounts, bank_transactions, sync_runs, quarantined_transactions and the view
-- canonical_bank_transactions) and the ones that a run keeps its place in. Every invariant that SQL can say is said here.

-- The one clock of the system. Leases, due times, versions and "today in Lagos" come from it and from nowhere else, so that
-- a worker with a wrong clock cannot do harm, and so that a test can let days pass by replacing this function.
CREATE FUNCTION pipeline_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE
  AS $$ SELECT clock_timestamp() $$;

-- The booking day of an instant. Banks book in Lagos: a row stamped 23:00Z is the next day's midnight there.
CREATE FUNCTION lagos_date(instant timestamptz) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
  AS $$ SELECT (instant AT TIME ZONE 'Africa/Lagos')::date $$;


CREATE TABLE bank_accounts (
  id                    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  mono_account_id       text NOT NULL UNIQUE CHECK (mono_account_id ~ '^[0-9a-f]{24}$'),
  -- The flag's bucket is over the first id, so that a re-link does not move the account in or out of a rollout.
  first_mono_account_id text NOT NULL CHECK (first_mono_account_id ~ '^[0-9a-f]{24}$'),
  mono_customer_id      text,
  reference             text,
  bank_code             text,
  account_number        text,
  currency              text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  balance_minor         bigint,
  link_status           text NOT NULL DEFAULT 'linked'
                        CHECK (link_status IN ('linked', 'reauth_required', 'unlinked', 'refused')),
  data_status           text,
  -- The newest booking date seen in a complete pass; it only rises, and is never later than today.
  watermark             date,
  -- A windowed pass has shown that meta.total does not respect the date filters at this bank (nobody documents it).
  totals_ignore_window  boolean NOT NULL DEFAULT false,
  last_success_at       timestamptz,
  last_full_read_at     timestamptz,
  fresh_as_of           timestamptz,
  -- When the scheduler asks for the next run.
  next_attempt_at       timestamptz NOT NULL DEFAULT pipeline_now(),
  failure_streak        integer NOT NULL DEFAULT 0 CHECK (failure_streak >= 0),
  -- The lease: who may write rows of this account. A taker raises fence; a commit that names an older one touches nothing.
  lease_until           timestamptz,
  lease_run_id          uuid,
  fence                 bigint NOT NULL DEFAULT 0 CHECK (fence >= 0),
  created_at            timestamptz NOT NULL DEFAULT pipeline_now(),
  CHECK ((lease_until IS NULL) = (lease_run_id IS NULL))
) WITH (fillfactor = 70);
COMMENT ON COLUMN bank_accounts.account_number IS 'personal data; used to recognise a re-linked account';

CREATE INDEX bank_accounts_due ON bank_accounts (next_attempt_at) WHERE link_status <> 'unlinked';
CREATE INDEX bank_accounts_relink ON bank_accounts (bank_code, account_number, currency);

-- Ids an account had before a re-link: they stay valid in every interface.
CREATE TABLE account_aliases (
  mono_account_id text PRIMARY KEY CHECK (mono_account_id ~ '^[0-9a-f]{24}$'),
  account_id      bigint NOT NULL REFERENCES bank_accounts (id) ON DELETE CASCADE
);


CREATE TABLE sync_runs (
  run_id           uuid PRIMARY KEY,
  account_id       bigint NOT NULL REFERENCES bank_accounts (id) ON DELETE CASCADE,
  -- incremental: from the watermark less the overlap; full: everything Mono has; window: the days somebody asked for.
  kind             text NOT NULL CHECK (kind IN ('incremental', 'full', 'window')),
  requested_by     text NOT NULL,
  correlation_id   text NOT NULL,
  status           text NOT NULL DEFAULT 'running'
                   CHECK (status IN ('running', 'completed', 'incomplete', 'failed', 'stopped')),
  verdict          text CHECK (verdict IN ('verified', 'unverifiable', 'mismatch')),
  verdict_reason   text,
  first_bad_day    date,
  -- The booking days the run answers for; null where they are all there is.
  window_start     date,
  window_end       date,
  pass             integer NOT NULL DEFAULT 1 CHECK (pass BETWEEN 1 AND 4),
  -- what Mono said there is, in the last pass
  mono_total       bigint,
  pages_read       integer NOT NULL DEFAULT 0,
  rows_seen        bigint NOT NULL DEFAULT 0,
  rows_inserted    bigint NOT NULL DEFAULT 0 CHECK (rows_inserted >= 0),
  rows_updated     bigint NOT NULL DEFAULT 0 CHECK (rows_updated >= 0),
  rows_unchanged   bigint NOT NULL DEFAULT 0 CHECK (rows_unchanged >= 0),
  rows_quarantined bigint NOT NULL DEFAULT 0 CHECK (rows_quarantined >= 0),
  flag_reason      text,
  hops             integer NOT NULL DEFAULT 0 CHECK (hops >= 0),
  requested_at     timestamptz NOT NULL DEFAULT pipeline_now(),
  woken_at         timestamptz NOT NULL DEFAULT pipeline_now(),
  started_at       timestamptz,
  finished_at      timestamptz,
  error_code       text,
  CONSTRAINT every_row_is_accounted_for
    CHECK (rows_seen = rows_inserted + rows_updated + rows_unchanged + rows_quarantined),
  CONSTRAINT a_run_ends_once CHECK ((status = 'running') = (finished_at IS NULL)),
  CONSTRAINT a_finished_pass_has_a_verdict CHECK (status NOT IN ('completed', 'incomplete') OR verdict IS NOT NULL),
  CONSTRAINT a_failure_has_a_code CHECK ((status = 'failed') = (error_code IS NOT NULL)),
  CONSTRAINT a_window_has_two_ends CHECK ((window_start IS NULL) = (window_end IS NULL) AND window_start <= window_end)
);
COMMENT ON COLUMN sync_runs.started_at IS 'null while the run is only requested';

-- One run of an account at a time; and one request waiting, however many wake-ups ask for the same.
CREATE UNIQUE INDEX sync_runs_one_started ON sync_runs (account_id)
  WHERE status = 'running' AND started_at IS NOT NULL;
CREATE UNIQUE INDEX sync_runs_one_requested ON sync_runs (account_id, kind, window_start, window_end) NULLS NOT DISTINCT
  WHERE status = 'running' AND started_at IS NULL;
CREATE INDEX sync_runs_by_account ON sync_runs (account_id, requested_at DESC);
CREATE INDEX sync_runs_waiting ON sync_runs (woken_at) WHERE status = 'running';

-- A flush of a pass: which pages it held, and its share of the pass's digest per booking day. Append-only while the pass is
-- read, gone when the run ends. The ids are 64-bit hashes: eight bytes a row carry the distinct count, drift and removal.
CREATE TABLE sync_flushes (
  run_id     uuid NOT NULL REFERENCES sync_runs (run_id) ON DELETE CASCADE,
  pass       integer NOT NULL,
  first_page integer NOT NULL CHECK (first_page >= 1),
  last_page  integer NOT NULL CHECK (last_page >= first_page),
  -- good and quarantined rows as they came, repetitions included
  rows_read  integer NOT NULL CHECK (rows_read >= 0),
  lowest_total  bigint NOT NULL,
  highest_total bigint NOT NULL,
  -- one for each distinct row; a quarantined row counts towards the bank's total too
  ids          bigint[] NOT NULL,
  rejected_ids bigint[] NOT NULL,
  days       date[] NOT NULL,
  counts     bigint[] NOT NULL,
  credits    numeric[] NOT NULL,
  debits     numeric[] NOT NULL,
  id_sums    numeric[] NOT NULL,
  PRIMARY KEY (run_id, pass, first_page)
);


CREATE TABLE bank_transactions (
  id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id          bigint NOT NULL REFERENCES bank_accounts (id),
  mono_transaction_id text NOT NULL CHECK (mono_transaction_id <> ''),
  amount_minor        bigint NOT NULL CHECK (amount_minor >= 0),
  direction           text NOT NULL CHECK (direction IN ('debit', 'credit')),
  currency            text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
  narration           text NOT NULL,
  category            text,
  balance_after_minor bigint,
  occurred_at         timestamptz NOT NULL,
  booking_date        date NOT NULL,
  -- Mono's own text of the instant: its precision tells banks apart (Mono contract 2.4)
  occurred_text       text NOT NULL,
  -- fields of the row that we do not know yet, kept
  extra               jsonb,
  version             integer NOT NULL DEFAULT 1 CHECK (version >= 1),
  changed_at          timestamptz NOT NULL,
  run_id              uuid NOT NULL,
  disappeared_at      timestamptz,
  CONSTRAINT one_row_per_transaction UNIQUE (account_id, mono_transaction_id),
  CONSTRAINT booked_in_lagos CHECK (booking_date = lagos_date(occurred_at))
);
-- The platform polls changes in this order.
CREATE INDEX bank_transactions_changes ON bank_transactions (changed_at, id);
CREATE INDEX bank_transactions_by_day ON bank_transactions (account_id, booking_date);

-- Superseded versions only: the current one is in bank_transactions, so that a first load writes each row once.
CREATE TABLE bank_transaction_versions (
  account_id          bigint NOT NULL REFERENCES bank_accounts (id),
  mono_transaction_id text NOT NULL,
  version             integer NOT NULL CHECK (version >= 1),
  amount_minor        bigint NOT NULL,
  direction           text NOT NULL,
  currency            text NOT NULL,
  narration           text NOT NULL,
  category            text,
  balance_after_minor bigint,
  occurred_at         timestamptz NOT NULL,
  booking_date        date NOT NULL,
  occurred_text       text NOT NULL,
  extra               jsonb,
  disappeared_at      timestamptz,
  changed_at          timestamptz NOT NULL,
  run_id              uuid NOT NULL,
  superseded_at       timestamptz NOT NULL,
  superseded_by       uuid NOT NULL,
  PRIMARY KEY (account_id, mono_transaction_id, version)
);

CREATE FUNCTION refuse_to_rewrite_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% on % is refused: history is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON bank_transaction_versions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_history();


-- Rows that cannot be trusted, kept with their reason; one open record for a row, however often it comes.
CREATE TABLE quarantined_transactions (
  id                  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id          bigint NOT NULL REFERENCES bank_accounts (id) ON DELETE CASCADE,
  run_id              uuid NOT NULL,
  mono_transaction_id text,
  reason              text NOT NULL,
  -- the raw row as ASCII JSON text
  payload             text NOT NULL,
  payload_digest      uuid NOT NULL GENERATED ALWAYS AS (md5(payload)::uuid) STORED,
  times_seen          bigint NOT NULL DEFAULT 1,
  quarantined_at      timestamptz NOT NULL DEFAULT pipeline_now(),
  last_seen_at        timestamptz NOT NULL DEFAULT pipeline_now(),
  closed_at           timestamptz
);
CREATE UNIQUE INDEX quarantined_transactions_open ON quarantined_transactions (account_id, payload_digest, reason)
  WHERE closed_at IS NULL;


-- One row a provider: the token bucket all workers draw from, and until when nobody may call.
CREATE TABLE provider_budget (
  provider     text PRIMARY KEY,
  tokens       double precision NOT NULL CHECK (tokens >= 0),
  refilled_at  timestamptz NOT NULL DEFAULT pipeline_now(),
  paused_until timestamptz,
  pause_reason text,
  CHECK ((paused_until IS NULL) = (pause_reason IS NULL))
);
INSERT INTO provider_budget (provider, tokens) VALUES ('mono', 0);


-- For people and spot checks: major units, without rows that the bank no longer shows.
CREATE VIEW canonical_bank_transactions AS
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
WHERE t.disappeared_at IS NULL;


-- The platform reads as this role.
DO $$ BEGIN
  CREATE ROLE reader NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- roles belong to the server, not to this database
END $$;
GRANT USAGE ON SCHEMA public TO reader;
GRANT SELECT ON bank_transactions, sync_runs, quarantined_transactions, canonical_bank_transactions TO reader;
GRANT SELECT (id, mono_account_id, mono_customer_id, reference, link_status, balance_minor, currency, watermark,
              last_success_at, fresh_as_of, next_attempt_at) ON bank_accounts TO reader;
