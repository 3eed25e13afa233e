-- What Mono's webhooks have told, and what came of each; and what an account keeps of it. Nothing of a body is here but ids,
-- instants and words of closed lists: no name, number or amount.

CREATE TABLE webhook_inbox (
  -- `event:` and Mono's own id, or `body:` and the SHA-256 of the body where it has none
  event_key       text PRIMARY KEY CHECK (event_key ~ '^(event:[A-Za-z0-9_-]+|body:[0-9a-f]{64})$'),
  kind            text NOT NULL CHECK (kind IN ('connected', 'updated', 'reauthorised', 'unlinked', 'job_updated',
                                                'reauthorisation_required', 'sync_failed', 'synced', 'ignored', 'unknown')),
  name            text,
  mono_account_id text NOT NULL CHECK (mono_account_id ~ '^[0-9a-f]{24}$'),
  -- null while we have no such account
  account_id      bigint REFERENCES bank_accounts (id) ON DELETE CASCADE,
  -- Mono's word, where it gives one, and when the event reached us: of one that was delivered more than once without an id of
  -- Mono's, the last time
  happened_at     timestamptz,
  received_at     timestamptz NOT NULL,
  -- Nothing has happened after it reached us.
  told_at         timestamptz NOT NULL GENERATED ALWAYS AS (least(happened_at, received_at)) STORED,
  sync_status     text,
  data_status     text,
  retrieved_data  text[],
  has_new_data    boolean NOT NULL DEFAULT false,
  job_id          text,
  job_status      text,
  -- what it says of the link, if anything
  mark            text CHECK (mark IN ('connected', 'delivered', 'signed_in', 'succeeded', 'reauth_required', 'unlinked')),
  -- what came of it; waiting: Mono is to be asked first, and could not be
  effect          text NOT NULL CHECK (effect IN ('imported', 'relinked', 'changed', 'noted', 'former_link', 'unknown_account',
                                                  'no_currency', 'waiting')),
  -- the run that it asked for, or that answers it together with others
  run_id          uuid REFERENCES sync_runs (run_id) ON DELETE SET NULL,
  correlation_id  text NOT NULL,
  deliveries      integer NOT NULL DEFAULT 1 CHECK (deliveries >= 1),
  retry_at        timestamptz,
  recorded_at     timestamptz NOT NULL DEFAULT pipeline_now(),
  CONSTRAINT only_what_waits_is_retried CHECK ((effect = 'waiting') = (retry_at IS NOT NULL)),
  CONSTRAINT only_a_known_account_is_read CHECK (run_id IS NULL OR account_id IS NOT NULL)
);
CREATE INDEX webhook_inbox_of_link ON webhook_inbox (mono_account_id);
CREATE INDEX webhook_inbox_of_account ON webhook_inbox (account_id);
CREATE INDEX webhook_inbox_of_run ON webhook_inbox (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX webhook_inbox_waiting ON webhook_inbox (retry_at) WHERE retry_at IS NOT NULL;

ALTER TABLE bank_accounts
  -- when the bank last asked for the customer, and when it last let us in: both only rise, so that no order of events matters
  ADD COLUMN reauth_required_at timestamptz,
  ADD COLUMN link_proven_at     timestamptz,
  -- when it was found out otherwise than by an event that the link is gone, or there again
  ADD COLUMN found_unlinked_at  timestamptz,
  ADD COLUMN found_linked_at    timestamptz,
  -- Banks lag behind a new link: the run after the first one is asked for at this time, not an interval later.
  ADD COLUMN look_again_at      timestamptz;

-- How a link stands that is not unlinked. What cannot be told apart in time is taken for broken.
CREATE FUNCTION link_status_of(reauth_required_at timestamptz, link_proven_at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN reauth_required_at IS NULL OR reauth_required_at < link_proven_at THEN 'linked' ELSE 'reauth_required' END
$$;

-- An account that was known to want its customer goes on wanting it.
UPDATE bank_accounts SET reauth_required_at = pipeline_now() WHERE link_status = 'reauth_required';

GRANT SELECT, INSERT, UPDATE ON webhook_inbox TO pipeline;
