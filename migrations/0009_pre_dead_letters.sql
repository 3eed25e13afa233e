-- What fails for good ends where a person can see it, and what a person does about it is kept.

-- An account whose runs failed five times in a row is a dead letter: the scheduler leaves it alone until it is replayed or a
-- person syncs it. That it is one, and by which run, is committed with the end of that run; the message is sent after it, by
-- the worker or else by the next tick, until `dead_letter_sent_at` says that the queue has it.
ALTER TABLE bank_accounts
  ADD COLUMN dead_lettered_at    timestamptz,
  ADD COLUMN dead_letter_run     uuid,
  ADD COLUMN dead_letter_sent_at timestamptz,
  -- replays since the last run that succeeded, and the action that replayed it last
  ADD COLUMN dead_letter_replays integer NOT NULL DEFAULT 0 CHECK (dead_letter_replays >= 0),
  ADD COLUMN dead_letter_action  uuid,
  ADD CONSTRAINT a_dead_letter_names_its_run CHECK ((dead_lettered_at IS NULL) = (dead_letter_run IS NULL));
CREATE INDEX bank_accounts_dead_letters ON bank_accounts (dead_lettered_at) WHERE dead_lettered_at IS NOT NULL;

-- One inspection, replay or purge: who, when, of what, and what came of it. It may take several invocations.
CREATE TABLE dead_letter_actions (
  action_id   uuid PRIMARY KEY,
  action      text NOT NULL CHECK (action IN ('inspect', 'replay', 'purge')),
  dry_run     boolean NOT NULL,
  forced      boolean NOT NULL,
  -- {"type", "account_id", "reason", "older_than"}: what was asked for, null where all was
  filter      jsonb NOT NULL,
  most        integer CHECK (most > 0),
  per_second  integer CHECK (per_second > 0),
  asked_by    text NOT NULL,
  correlation_id text NOT NULL,
  started_at  timestamptz NOT NULL DEFAULT pipeline_now(),
  finished_at timestamptz,
  -- why it was refused as a whole; nothing was done then
  refused     text,
  -- messages that were there when it began, as SQS estimates it
  expected    bigint NOT NULL DEFAULT 0,
  seen        bigint NOT NULL DEFAULT 0 CHECK (seen >= 0),
  -- messages by what became of them, written when it ends; until then dead_letter_decisions tells
  outcomes    jsonb
);
CREATE INDEX dead_letter_actions_newest ON dead_letter_actions (started_at DESC);

-- What one action decided for one message: a message that SQS shows twice is counted once, and one whose deletion was cut off
-- is not replayed a second time. Forgotten a month after its action.
CREATE TABLE dead_letter_decisions (
  action_id  uuid NOT NULL REFERENCES dead_letter_actions (action_id) ON DELETE CASCADE,
  message_id text NOT NULL,
  type       text NOT NULL,
  account_id text,
  correlation_id text,
  run_id     text,
  reason     text NOT NULL,
  receives   integer NOT NULL,
  replays    integer NOT NULL,
  outcome    text NOT NULL,
  sent_at    timestamptz NOT NULL,
  -- what shows the message to others again: of one that is left, until its action ends
  receipt    text,
  decided_at timestamptz NOT NULL DEFAULT pipeline_now(),
  PRIMARY KEY (action_id, message_id)
);
CREATE INDEX dead_letter_decisions_by_message ON dead_letter_decisions (message_id);

-- What was taken off the queue without being done: purged by a person, or given up after three replays.
CREATE TABLE dead_letter_archive (
  message_id     text PRIMARY KEY,
  type           text NOT NULL,
  account_id     text,
  reason         text NOT NULL,
  correlation_id text,
  -- at most 16,384 characters of it; body_length says how long it was
  body           text NOT NULL,
  body_length    bigint NOT NULL,
  receives       integer NOT NULL,
  replays        integer NOT NULL,
  sent_at        timestamptz NOT NULL,
  archived_at    timestamptz NOT NULL DEFAULT pipeline_now(),
  archived_as    text NOT NULL CHECK (archived_as IN ('purged', 'quarantined')),
  action_id      uuid NOT NULL REFERENCES dead_letter_actions (action_id)
);
CREATE INDEX dead_letter_archive_newest ON dead_letter_archive (archived_at DESC);

-- Messages of the work queues that nobody can read: delivering them again would only burn their receives.
CREATE TABLE quarantined_messages (
  message_id  text PRIMARY KEY,
  queue       text NOT NULL,
  reason      text NOT NULL,
  body        text NOT NULL,
  body_length bigint NOT NULL,
  receives    integer NOT NULL,
  sent_at     timestamptz NOT NULL,
  received_at timestamptz NOT NULL DEFAULT pipeline_now()
);
COMMENT ON COLUMN quarantined_messages.body IS 'of unknown content: may hold personal data';

GRANT SELECT, INSERT, UPDATE ON dead_letter_actions TO pipeline;
GRANT SELECT, INSERT, UPDATE, DELETE ON dead_letter_decisions TO pipeline;
GRANT SELECT, INSERT ON dead_letter_archive TO pipeline;
GRANT SELECT, INSERT, UPDATE ON quarantined_messages TO pipeline;
