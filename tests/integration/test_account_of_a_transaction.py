"""No transaction without its account: asked once a statement, and held against whoever writes and whatever races."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from mono_pipeline.adapters.postgres import Database, StatementRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mono_pipeline.adapters.postgres import DatabaseAddress

pytestmark = pytest.mark.integration

VIOLATION = ("23503", "bank_transactions_account_id_fkey")
ROWS = """
INSERT INTO bank_transactions (account_id, mono_transaction_id, amount_minor, direction, currency, narration,
                               occurred_at, booking_date, occurred_text, changed_at, run_id)
SELECT account, account || '-' || n, 1, 'debit', 'NGN', '', '2026-03-01T12:00:00Z', '2026-03-01', '', now(),
       gen_random_uuid()
FROM unnest(:accounts::bigint[]) WITH ORDINALITY AS r (account, n)"""


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:
    """Two accounts; the first has a transaction."""
    connection = Database(address)
    for digit in "ab":
        connection.rows(
            "INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency) VALUES (:id, :id, 'NGN')",
            id=digit * 24,
        )
    connection.rows(ROWS, accounts=[1])
    yield connection
    connection.close()


def refusal(database: Database, statement: str, **parameters: object) -> tuple[str, str | None]:
    """How PostgreSQL refuses a statement."""
    with pytest.raises(StatementRefused) as refused:
        database.rows(statement, **parameters)
    return refused.value.sqlstate, refused.value.constraint


def test_one_unknown_account_among_many_rows_refuses_all(database: Database) -> None:
    """The statement writes nothing."""
    assert refusal(database, ROWS, accounts=[2, 2, 3, 1]) == VIOLATION
    assert database.rows("SELECT count(*) AS n FROM bank_transactions")[0]["n"] == 1


def test_a_transaction_stays_with_its_account(database: Database) -> None:
    """Neither to another one nor to none."""
    assert refusal(database, "UPDATE bank_transactions SET account_id = 2") == VIOLATION
    assert refusal(database, "UPDATE bank_transactions SET account_id = 77") == VIOLATION


def test_an_account_with_transactions_is_neither_deleted_nor_renumbered(database: Database) -> None:
    """One without them may go."""
    assert refusal(database, "DELETE FROM bank_accounts WHERE id = 1") == VIOLATION
    assert refusal(database, "UPDATE bank_accounts SET id = DEFAULT WHERE id = 1") == VIOLATION
    assert len(database.rows("DELETE FROM bank_accounts WHERE id = 2 RETURNING id")) == 1


def test_whoever_deletes_an_account_waits_for_rows_that_are_being_written(
    database: Database, address: DatabaseAddress
) -> None:
    """The account looks empty when the delete begins; it is not when the writer has committed."""
    other, outcome = Database(address), []

    def delete() -> None:
        try:
            other.rows("DELETE FROM bank_accounts WHERE id = 2")
        except StatementRefused as refused:
            outcome.append((refused.sqlstate, refused.constraint))

    with database.transaction():
        database.rows(ROWS, accounts=[2])
        deleting = threading.Thread(target=delete)
        deleting.start()
        _until_somebody_waits_for_a_lock(address)
    deleting.join(timeout=30)
    other.close()

    assert outcome == [VIOLATION]


def test_whoever_writes_rows_waits_for_an_account_that_is_being_deleted(
    database: Database, address: DatabaseAddress
) -> None:
    """The account is there when the insert begins; it is not when the delete has committed."""
    other, outcome = Database(address), []

    def write() -> None:
        try:
            other.rows(ROWS, accounts=[2])
        except StatementRefused as refused:
            outcome.append((refused.sqlstate, refused.constraint))

    with database.transaction():
        database.rows("DELETE FROM bank_accounts WHERE id = 2")
        writing = threading.Thread(target=write)
        writing.start()
        _until_somebody_waits_for_a_lock(address)
    writing.join(timeout=30)
    other.close()

    assert outcome == [VIOLATION]


def _until_somebody_waits_for_a_lock(address: DatabaseAddress) -> None:
    watcher = Database(address)
    waiting = (
        "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while not watcher.rows(waiting)[0]["n"]:
        pass
    watcher.close()
