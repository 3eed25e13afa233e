"""Running balances are set off against each other in the database, whatever numbers a bank supplies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mono_pipeline.adapters.postgres import Database
from mono_pipeline.adapters.statements import statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mono_pipeline.adapters.postgres import DatabaseAddress, Row

pytestmark = pytest.mark.integration

LARGEST = 2**63 - 1


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:
    """One account without rows."""
    database = Database(address)
    database.rows(
        """INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency)
           VALUES ('686265c6c41fad92985e806c', '686265c6c41fad92985e806c', 'NGN')"""
    )
    yield database
    database.close()


def balances_of(database: Database, *rows: tuple[int, str, int | None]) -> Row:
    """The day on which these rows (amount, direction, balance after) are booked."""
    for number, (amount, direction, balance) in enumerate(rows):
        database.rows(
            """INSERT INTO bank_transactions
                 (account_id, mono_transaction_id, amount_minor, direction, currency, narration, balance_after_minor,
                  occurred_at, booking_date, occurred_text, changed_at, run_id)
               SELECT id, :number::text, :amount, :direction, 'NGN', '', :balance, '2026-06-01T12:00Z', '2026-06-01',
                      '', now(), gen_random_uuid() FROM bank_accounts""",
            number=str(number),
            amount=amount,
            direction=direction,
            balance=balance,
        )
    day = database.row(
        statements("evidence")["day_balances"],
        account_id=1,
        covered_start=None,
        covered_end=None,
    )
    assert day is not None
    return day


def test_a_chain_leaves_its_two_ends(database: Database) -> None:
    """10 -> 15 -> 12 -> 20: rows in any order."""
    day = balances_of(database, (8, "credit", 20), (5, "credit", 15), (3, "debit", 12))

    assert (day["rows"], day["without"], day["loose_ends"]) == (3, 0, 2)
    assert (day["opening"], day["closing"]) == (10, 20)


def test_a_row_without_a_balance_is_counted(database: Database) -> None:
    """It breaks the chain, and is no loose end of it."""
    day = balances_of(database, (5, "credit", 15), (3, "debit", None))

    assert (day["rows"], day["without"], day["loose_ends"]) == (2, 1, 2)


@pytest.mark.parametrize(
    ("amount", "direction", "balance"),
    [(1, "debit", LARGEST), (1, "credit", -LARGEST), (LARGEST, "credit", -1), (LARGEST, "debit", 1)],
)
def test_a_balance_that_64_bits_cannot_carry_counts_as_left_out(
    database: Database, amount: int, direction: str, balance: int
) -> None:
    """Absurd numbers prove nothing, and they do not fail the run."""
    day = balances_of(database, (amount, direction, balance))

    assert (day["rows"], day["without"], day["loose_ends"]) == (1, 1, 0)
