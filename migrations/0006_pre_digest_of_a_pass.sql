-- What a row weighs in a digest: its id, booking day and signed amount in 64 bits. Two sets of rows of the same number and the
-- same sum of weights are the same set, day by day and amount by amount, but for a chance of one in 2^64.
CREATE FUNCTION transaction_weight(mono_transaction_id text, booking_date date, amount_minor bigint, direction text)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT hashtextextended(mono_transaction_id,
    hashint8extended(CASE direction WHEN 'credit' THEN amount_minor ELSE -amount_minor END, booking_date - DATE '2000-01-01'))
$$;

-- Of the rows on the days that the run answers for. Flushes of runs that were under way agree with nothing, and are compared day
-- by day.
ALTER TABLE sync_flushes ADD COLUMN covered_rows bigint NOT NULL DEFAULT 0, ADD COLUMN covered_weight numeric NOT NULL DEFAULT 0;

-- A day's digest weighs its rows, not its ids alone: two amounts that are exchanged within a day are seen too. The column of
-- before stays until the code that writes it is gone: a migration comes before the code, and the code may be rolled back.
ALTER TABLE sync_flushes ADD COLUMN weights numeric[] NOT NULL DEFAULT '{}', ALTER COLUMN id_sums SET DEFAULT '{}';
ALTER TABLE sync_flushes ALTER COLUMN weights SET STORAGE EXTERNAL;
