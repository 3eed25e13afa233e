-- The release as rows: what was released by whom and why, and everything that was done and found while it was, in the order in which it
-- was. The audit trail, and all that the report of a release knows.
CREATE TABLE releases (
  id       text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
  began_at timestamptz NOT NULL DEFAULT pipeline_now(),
  actor    text NOT NULL CHECK (actor ~ '^\S{1,200}$'),
  -- what is released: a version of the code, or what the operator calls it
  version  text NOT NULL CHECK (version <> ''),
  reason   text NOT NULL CHECK (reason <> ''),
  -- said by its events and by nobody else, see follow_release_event
  status   text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'promoted', 'rolled_back', 'closed'))
);
-- Two releases at once could not be told apart by what they do to the accounts.
CREATE UNIQUE INDEX releases_one_open ON releases ((true)) WHERE status = 'open';
CREATE INDEX releases_newest ON releases (began_at DESC);

CREATE TABLE release_events (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  release_id text NOT NULL REFERENCES releases (id),
  at         timestamptz NOT NULL DEFAULT pipeline_now(),
  actor      text NOT NULL CHECK (actor ~ '^\S{1,200}$'),
  -- noun.what_happened: preflight.checked, canary.started, gate.judged, flag.changed, rollback.finished ...
  kind       text NOT NULL CHECK (kind ~ '^[a-z_]+\.[a-z_]+$'),
  detail     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(detail) = 'object')
);
CREATE INDEX release_events_in_order ON release_events (release_id, id);

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON release_events
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_history();
CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON releases
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_rewrite_history();

CREATE FUNCTION refuse_to_rewrite_release() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.id, NEW.began_at, NEW.actor, NEW.version, NEW.reason) IS DISTINCT FROM (OLD.id, OLD.began_at, OLD.actor, OLD.version, OLD.reason) THEN
    RAISE EXCEPTION 'UPDATE on releases is refused: what a release is does not change, history is append-only' USING ERRCODE = '42501';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER what_it_is_stays BEFORE UPDATE ON releases FOR EACH ROW EXECUTE FUNCTION refuse_to_rewrite_release();

-- A release is rolled back also after it was promoted; nothing else opens or closes it twice.
CREATE FUNCTION follow_release_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE releases SET status = CASE NEW.kind WHEN 'promotion.finished' THEN 'promoted'
                                             WHEN 'rollback.finished' THEN 'rolled_back'
                                             ELSE 'closed' END
   WHERE id = NEW.release_id AND (status = 'open' OR (status = 'promoted' AND NEW.kind = 'rollback.finished'));
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION follow_release_event() FROM PUBLIC;
CREATE TRIGGER followed AFTER INSERT ON release_events FOR EACH ROW
  WHEN (NEW.kind IN ('promotion.finished', 'rollback.finished', 'release.closed')) EXECUTE FUNCTION follow_release_event();

-- The functions' role tells what happened; when it did, and what that makes of the release, is not for it to say.
GRANT SELECT ON releases, release_events TO pipeline;
GRANT INSERT (id, actor, version, reason) ON releases TO pipeline;
GRANT INSERT (release_id, actor, kind, detail) ON release_events TO pipeline;

-- What the SLA is about, on the run: how long its answers were waited for, without the waits for the rate budget. Null for a run of older
-- code, and for one that asked nothing.
ALTER TABLE sync_runs ADD COLUMN fetch_seconds double precision CHECK (fetch_seconds >= 0);
-- A window of minutes is looked at by when its runs ended.
CREATE INDEX sync_runs_ended ON sync_runs (finished_at) WHERE finished_at IS NOT NULL;
