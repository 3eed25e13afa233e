"""What was seen in the tables, as two tables to look at and as rows with their goals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from bench.changed_bank import ACCOUNTS, TRANSACTIONS
from local.results import ResultRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.changed_bank import Comparison


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One line of the table."""

    name: str
    run: str
    comparison: Comparison
    exit_code: int
    says: str
    is_ours: bool


def changes_table(lines: Sequence[Seen]) -> Table:
    """Who has which of the changes; `set` and `sum` say whether the rows, and what they come to, are the bank's."""
    table = Table(
        box=box.SIMPLE,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        title=f"{ACCOUNTS} accounts x {TRANSACTIONS:,}; one late, amended, removed, new row in each",
    )
    table.add_column("", no_wrap=True)
    for heading in ("rows", "set", "sum", "late", "am.", "rem", "new", "exit"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("says of it", no_wrap=True)
    for line in lines:
        found = line.comparison
        table.add_row(
            f"ours, {line.run}" if line.is_ours else line.name,
            f"{found.rows}",
            _yes(found.same_rows),
            _yes(found.same_sum),
            *(f"{seen}/{ACCOUNTS}" for seen in (found.late, found.amended, found.removed, found.new)),
            f"{line.exit_code}",
            line.says,
        )
    return table


def outage_table(lines: Sequence[Seen]) -> Table:
    """Who still has an account's rows while Mono has not got them."""
    table = Table(
        box=box.SIMPLE,
        pad_edge=False,
        title="then one account's data are not there for a while: an empty list, status 200",
    )
    for heading in ("", "rows kept", "exit", "says of it"):
        table.add_column(heading, justify="left" if heading in {"", "says of it"} else "right")
    for line in lines:
        table.add_row(line.name, f"{line.comparison.rows}", f"{line.exit_code}", line.says)
    return table


def result_rows(changes: Sequence[Seen], outages: Sequence[Seen]) -> list[ResultRow]:
    """Every line; ours have the goal that exit 0 means right and everything else says why not."""
    rows = [
        ResultRow(
            id=f"{line.name}.{line.run}".replace(" ", "_"),
            what=f"{line.name}, {line.run}: rows right, late/amended/removed/new seen, exit, says",
            value=(
                f"{_yes(line.comparison.right)} {line.comparison.late}/{line.comparison.amended}"
                f"/{line.comparison.removed}/{line.comparison.new} {line.exit_code} {line.says}"
            ),
            goal="right where the exit code is 0, and not 0 where it is not right" if line.is_ours else None,
            ok=not line.is_ours or (line.exit_code == 0) == line.comparison.right,
        )
        for line in changes
    ]
    last = [line for line in changes if line.is_ours][-1]
    rows.append(
        ResultRow(
            id="ours.in_the_end",
            what="our tables are the bank's when the schedule has had its time",
            value=last.comparison.right,
            goal=True,
            ok=last.comparison.right and last.exit_code == 0,
        )
    )
    rows += [
        ResultRow(
            id=f"{line.name}.outage".replace(" ", "_"),
            what=f"{line.name}: rows kept while Mono answers an empty list",
            value=line.comparison.rows,
            goal=last.comparison.rows if line.is_ours else None,
            ok=not line.is_ours or (line.comparison.right and line.exit_code != 0),
        )
        for line in outages
    ]
    return rows


def _yes(holds: bool) -> str:  # noqa: FBT001 - a word for a truth value
    return "yes" if holds else "NO"
