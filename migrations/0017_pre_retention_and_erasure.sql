-- What is kept is kept for a time that is written down; an account can be erased; and every role has its own limits.

-- The ops function connects as this role: all that the pipeline's may do, and the two functions below.
DO $$ BEGIN
  CREATE ROLE ops LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- roles belong to the server, not to this database
END $$;
DO $$ BEGIN
  IF NOT pg_has_role('ops', 'pipeline', 'member') THEN
    GRANT pipeline TO ops;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam') THEN
    GRANT rds_iam TO ops;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;

-- Limits by role, for this database. A name is looked for in `public` and nowhere before it; a statement ends before the function that
-- sent it is stopped; a transaction whose function froze lets go of its locks. In a database that was copied from a template they are not.
DO $$
DECLARE
  limits CONSTANT text[][] := ARRAY[
    ['pipeline', '60s', '15s', '60s'], ['ops', '240s', '15s', '60s'], ['reader', '30s', '5s', '30s'], ['monitor', '10s', '2s', '10s']];
  one text[];
BEGIN
  FOREACH one SLICE 1 IN ARRAY limits LOOP
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = public, pg_temp', one[1], current_database());
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET statement_timeout = %L', one[1], current_database(), one[2]);
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET lock_timeout = %L', one[1], current_database(), one[3]);
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET idle_in_transaction_session_timeout = %L', one[1], current_database(), one[4]);
  END LOOP;
END $$;


-- How long what is kept. Changed by the owner alone, by a migration; docs/data-map.md says the same.
CREATE TABLE retention (
  what text PRIMARY KEY,
  keep interval NOT NULL CHECK (keep >= interval '30 days')
);
INSERT INTO retention (what, keep) VALUES
  ('closed quarantine', '90 days'),
  ('quarantine not seen', '400 days'),
  ('runs', '90 days'),
  ('coverage', '90 days'),
  ('webhooks', '180 days'),
  ('archived dead letters', '180 days'),
  ('unreadable messages', '90 days'),
  ('dead letter actions', '400 days');
GRANT SELECT ON retention TO ops;

CREATE INDEX sync_runs_past ON sync_runs (finished_at) WHERE status <> 'running';
CREATE INDEX webhook_inbox_past ON webhook_inbox (received_at);
CREATE INDEX coverage_ledger_past ON coverage_ledger (read_at);
CREATE INDEX quarantined_transactions_past ON quarantined_transactions (closed_at) WHERE closed_at IS NOT NULL;

-- Forgets at most `at_most` rows of one kind and says how many; the oldest first, and none that somebody else holds.
CREATE FUNCTION forget_past(kind text, at_most integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  since timestamptz;
  gone integer;
BEGIN
  SELECT pipeline_now() - keep INTO STRICT since FROM retention WHERE what = kind;
  CASE kind
    WHEN 'closed quarantine' THEN
      DELETE FROM quarantined_transactions WHERE id IN (
        SELECT id FROM quarantined_transactions WHERE closed_at < since ORDER BY closed_at LIMIT at_most FOR UPDATE SKIP LOCKED);
    WHEN 'quarantine not seen' THEN
      DELETE FROM quarantined_transactions WHERE id IN (
        SELECT id FROM quarantined_transactions WHERE closed_at IS NULL AND last_seen_at < since LIMIT at_most FOR UPDATE SKIP LOCKED);
    WHEN 'runs' THEN
      -- not an account's newest run, nor the one that made it a dead letter: they say how it stands
      DELETE FROM sync_runs WHERE run_id IN (
        SELECT r.run_id FROM sync_runs r JOIN bank_accounts a ON a.id = r.account_id
         WHERE r.status <> 'running' AND r.finished_at < since AND a.dead_letter_run IS DISTINCT FROM r.run_id
           AND EXISTS (SELECT FROM sync_runs n WHERE n.account_id = r.account_id AND n.requested_at > r.requested_at)
         ORDER BY r.finished_at LIMIT at_most FOR UPDATE OF r SKIP LOCKED);
    WHEN 'coverage' THEN
      -- only what a later reading covers whole, so that no day that was read becomes one that was not
      DELETE FROM coverage_ledger WHERE (account_id, run_id) IN (
        SELECT l.account_id, l.run_id FROM coverage_ledger l
         WHERE l.read_at < since
           AND EXISTS (SELECT FROM coverage_ledger n WHERE n.account_id = l.account_id AND n.read_at > l.read_at
                         AND n.first_day <= l.first_day AND n.last_day >= l.last_day)
         ORDER BY l.read_at LIMIT at_most FOR UPDATE OF l SKIP LOCKED);
    WHEN 'webhooks' THEN
      DELETE FROM webhook_inbox WHERE event_key IN (
        SELECT event_key FROM webhook_inbox WHERE received_at < since AND effect <> 'waiting'
         ORDER BY received_at LIMIT at_most FOR UPDATE SKIP LOCKED);
    WHEN 'archived dead letters' THEN
      DELETE FROM dead_letter_archive WHERE message_id IN (
        SELECT message_id FROM dead_letter_archive WHERE archived_at < since ORDER BY archived_at LIMIT at_most FOR UPDATE SKIP LOCKED);
    WHEN 'unreadable messages' THEN
      DELETE FROM quarantined_messages WHERE message_id IN (
        SELECT message_id FROM quarantined_messages WHERE received_at < since LIMIT at_most FOR UPDATE SKIP LOCKED);
    WHEN 'dead letter actions' THEN
      DELETE FROM dead_letter_actions WHERE action_id IN (
        SELECT d.action_id FROM dead_letter_actions d
         WHERE d.finished_at < since AND NOT EXISTS (SELECT FROM dead_letter_archive x WHERE x.action_id = d.action_id)
         LIMIT at_most FOR UPDATE SKIP LOCKED);
  END CASE;
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END $$;
REVOKE EXECUTE ON FUNCTION forget_past(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION forget_past(text, integer) TO ops;


ALTER TABLE bank_accounts ADD COLUMN erased_at timestamptz;
COMMENT ON COLUMN bank_accounts.erased_at IS 'its personal data are gone; what is left of it are tombstones';

-- Who erased which account, when and why: kept for good, since it proves that it was done.
CREATE TABLE erasures (
  account_id   bigint PRIMARY KEY REFERENCES bank_accounts (id),
  erasure_id   uuid NOT NULL UNIQUE,
  erased_at    timestamptz NOT NULL,
  erased_by    text NOT NULL CHECK (erased_by ~ '^\S{1,200}$'),
  reason       text NOT NULL CHECK (reason <> ''),
  transactions bigint NOT NULL,
  versions     bigint NOT NULL,
  quarantined  bigint NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON erasures
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_history();
GRANT SELECT ON erasures TO ops;

-- History is append-only, but for an erasure: nobody has the right to UPDATE it except the owner of erase_account(), which says so for its
-- own transaction.
CREATE FUNCTION refuse_to_rewrite_unless_erasing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND current_setting('mono_pipeline.erasing', true) = 'yes' THEN
    RETURN NULL;
  END IF;
  RAISE EXCEPTION '% on % is refused: history is append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
DROP TRIGGER append_only ON bank_transaction_versions;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON bank_transaction_versions
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_unless_erasing();

-- Whatever comes later - an import, a webhook, a run that was under way - an erased account stays erased, and is never read again.
CREATE FUNCTION keep_erased() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.erased_at := OLD.erased_at;
  NEW.mono_customer_id := NULL;
  NEW.reference := NULL;
  NEW.account_number := NULL;
  NEW.balance_minor := NULL;
  NEW.link_status := 'unlinked';
  RETURN NEW;
END $$;
CREATE TRIGGER stays_erased BEFORE UPDATE ON bank_accounts FOR EACH ROW
  WHEN (OLD.erased_at IS NOT NULL) EXECUTE FUNCTION keep_erased();

-- Takes what is personal out of an account and leaves tombstones: each row keeps its id, booking date and version, says nothing any more
-- and has disappeared, so that whoever polls changes learns of it. Erasing twice is erasing once.
CREATE FUNCTION erase_account(account text, actor text, because text) RETURNS SETOF erasures
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  target bigint;
  erased_before timestamptz;
  this uuid := gen_random_uuid();
  instant timestamptz := pipeline_now();
  rows_erased bigint;
  versions_erased bigint;
  quarantine_erased bigint;
BEGIN
  SELECT id, erased_at INTO target, erased_before FROM bank_accounts
   WHERE mono_account_id = account OR id = (SELECT account_id FROM account_aliases WHERE mono_account_id = account)
   FOR UPDATE;
  IF target IS NULL THEN
    RETURN;
  END IF;
  IF erased_before IS NOT NULL THEN
    RETURN QUERY SELECT * FROM erasures WHERE account_id = target;
    RETURN;
  END IF;
  PERFORM set_config('mono_pipeline.erasing', 'yes', true);

  -- a run that is under way commits nothing more: its fence is an older one
  DELETE FROM sync_flushes WHERE run_id IN (SELECT run_id FROM sync_runs WHERE account_id = target);
  UPDATE sync_runs SET status = 'stopped', finished_at = instant WHERE account_id = target AND status = 'running';
  UPDATE sync_runs SET mismatch = NULL WHERE account_id = target AND mismatch IS NOT NULL;
  DELETE FROM landed_flushes WHERE account_id = target;
  DELETE FROM removal_evidence WHERE account_id = target;
  DELETE FROM quarantined_transactions WHERE account_id = target;
  GET DIAGNOSTICS quarantine_erased = ROW_COUNT;
  UPDATE dead_letter_archive SET body = '{}' WHERE account_id IN (
    SELECT mono_account_id FROM bank_accounts WHERE id = target
    UNION ALL SELECT mono_account_id FROM account_aliases WHERE account_id = target);

  INSERT INTO bank_transaction_versions
    (account_id, mono_transaction_id, version, amount_minor, direction, currency, narration, category, balance_after_minor,
     occurred_at, booking_date, occurred_text, extra, disappeared_at, changed_at, run_id, superseded_at, superseded_by)
  SELECT account_id, mono_transaction_id, version, amount_minor, direction, currency, narration, category, balance_after_minor,
         occurred_at, booking_date, occurred_text, extra, disappeared_at, changed_at, run_id, instant, this
    FROM bank_transactions WHERE account_id = target;
  UPDATE bank_transaction_versions
     SET amount_minor = 0, narration = '', category = NULL, balance_after_minor = NULL, extra = NULL
   WHERE account_id = target;
  GET DIAGNOSTICS versions_erased = ROW_COUNT;
  UPDATE bank_transactions
     SET amount_minor = 0, narration = '', category = NULL, balance_after_minor = NULL, extra = NULL,
         version = version + 1, changed_at = instant, run_id = this, disappeared_at = coalesce(disappeared_at, instant)
   WHERE account_id = target;
  GET DIAGNOSTICS rows_erased = ROW_COUNT;

  UPDATE bank_accounts
     SET fence = fence + 1, lease_until = NULL, lease_run_id = NULL, mono_customer_id = NULL, reference = NULL, account_number = NULL,
         balance_minor = NULL, bank_code = NULL, link_status = 'unlinked', found_unlinked_at = instant, realtime = 'never',
         look_again_at = NULL, dead_lettered_at = NULL, dead_letter_run = NULL, dead_letter_sent_at = NULL, erased_at = instant
   WHERE id = target;
  PERFORM set_config('mono_pipeline.erasing', 'no', true);
  RETURN QUERY INSERT INTO erasures VALUES
    (target, this, instant, actor, because, rows_erased, versions_erased, quarantine_erased) RETURNING *;
END $$;
REVOKE EXECUTE ON FUNCTION erase_account(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_account(text, text, text) TO ops;
