-- name: begin_walk
-- Takes up the walk through Mono's account list where it stopped, or a new one when it is time; nobody else is on it until
-- :hold_seconds after the last page.
UPDATE account_list_walk
   SET started_at = CASE WHEN next_page = 1 THEN pipeline_now() ELSE started_at END,
       busy_until = pipeline_now() + make_interval(secs => :hold_seconds)
 WHERE (busy_until IS NULL OR busy_until <= pipeline_now())
   AND (next_page > 1 OR finished_at IS NULL OR finished_at <= pipeline_now() - make_interval(secs => :every_seconds))
RETURNING next_page;

-- name: page_walked
-- No row means that somebody else has gone on from that page.
UPDATE account_list_walk
   SET next_page = :page + 1, busy_until = pipeline_now() + make_interval(secs => :hold_seconds)
 WHERE next_page = :page
RETURNING next_page;

-- name: end_walk
-- A whole one says which accounts Mono's list did not have.
UPDATE account_list_walk
   SET next_page = 1, finished_at = pipeline_now(), busy_until = NULL,
       whole_since = CASE WHEN :whole THEN started_at ELSE whole_since END
 WHERE next_page = :page
RETURNING next_page;

-- name: rest
UPDATE account_list_walk SET busy_until = NULL WHERE next_page = :page;

-- name: note_listed
-- Tells those that are unlinked here, had been gone from the last whole list, and are on it again; of these the mark stays until
-- their own page is had.
WITH listed AS (
  SELECT a.id, a.link_status = 'unlinked' AND coalesce(a.listed_at < w.whole_since, false) AS is_back
    FROM bank_accounts a, account_list_walk w
   WHERE a.mono_account_id = ANY (:mono_account_ids::text[]) ORDER BY a.id FOR UPDATE OF a
)
UPDATE bank_accounts a SET listed_at = CASE WHEN listed.is_back THEN a.listed_at ELSE pipeline_now() END
  FROM listed WHERE a.id = listed.id
RETURNING a.id, a.mono_account_id, listed.is_back;

-- name: unknown_ids
-- Of these ids, the ones that no account has or had.
SELECT given.id FROM unnest(:mono_account_ids::text[]) AS given (id)
 WHERE NOT EXISTS (SELECT FROM bank_accounts a WHERE a.mono_account_id = given.id)
   AND NOT EXISTS (SELECT FROM account_aliases l WHERE l.mono_account_id = given.id);

-- name: take_vanished
-- Accounts that the last whole list did not have and that are linked here, each marked as looked at.
WITH vanished AS (
  SELECT a.id FROM bank_accounts a, account_list_walk w
   WHERE a.link_status <> 'unlinked' AND coalesce(a.listed_at, a.created_at) < w.whole_since
   ORDER BY coalesce(a.listed_at, a.created_at), a.id LIMIT :limit FOR UPDATE OF a SKIP LOCKED
)
UPDATE bank_accounts a SET listed_at = pipeline_now() FROM vanished WHERE a.id = vanished.id
RETURNING a.id, a.mono_account_id;

-- name: bring_forward
-- A due time that no rule of ours gives: set by an interval that was longer, or by a clock that was wrong.
UPDATE bank_accounts SET next_attempt_at = pipeline_now()
 WHERE link_status <> 'unlinked' AND next_attempt_at > pipeline_now() + make_interval(secs => :longest_seconds)
RETURNING mono_account_id;

-- name: note_unlinked
-- Its own page is gone, and Mono's list does not have it.
UPDATE bank_accounts SET link_status = 'unlinked', found_unlinked_at = pipeline_now()
 WHERE id = :account_id AND mono_account_id = :mono_account_id AND link_status <> 'unlinked'
RETURNING id;

-- name: note_linked_again
UPDATE bank_accounts
   SET link_status = link_status_of(reauth_required_at, link_proven_at), found_linked_at = pipeline_now(), next_attempt_at = pipeline_now(), listed_at = pipeline_now()
 WHERE id = :account_id AND mono_account_id = :mono_account_id AND link_status = 'unlinked'
RETURNING id;
