"""PostgreSQL's plans of the statements whose cost decides whether a large account can be read at all.

Statistics are always stale when they matter: a first history of 100,000 rows lands within seconds, in a table that knew
the account as an empty one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from mono_pipeline.adapters.postgres import Database
from mono_pipeline.adapters.statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mono_pipeline.adapters.postgres import DatabaseAddress

pytestmark = pytest.mark.integration

SMALL_ACCOUNTS, ROWS = 400, 5_000


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:
    """Many accounts with one row each, looked at by ANALYZE; then the first of them grows."""
    database = Database(address)
    database.rows("ALTER TABLE bank_transactions SET (autovacuum_enabled = off)")
    database.rows(
        """INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency)
           SELECT lpad(to_hex(n), 24, '0'), lpad(to_hex(n), 24, '0'), 'NGN' FROM generate_series(1, :accounts) n""",
        accounts=SMALL_ACCOUNTS,
    )
    insert_rows(database, account="a.id", of="bank_accounts a")
    database.rows("ANALYZE")
    insert_rows(database, account="1", of=f"generate_series(1, {ROWS})")
    yield database
    database.close()


def insert_rows(database: Database, *, account: str, of: str) -> None:
    """A row of the account, an expression, for each element of a FROM clause."""
    database.rows(
        f"""INSERT INTO bank_transactions
              (account_id, mono_transaction_id, amount_minor, direction, currency, narration, occurred_at, booking_date,
               occurred_text, changed_at, run_id)
            SELECT {account}, md5(random()::text), 1, 'debit', 'NGN', '', now(), lagos_date(now()), '', now(),
                   gen_random_uuid()
            FROM {of}"""  # noqa: S608 - this module's own text
    )


def plan_of(database: Database, statement: str, **parameters: Any) -> dict[str, Any]:
    """The plan of a statement, which is not run."""
    ((plan,),) = [row.values() for row in database.rows(f"EXPLAIN (FORMAT JSON) {statement}", **parameters)]
    root: dict[str, Any] = plan[0]["Plan"]
    return root


def nodes_of(root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A node of a plan and all below it."""
    yield root
    for node in root.get("Plans", []):
        yield from nodes_of(node)


def flush_parameters() -> dict[str, Any]:
    """What a flush of an empty page gives its statement."""
    return {
        "account_id": 1,
        "run_id": uuid4(),
        "currency": "NGN",
        "rows": "[]",
        "rejected": "[]",
        "pass_number": 1,
        "first_page": 1,
        "last_page": 1,
        "rows_read": 0,
        "lowest_total": 0,
        "highest_total": 0,
        "quarantined": 0,
        "pages": 1,
        "mono_total": 0,
        "content": None,
        "row_changes": 0,
        "covered_start": None,
        "covered_end": None,
    }


def test_a_flush_finds_stored_rows_by_their_ids_however_stale_the_statistics(database: Database) -> None:
    """Else a flush reads the whole account, or reads it once for each of its rows."""
    plan = plan_of(database, statements("flush")["land_rows"], **flush_parameters())
    (compared,) = [node for node in nodes_of(plan) if node.get("Subplan Name") == "CTE compared"]
    (lookup,) = [node for node in nodes_of(compared) if node.get("Relation Name") == "bank_transactions"]
    assert lookup["Index Name"] == "one_row_per_transaction"
    assert "mono_transaction_id" in lookup["Index Cond"]


def test_missing_rows_are_found_in_one_pass_however_stale_the_statistics(database: Database) -> None:
    """Rows shown are one hash table; joined as a loop, 100,000 rows are compared with 100,000."""
    parameters = {"account_id": 1, "run_id": uuid4(), "pass_number": 1, "covered_start": None, "covered_end": None}
    plan = plan_of(database, statements("evidence")["missing_rows"], **parameters)
    (stored,) = [node for node in nodes_of(plan) if node.get("Relation Name") == "bank_transactions"]
    assert "hashed SubPlan" in stored["Filter"]


def test_running_balances_are_added_up_without_a_join(database: Database) -> None:
    """A join of days to what is left of them is a loop over all rows for each day."""
    parameters = {"account_id": 1, "covered_start": None, "covered_end": None}
    plan = plan_of(database, statements("evidence")["day_balances"], **parameters)
    assert not [node for node in nodes_of(plan) if node["Node Type"].endswith(("Join", "Loop"))]
