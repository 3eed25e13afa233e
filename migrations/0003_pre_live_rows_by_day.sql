-- The rows by day are the live ones in every question, and an index of those alone cannot be taken for finding one row by its
-- id. The planner does take the other one: of an account that was small when statistics were last gathered it expects one row
-- by either index, prefers the narrower, and a flush of 1,000 rows then reads the whole account 1,000 times.
CREATE INDEX bank_transactions_live_by_day ON bank_transactions (account_id, booking_date) WHERE disappeared_at IS NULL;
DROP INDEX bank_transactions_by_day;

-- 64-bit hashes do not compress; trying costs more than all the rest of the row.
ALTER TABLE sync_flushes ALTER COLUMN ids SET STORAGE EXTERNAL, ALTER COLUMN rejected_ids SET STORAGE EXTERNAL;
