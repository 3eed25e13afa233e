"""`python -m tests.faults`: breaks the pipeline in every way of the matrix, and prints what was expected and seen."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.results import ResultRow, passed, write_results
from tests.faults.matrix import MATRIX, FaultRow

_ROW = re.compile(r"::test_([PHWL][0-9]{2})_")
WIDTH = 80
DOCUMENT = Path(__file__).parents[2] / "docs" / "faults.md"
MARK = "<!-- seen -->"
NOTHING = "not carried out"


@dataclass
class Outcome:
    """What the tests of one row came to."""

    seen: list[str] = field(default_factory=list)
    tests: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the row was carried out, and nothing of it failed or was left out."""
        return self.tests > 0 and not self.failed and not self.skipped

    def words(self) -> str:
        """What was seen, or why there is nothing to see."""
        if not self.tests:
            return NOTHING
        heard = "; ".join(dict.fromkeys(self.seen))
        marks = [f"{self.failed} FAILED"] * bool(self.failed) + [f"{self.skipped} SKIPPED"] * bool(self.skipped)
        return ". ".join([*marks, heard] if heard else marks)


class Observations:
    """A pytest plugin that collects what the tests of each row saw."""

    def __init__(self) -> None:
        self.rows: dict[str, Outcome] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take down one phase of a test."""
        found = _ROW.search(report.nodeid)
        if found is None:
            return
        row = self.rows.setdefault(found[1], Outcome())
        row.seconds += report.duration
        row.failed += report.failed
        row.skipped += report.skipped
        if report.when == "call":
            row.tests += 1
            row.seen += [str(text) for name, text in report.user_properties if name == "seen"]


def main(arguments: list[str]) -> int:
    """Run the matrix, print it, write `.local/faults.json`; 0 when every row that applies is as expected."""
    observations = Observations()
    documented = "--docs" in arguments
    arguments = [argument for argument in arguments if argument != "--docs"]
    code = pytest.main(
        ["tests/faults", "-q", "-n", "2", "--dist", "loadgroup", "-p", "no:cacheprovider", *arguments],
        plugins=[observations],
    )
    rows = [_result(row, observations.rows.get(row.id, Outcome())) for row in MATRIX]
    _print(observations.rows)
    write_results("faults", rows)
    if documented:
        _document(rows)
    return 0 if code == pytest.ExitCode.OK and passed(rows) else 1


def _result(row: FaultRow, outcome: Outcome) -> ResultRow:
    if row.not_applicable:
        return ResultRow(id=row.id, what=row.fault, value=f"not applicable: {row.not_applicable}")
    return ResultRow(id=row.id, what=row.fault, value=outcome.words(), goal=row.expected, ok=outcome.ok)


def _document(rows: list[ResultRow]) -> None:
    """Put the table into docs/faults.md; a row that was not carried out now (`-k`) keeps what was seen of it before."""
    head, _, table_before = DOCUMENT.read_text(encoding="utf-8").partition(MARK)
    before = {line[2:5]: line.rsplit(" | ", 1)[-1].removesuffix(" |") for line in table_before.splitlines()}
    seen = {row.id: before.get(row.id, "") if row.value == NOTHING else _cell(str(row.value)) for row in rows}
    lines = [f"| {row.id} | {row.what} | {row.goal or ''} | {seen[row.id]} |" for row in rows]
    table = ["| id | fault | expected | seen |", "|---|---|---|---|", *lines]
    DOCUMENT.write_text("\n".join([f"{head}{MARK}", "", *table, ""]), encoding="utf-8")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _print(outcomes: dict[str, Outcome]) -> None:
    table = Table(title="Fault matrix", width=WIDTH, show_lines=True)
    for name, ratio in (("id", None), ("fault", 5), ("expected", 7), ("seen", 8)):
        table.add_column(name, ratio=ratio, no_wrap=ratio is None)
    for row in MATRIX:
        outcome = outcomes.get(row.id, Outcome())
        said = f"not applicable: {row.not_applicable}" if row.not_applicable else outcome.words()
        style = "dim" if row.not_applicable else None if outcome.ok else "bold red"
        table.add_row(*(Text(text) for text in (row.id, row.fault, row.expected, said)), style=style)
    Console(width=WIDTH).print(table)
    applies = [row for row in MATRIX if row.not_applicable is None]
    held = sum(outcomes.get(row.id, Outcome()).ok for row in applies)
    seconds = sum(outcome.seconds for outcome in outcomes.values())
    missing = len(MATRIX) - len(applies)
    Console(width=WIDTH).print(
        f"{held} of {len(applies)} rows as expected, {missing} not applicable; {seconds:.0f} s of tests"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
