-- How fresh the bank's data are, and what may be paid to freshen them. Mono serves its stored copy and never moves it by itself: a
-- real-time call does, at a price, and the guards that keep it from being made twice must outlive whoever makes it.

ALTER TABLE bank_accounts
  -- whether Mono may be asked to go to the bank: never; when a person asks; or once a day
  ADD COLUMN realtime            text NOT NULL DEFAULT 'never' CHECK (realtime IN ('never', 'on-demand', 'daily')),
  -- why it was turned off by itself
  ADD COLUMN realtime_off_reason text,
  -- when it was asked last, or was about to be
  ADD COLUMN realtime_asked_at   timestamptz,
  -- from how many hours on the account's data count as stale; null: the setting FRESHNESS_SLO_HOURS
  ADD COLUMN freshness_slo_hours integer CHECK (freshness_slo_hours BETWEEN 1 AND 8784),
  ADD COLUMN stale_told_at       timestamptz,
  -- when data_status was noted last: a copy that was not ready then and is now was filled in between
  ADD COLUMN data_status_at      timestamptz,
  -- when Mono's account list showed it last, or its own page was asked for instead
  ADD COLUMN listed_at           timestamptz;
CREATE INDEX bank_accounts_daily_realtime ON bank_accounts (realtime_asked_at) WHERE realtime = 'daily';

-- Every real-time call, written before it is made: a crash in between must not lead to a second one. It outlives its account, so
-- that erasing one frees no money.
CREATE TABLE realtime_calls (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id     bigint REFERENCES bank_accounts (id) ON DELETE SET NULL,
  requested_by   text NOT NULL,
  correlation_id text NOT NULL,
  asked_at       timestamptz NOT NULL DEFAULT pipeline_now(),
  -- the month in Lagos whose cap it counts against, by its first day
  month          date NOT NULL,
  reserved_ngn   integer NOT NULL CHECK (reserved_ngn >= 0),
  -- null until the job ended: until then what was reserved counts
  charged_ngn    integer CHECK (charged_ngn BETWEEN 0 AND reserved_ngn),
  job_id         text,
  -- asked: no answer known yet; refused: there is no job of this call; unknown: nobody will tell any more
  state          text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'processing', 'finished', 'failed', 'refused', 'unknown')),
  -- null where Mono did not say
  has_new_data   boolean,
  reason         text,
  poll_at        timestamptz,
  polled_at      timestamptz,
  ended_at       timestamptz,
  CONSTRAINT a_call_ends_once CHECK ((state IN ('asked', 'processing')) = (ended_at IS NULL)),
  CONSTRAINT an_ended_call_is_settled CHECK ((charged_ngn IS NULL) = (ended_at IS NULL))
);
CREATE UNIQUE INDEX realtime_calls_one_open ON realtime_calls (account_id) WHERE ended_at IS NULL;
CREATE INDEX realtime_calls_to_poll ON realtime_calls (poll_at) WHERE ended_at IS NULL;
CREATE INDEX realtime_calls_by_account ON realtime_calls (account_id, asked_at DESC);

-- What is spent and reserved of a month: the one row that all who reserve contend for, so that no two pass the cap together.
CREATE TABLE realtime_spend (
  month     date PRIMARY KEY,
  spent_ngn integer NOT NULL CHECK (spent_ngn >= 0)
);

-- The walk through Mono's account list, one row: where it goes on, who is on it, and when the last whole one began.
CREATE TABLE account_list_walk (
  one_row     boolean PRIMARY KEY DEFAULT true CHECK (one_row),
  next_page   integer NOT NULL DEFAULT 1 CHECK (next_page >= 1),
  started_at  timestamptz,
  finished_at timestamptz,
  whole_since timestamptz,
  busy_until  timestamptz
);
INSERT INTO account_list_walk DEFAULT VALUES;

GRANT SELECT, INSERT, UPDATE ON realtime_calls, realtime_spend TO pipeline;
GRANT SELECT, UPDATE ON account_list_walk TO pipeline;
