-- Which accounts are read no more until a person or a replay says so is for the platform to see.
GRANT SELECT (failure_streak, dead_lettered_at, dead_letter_run) ON bank_accounts TO reader;
