"""What the schema itself refuses, shows and lets be read: invariants that no code of ours can break."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.adapters.postgres import Database, StatementRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mono_pipeline.adapters.postgres import DatabaseAddress

pytestmark = pytest.mark.integration

ACCOUNT = "a" * 24
RUN = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:
    """One account, one running run, one transaction of 12.34 with one older version."""
    connection = Database(address)
    connection.rows(
        "INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency) VALUES (:id, :id, 'NGN')",
        id=ACCOUNT,
    )
    connection.rows(
        """INSERT INTO sync_runs (run_id, account_id, kind, requested_by, correlation_id, started_at)
           VALUES (:run::uuid, 1, 'full', 'test', 'c', now())""",
        run=RUN,
    )
    connection.rows(_transaction("bank_transactions"), run=RUN)
    connection.rows(
        _transaction("bank_transaction_versions", ", version, superseded_at, superseded_by", ", 1, now(), :run::uuid"),
        run=RUN,
    )
    yield connection
    connection.close()


REFUSED = {
    "a Mono id that is none": "UPDATE bank_accounts SET mono_account_id = 'x'",
    "a currency that is none": "UPDATE bank_accounts SET currency = 'naira'",
    "a link status nobody knows": "UPDATE bank_accounts SET link_status = 'dead'",
    "a lease without its run": "UPDATE bank_accounts SET lease_until = now()",
    "a fence below zero": "UPDATE bank_accounts SET fence = -1",
    "a negative amount": "UPDATE bank_transactions SET amount_minor = -1",
    "a direction nobody knows": "UPDATE bank_transactions SET direction = 'reversal'",
    "a transaction without id": "UPDATE bank_transactions SET mono_transaction_id = ''",
    "a booking day that is not the Lagos one": "UPDATE bank_transactions SET booking_date = '2026-06-17'",
    "a version zero": "UPDATE bank_transactions SET version = 0",
    "a second row of a transaction": None,
    "a second started run": """
        INSERT INTO sync_runs (run_id, account_id, kind, requested_by, correlation_id, started_at)
        VALUES (gen_random_uuid(), 1, 'incremental', 'test', 'c', now())""",
    "rows that are not accounted for": "UPDATE sync_runs SET rows_seen = 1",
    "a sum that is right with a negative part": "UPDATE sync_runs SET rows_inserted = 1, rows_updated = -1",
    "an end without its instant": "UPDATE sync_runs SET status = 'stopped'",
    "a completed run without a verdict": "UPDATE sync_runs SET status = 'completed', finished_at = now()",
    "a failed run without a code": "UPDATE sync_runs SET status = 'failed', finished_at = now()",
    "a code without a failure": "UPDATE sync_runs SET error_code = 'x'",
    "a window with one end": "UPDATE sync_runs SET window_start = '2026-01-01'",
    "a window from late to early": "UPDATE sync_runs SET window_start = '2026-01-02', window_end = '2026-01-01'",
    "a fifth pass": "UPDATE sync_runs SET pass = 5",
    "an account that goes with its transactions": "DELETE FROM bank_accounts",
    "a rewritten history": "UPDATE bank_transaction_versions SET amount_minor = 1",
    "a shortened history": "DELETE FROM bank_transaction_versions",
    "a truncated history": "TRUNCATE bank_transaction_versions",
    "tokens below zero": "UPDATE provider_budget SET tokens = -1",
    "a pause without a reason": "UPDATE provider_budget SET paused_until = now()",
}


@pytest.mark.parametrize("what", REFUSED)
def test_the_schema_refuses(database: Database, what: str) -> None:
    """Whoever writes it: a constraint holds, and the connection can be used on."""
    statement = REFUSED[what] or _transaction("bank_transactions").replace(":run::uuid", "gen_random_uuid()")

    with pytest.raises(StatementRefused):
        database.rows(statement)

    assert database.rows("SELECT amount_minor FROM bank_transactions") == [{"amount_minor": 1_234}]


def test_two_requests_for_the_same_cannot_wait_side_by_side(database: Database) -> None:
    """Two for different days can."""
    ask = """INSERT INTO sync_runs (run_id, account_id, kind, requested_by, correlation_id, window_start, window_end)
             VALUES (gen_random_uuid(), 1, 'incremental', 't', 'c', :day::date, :day::date)"""
    database.rows(ask, day=None)
    database.rows(ask, day=date(2026, 1, 1))
    database.rows(ask, day=date(2026, 1, 2))
    for day in (None, date(2026, 1, 2)):
        with pytest.raises(StatementRefused) as refused:
            database.rows(ask, day=day)
        assert refused.value.constraint == "sync_runs_one_requested"


def test_the_canonical_view_has_major_units_and_lagos_days(database: Database) -> None:
    """12.34 unsigned with its direction beside it; a row stamped 23:00Z is the next day's in Lagos."""
    (row,) = database.rows("SELECT * FROM canonical_bank_transactions")

    assert (row["mono_account_id"], row["transaction_id"]) == (ACCOUNT, "t1")
    assert (row["amount"], row["transaction_type"], row["currency"]) == (Decimal("12.34"), "debit", "NGN")
    assert row["balance_after"] == Decimal("-0.05")
    assert row["booking_date"] == date(2026, 6, 19)
    assert row["transaction_date"].isoformat() == "2026-06-18T23:00:00+00:00"


def test_the_canonical_view_leaves_out_what_the_bank_no_longer_shows(database: Database) -> None:
    """Nothing is deleted, and nothing that is gone is counted."""
    database.rows("UPDATE bank_transactions SET disappeared_at = now()")

    assert database.rows("SELECT * FROM canonical_bank_transactions") == []


READABLE = (
    "SELECT * FROM bank_transactions",
    "SELECT * FROM sync_runs",
    "SELECT * FROM quarantined_transactions",
    "SELECT * FROM canonical_bank_transactions",
    """SELECT id, mono_account_id, mono_customer_id, reference, link_status, balance_minor, currency, watermark,
              last_success_at, fresh_as_of, next_attempt_at FROM bank_accounts""",
)
CLOSED = (
    "SELECT account_number FROM bank_accounts",
    "SELECT * FROM bank_accounts",
    "SELECT * FROM sync_flushes",
    "SELECT * FROM provider_budget",
    "SELECT * FROM account_aliases",
    "UPDATE bank_transactions SET narration = ''",
    "DELETE FROM sync_runs",
    "INSERT INTO account_aliases VALUES ('aaaaaaaaaaaaaaaaaaaaaaaa', 1)",
    "CREATE TABLE mine (id int)",
    "SELECT * FROM pg_authid",
)


@pytest.mark.parametrize("statement", READABLE)
def test_the_platform_may_read(database: Database, statement: str) -> None:
    """The public tables and the view, as the role `reader`."""
    assert _as_reader(database, statement) is not None


@pytest.mark.parametrize("statement", CLOSED)
def test_the_platform_may_do_nothing_else(database: Database, statement: str) -> None:
    """No personal data beyond the public columns, no table of the machinery, and never a write."""
    with pytest.raises(StatementRefused) as refused:
        _as_reader(database, statement)

    assert refused.value.sqlstate == "42501"


def _as_reader(database: Database, statement: str) -> list[dict[str, Any]]:
    with database.transaction():
        database.rows("SET LOCAL ROLE reader")
        return database.rows(statement)


def _transaction(table: str, columns: str = "", values: str = "") -> str:
    return f"""INSERT INTO {table} (account_id, mono_transaction_id, amount_minor, direction, currency, narration,
                 balance_after_minor, occurred_at, booking_date, occurred_text, changed_at, run_id{columns})
               VALUES (1, 't1', 1234, 'debit', 'NGN', 'POS', -5, '2026-06-18T23:00Z', '2026-06-19',
                 '2026-06-18T23:00:00.000Z', now(), :run::uuid{values})"""  # noqa: S608 - names of ours
