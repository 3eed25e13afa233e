"""What is compared of a booking day: how many rows, their credits and debits, and which rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.core.verdict import DifferingDay

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date


class DayDigest(Struct, frozen=True, kw_only=True):
    """Sums in minor units; `weight` is the sum of 64-bit hashes of each row's id, day and signed amount."""

    rows: int = 0
    credits: int = 0
    debits: int = 0
    weight: int = 0

    def __add__(self, other: DayDigest) -> DayDigest:
        return DayDigest(
            rows=self.rows + other.rows,
            credits=self.credits + other.credits,
            debits=self.debits + other.debits,
            weight=self.weight + other.weight,
        )


NO_ROWS = DayDigest()


def differing_days(bank: Mapping[date, DayDigest], stored: Mapping[date, DayDigest]) -> list[DifferingDay]:
    """The days on which two sides are not alike, oldest first."""
    return [
        DifferingDay(
            day=day,
            bank_rows=bank.get(day, NO_ROWS).rows,
            stored_rows=stored.get(day, NO_ROWS).rows,
            bank_credits=bank.get(day, NO_ROWS).credits,
            stored_credits=stored.get(day, NO_ROWS).credits,
            bank_debits=bank.get(day, NO_ROWS).debits,
            stored_debits=stored.get(day, NO_ROWS).debits,
        )
        for day in sorted(bank.keys() | stored.keys())
        if bank.get(day, NO_ROWS) != stored.get(day, NO_ROWS)
    ]
