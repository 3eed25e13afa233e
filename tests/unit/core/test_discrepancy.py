"""A mismatch in detail: how much of it is kept, and how it is shown."""

from __future__ import annotations

from datetime import date

from mono_pipeline.core.discrepancy import MAX_ROWS, DifferingRow, DifferingRows, Discrepancy, RowFault
from mono_pipeline.core.verdict import DifferingDay

MONDAY = date(2026, 6, 15)


def rows(first: int, last: int) -> tuple[DifferingRow, ...]:
    """Rows with running numbers for ids."""
    return tuple(
        DifferingRow(
            day=MONDAY,
            mono_transaction_id=f"{number}",
            fault=RowFault.DIFFERS,
            fields={"amount": {"bank": number, "stored": 0}},
        )
        for number in range(first, last)
    )


def test_the_first_rows_are_kept_and_all_are_counted() -> None:
    """In the order in which they were found, twenty at most."""
    both = DifferingRows(rows=rows(0, 15), total=15) + DifferingRows(rows=rows(15, 30), total=40)

    assert both == DifferingRows(rows=rows(0, MAX_ROWS), total=55)
    assert DifferingRows() + DifferingRows(rows=rows(0, 2), total=2) == DifferingRows(rows=rows(0, 2), total=2)


def test_a_discrepancy_is_shown_with_its_days_and_rows() -> None:
    """As it is stored with the run."""
    day = DifferingDay(
        day=MONDAY, bank_rows=1, stored_rows=2, bank_credits=3, stored_credits=4, bank_debits=5, stored_debits=6
    )
    shown = Discrepancy(
        days_differing=7, days=[day], found=DifferingRows(rows=rows(1, 2), total=9), unread="Mono did not answer"
    ).as_json()

    assert shown == {
        "days_differing": 7,
        "days": [
            {
                "day": "2026-06-15",
                "bank_rows": 1,
                "stored_rows": 2,
                "bank_credits": 3,
                "stored_credits": 4,
                "bank_debits": 5,
                "stored_debits": 6,
            }
        ],
        "rows_differing": 9,
        "rows": [{"day": "2026-06-15", "id": "1", "fault": "differs", "fields": {"amount": {"bank": 1, "stored": 0}}}],
        "unread": "Mono did not answer",
    }
