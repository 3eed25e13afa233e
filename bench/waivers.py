"""Goals that are out of reach where they are measured: the written reason of each, and how far off it may be.

`waivers.toml` has them by target and row: what bounds the figure, and `limit`, beyond which the waiver does not hold.
So a goal that is waived still fails when the figure falls.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from local.results import ResultRow

FILE: Final = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """Why a goal is missed, and the worst figure for which that is the reason."""

    reason: str
    limit: float

    def holds_for(self, row: ResultRow) -> bool:
        """Whether the figure is no worse than `limit`: a goal that begins with `<=` is missed upwards."""
        value = float(row.value or 0)
        return value <= self.limit if str(row.goal).startswith("<=") else value >= self.limit


def waivers(target: str) -> dict[str, Waiver]:
    """Those of a target, by the id of their row."""
    return {key: Waiver(**told) for key, told in tomllib.loads(FILE.read_text()).get(target, {}).items()}


def waive(rows: Iterable[ResultRow], known: Mapping[str, Waiver]) -> list[ResultRow]:
    """The rows, those that miss their goal with the reason of their waiver where one holds."""
    return [
        replace(row, waived=known[row.id].reason)
        if row.goal is not None and not row.ok and row.id in known and known[row.id].holds_for(row)
        else row
        for row in rows
    ]


def judgement(row: ResultRow) -> str:
    """One word for a table: `ok`, `waived` or `MISSED`."""
    if row.ok:
        return "ok"
    return "waived" if row.waived else "MISSED"
