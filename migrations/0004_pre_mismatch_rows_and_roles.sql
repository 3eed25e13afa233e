-- What a mismatch was made of, kept with its run; and the role that the functions connect as, which can add to the history
-- and never rewrite it.

-- The first days on which a complete pass and the tables differ, both sides of each, and the rows that make the difference:
-- {"days_differing", "days": [...], "rows_differing", "rows": [...], "unread"}. Null for every other verdict.
ALTER TABLE sync_runs ADD COLUMN mismatch jsonb;
ALTER TABLE sync_runs ADD CONSTRAINT only_a_mismatch_has_rows CHECK (mismatch IS NULL OR verdict = 'mismatch');

-- Who logs in. `pipeline` is the functions' role and owns nothing; `reader` is the platform's. Migrations are run by the owner of
-- the tables. Where the database lets people in by IAM (Amazon RDS), so it does these two.
DO $$ BEGIN
  CREATE ROLE pipeline LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- roles belong to the server, not to this database
END $$;
DO $$ BEGIN
  IF NOT (SELECT rolcanlogin FROM pg_roles WHERE rolname = 'reader') THEN
    ALTER ROLE reader LOGIN;
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam') THEN
    GRANT rds_iam TO pipeline, reader;
  END IF;
END $$;

-- From PostgreSQL 15 on nobody else may create here; a database that was upgraded still lets everyone.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO pipeline;

-- Nothing of a bank's rows is ever deleted, and a version that was superseded is never touched again.
GRANT SELECT, INSERT, UPDATE ON bank_accounts, sync_runs, bank_transactions, quarantined_transactions, duplicate_suspicions TO pipeline;
GRANT SELECT, INSERT ON bank_transaction_versions, coverage_ledger TO pipeline;
-- Notes that are over once they have served.
GRANT SELECT, INSERT, UPDATE, DELETE ON account_aliases TO pipeline;
GRANT SELECT, INSERT, DELETE ON sync_flushes, removal_evidence TO pipeline;
GRANT SELECT, UPDATE ON provider_budget TO pipeline;
GRANT SELECT ON canonical_bank_transactions, transaction_versions TO pipeline;
