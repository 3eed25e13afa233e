-- Per-account truth for monitoring: what a CloudWatch metric per account would cost, one view gives for nothing. The role `monitor` may
-- read it and nothing else: no transaction, no balance, no name.

-- Runs that ended and rows that they changed, by account: counters that only rise, kept as runs end, since counting sync_runs at each
-- scrape would read all of history.
CREATE TABLE account_counters (
  account_id       bigint PRIMARY KEY REFERENCES bank_accounts (id) ON DELETE CASCADE,
  completed        bigint NOT NULL DEFAULT 0,
  incomplete       bigint NOT NULL DEFAULT 0,
  failed           bigint NOT NULL DEFAULT 0,
  stopped          bigint NOT NULL DEFAULT 0,
  rows_inserted    bigint NOT NULL DEFAULT 0,
  rows_updated     bigint NOT NULL DEFAULT 0,
  rows_quarantined bigint NOT NULL DEFAULT 0,
  -- of the newest run that ended with one
  verdict          text
) WITH (fillfactor = 70);

-- In the transaction that ends the run, so that the counters are never ahead of it or behind it.
CREATE FUNCTION count_ended_run() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  INSERT INTO account_counters AS counted (account_id, completed, incomplete, failed, stopped,
                                           rows_inserted, rows_updated, rows_quarantined, verdict)
  VALUES (NEW.account_id, (NEW.status = 'completed')::int, (NEW.status = 'incomplete')::int, (NEW.status = 'failed')::int,
          (NEW.status = 'stopped')::int, NEW.rows_inserted, NEW.rows_updated, NEW.rows_quarantined, NEW.verdict)
  ON CONFLICT (account_id) DO UPDATE SET
    completed = counted.completed + EXCLUDED.completed,
    incomplete = counted.incomplete + EXCLUDED.incomplete,
    failed = counted.failed + EXCLUDED.failed,
    stopped = counted.stopped + EXCLUDED.stopped,
    rows_inserted = counted.rows_inserted + EXCLUDED.rows_inserted,
    rows_updated = counted.rows_updated + EXCLUDED.rows_updated,
    rows_quarantined = counted.rows_quarantined + EXCLUDED.rows_quarantined,
    verdict = coalesce(EXCLUDED.verdict, counted.verdict);
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION count_ended_run() FROM PUBLIC;
CREATE TRIGGER count_ended_run AFTER UPDATE OF status ON sync_runs FOR EACH ROW
  WHEN (OLD.status = 'running' AND NEW.status <> 'running') EXECUTE FUNCTION count_ended_run();

-- What ended before this migration.
INSERT INTO account_counters (account_id, completed, incomplete, failed, stopped, rows_inserted, rows_updated, rows_quarantined, verdict)
SELECT account_id,
       count(*) FILTER (WHERE status = 'completed'), count(*) FILTER (WHERE status = 'incomplete'),
       count(*) FILTER (WHERE status = 'failed'), count(*) FILTER (WHERE status = 'stopped'),
       sum(rows_inserted), sum(rows_updated), sum(rows_quarantined),
       (array_agg(verdict ORDER BY finished_at DESC) FILTER (WHERE verdict IS NOT NULL))[1]
FROM sync_runs WHERE status <> 'running' GROUP BY account_id;

CREATE VIEW monitored_accounts AS
  SELECT a.mono_account_id AS account_id, a.link_status, c.verdict,
         CASE WHEN a.link_status IN ('linked', 'reauth_required') THEN a.last_success_at END AS last_success_at, a.fresh_as_of,
         coalesce(c.completed, 0) AS completed, coalesce(c.incomplete, 0) AS incomplete, coalesce(c.failed, 0) AS failed,
         coalesce(c.stopped, 0) AS stopped, coalesce(c.rows_inserted, 0) AS rows_inserted,
         coalesce(c.rows_updated, 0) AS rows_updated, coalesce(c.rows_quarantined, 0) AS rows_quarantined
  FROM bank_accounts a LEFT JOIN account_counters c ON c.account_id = a.id;
COMMENT ON VIEW monitored_accounts IS 'how each account stands, without anything personal; for the account exporter';

DO $$ BEGIN
  CREATE ROLE monitor LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- roles belong to the server, not to this database
END $$;
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_iam') THEN
    GRANT rds_iam TO monitor;
  END IF;
END $$;
GRANT USAGE ON SCHEMA public TO monitor;
GRANT SELECT ON monitored_accounts TO monitor;
