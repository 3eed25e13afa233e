-- What the last complete pass landed, flush by flush, so that the same rows need not be compared one by one when they come again
-- and nothing was written to the account in between.

-- Counts the statements that changed rows of the account, whoever made them: what was known of the rows before is void.
ALTER TABLE bank_accounts ADD COLUMN row_changes bigint NOT NULL DEFAULT 0 CHECK (row_changes >= 0);

CREATE FUNCTION count_row_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  touched CONSTANT bigint[] := ARRAY (SELECT DISTINCT account_id FROM written);
BEGIN
  PERFORM FROM bank_accounts WHERE id = ANY (touched) ORDER BY id FOR NO KEY UPDATE;
  UPDATE bank_accounts SET row_changes = row_changes + 1 WHERE id = ANY (touched);
  RETURN NULL;
END $$;
CREATE TRIGGER change_counted AFTER UPDATE ON bank_transactions REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION count_row_changes();
CREATE TRIGGER removal_counted AFTER DELETE ON bank_transactions REFERENCING OLD TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION count_row_changes();

CREATE FUNCTION count_row_changes_everywhere() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE bank_accounts SET row_changes = row_changes + 1;
  RETURN NULL;
END $$;
CREATE TRIGGER truncation_counted AFTER TRUNCATE ON bank_transactions
  FOR EACH STATEMENT EXECUTE FUNCTION count_row_changes_everywhere();

-- An insert is counted where its accounts are looked up already; the count takes the lock that the look-up needs.
CREATE OR REPLACE FUNCTION refuse_transactions_without_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  asked_for CONSTANT bigint[] := ARRAY (SELECT DISTINCT account_id FROM written);
  found_accounts integer;
BEGIN
  -- as a foreign key does: whoever deletes the account waits for us, or we wait and then miss it
  PERFORM FROM bank_accounts WHERE id = ANY (asked_for) ORDER BY id FOR NO KEY UPDATE;
  UPDATE bank_accounts SET row_changes = row_changes + 1 WHERE id = ANY (asked_for);
  GET DIAGNOSTICS found_accounts = ROW_COUNT;
  IF found_accounts < cardinality(asked_for) THEN
    RAISE EXCEPTION 'a transaction names an account that does not exist'
      USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'bank_transactions_account_id_fkey', TABLE = 'bank_transactions';
  END IF;
  RETURN NULL;
END $$;

-- Of a flush: the digest of the text it landed (null where it quarantined rows), and the account's count before and after it.
ALTER TABLE sync_flushes
  ADD COLUMN content bytea CHECK (octet_length(content) = 32),
  ADD COLUMN row_changes_before bigint,
  ADD COLUMN row_changes_after bigint,
  ALTER COLUMN ids SET STORAGE EXTERNAL;

-- Good for as long as the account's count is the one it was landed at.
CREATE TABLE landed_flushes (
  account_id  bigint NOT NULL REFERENCES bank_accounts (id) ON DELETE CASCADE,
  content     bytea  NOT NULL CHECK (octet_length(content) = 32),
  row_changes bigint NOT NULL,
  -- as in sync_flushes
  ids     bigint[]  NOT NULL,
  days    date[]    NOT NULL,
  counts  bigint[]  NOT NULL,
  credits numeric[] NOT NULL,
  debits  numeric[] NOT NULL,
  weights numeric[] NOT NULL,
  PRIMARY KEY (account_id, content)
);
ALTER TABLE landed_flushes
  ALTER COLUMN ids SET STORAGE EXTERNAL, ALTER COLUMN days SET STORAGE EXTERNAL, ALTER COLUMN counts SET STORAGE EXTERNAL,
  ALTER COLUMN credits SET STORAGE EXTERNAL, ALTER COLUMN debits SET STORAGE EXTERNAL, ALTER COLUMN weights SET STORAGE EXTERNAL;
GRANT SELECT, INSERT, UPDATE, DELETE ON landed_flushes TO pipeline;
