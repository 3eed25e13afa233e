-- Whether its account exists is asked once for a whole statement of transactions. A foreign key asks for every row by itself:
-- for the 1,000 rows of a flush, which are of one account, that was a fifth of the time they took to land. What it promises
-- stays promised, under the same name and SQLSTATE: no transaction without its account, whoever writes and whatever races.
ALTER TABLE bank_transactions DROP CONSTRAINT bank_transactions_account_id_fkey;

CREATE FUNCTION refuse_transactions_without_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  asked_for CONSTANT bigint[] := ARRAY (SELECT DISTINCT account_id FROM written);
BEGIN
  -- as a foreign key does: whoever deletes the account waits for us, or we wait and then miss it
  PERFORM FROM bank_accounts WHERE id = ANY (asked_for) ORDER BY id FOR KEY SHARE;
  IF EXISTS (SELECT FROM unnest(asked_for) AS asked (id) WHERE NOT EXISTS (SELECT FROM bank_accounts WHERE bank_accounts.id = asked.id)) THEN
    RAISE EXCEPTION 'a transaction names an account that does not exist'
      USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'bank_transactions_account_id_fkey', TABLE = 'bank_transactions';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER of_an_account AFTER INSERT ON bank_transactions REFERENCING NEW TABLE AS written
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_transactions_without_account();

CREATE FUNCTION refuse_to_move_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a transaction stays with its account'
    USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'bank_transactions_account_id_fkey', TABLE = 'bank_transactions';
END $$;
CREATE TRIGGER of_one_account BEFORE UPDATE ON bank_transactions
  FOR EACH ROW WHEN (OLD.account_id <> NEW.account_id) EXECUTE FUNCTION refuse_to_move_transaction();

-- The trigger has locked the account's row when this looks, so it sees what every earlier writer committed.
CREATE FUNCTION refuse_to_orphan_transactions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM bank_transactions WHERE account_id = OLD.id) THEN
    RAISE EXCEPTION 'the account has transactions'
      USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'bank_transactions_account_id_fkey', TABLE = 'bank_accounts';
  END IF;
  RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER with_transactions BEFORE DELETE ON bank_accounts
  FOR EACH ROW EXECUTE FUNCTION refuse_to_orphan_transactions();
CREATE TRIGGER with_transactions_renamed BEFORE UPDATE OF id ON bank_accounts
  FOR EACH ROW WHEN (OLD.id <> NEW.id) EXECUTE FUNCTION refuse_to_orphan_transactions();

-- The digest's arrays are written once and read once: compressing them takes longer than writing them.
ALTER TABLE sync_flushes
  ALTER COLUMN days SET STORAGE EXTERNAL, ALTER COLUMN counts SET STORAGE EXTERNAL, ALTER COLUMN credits SET STORAGE EXTERNAL,
  ALTER COLUMN debits SET STORAGE EXTERNAL, ALTER COLUMN id_sums SET STORAGE EXTERNAL;
