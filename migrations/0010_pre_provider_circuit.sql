-- The circuit to Mono: open while nobody may call but one probe at a time, closed by the first success of a probe.
ALTER TABLE provider_budget
  ADD COLUMN opened_at   timestamptz,
  ADD COLUMN open_reason text,
  -- until when the probe under way may take; after it, or when it failed and the pause is over, another one may probe
  ADD COLUMN probe_until timestamptz,
  -- accounts whose runs found Mono down, one after the other, with no success of anybody in between
  ADD COLUMN failing_accounts bigint[] NOT NULL DEFAULT '{}',
  ADD CONSTRAINT an_open_circuit_has_a_reason CHECK ((opened_at IS NULL) = (open_reason IS NULL)),
  ADD CONSTRAINT only_an_open_circuit_is_probed CHECK (probe_until IS NULL OR opened_at IS NOT NULL);
