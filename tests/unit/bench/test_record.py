"""The page of performance shows what the benchmarks wrote, with commit, day and the command that measures it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench.record import BEGIN, END, PAGE, RECORD, filled, goals_table, measured, seconds_table
from local.results import ResultRow, write_results

if TYPE_CHECKING:
    from pathlib import Path

MARKS = "\n".join(mark.format(name) for name in ("goals", "seconds") for mark in (BEGIN, END))


def _known(tmp_path: Path, *rows: ResultRow, target: str = "bench-peers") -> dict[str, dict[str, Any]]:
    write_results(target, list(rows), folder=tmp_path)
    return measured(tmp_path)


def test_the_page_in_the_repository_is_the_one_that_its_record_makes() -> None:
    """A figure that was typed into a table, or a record without its page, is seen."""
    page = PAGE.read_text()

    assert filled(page, json.loads(RECORD.read_text())) == page


def test_a_goal_stands_with_its_figure_its_judgement_and_its_command(tmp_path: Path) -> None:
    """What is waived names its row, so that the reason can be found below the table."""
    table = goals_table(
        _known(
            tmp_path,
            ResultRow(id="cold.a", what="cold", value=2.5, unit="x", goal=3.0, ok=False),
            ResultRow(id="cold.b", what="of limits", value=1.9, goal="<= 1.7", ok=False, waived="indexes"),
            ResultRow(id="rows", what="rows wrong", value=0, goal=0),
            ResultRow(id="truth", what="the bank's", value=True, goal=True),
            ResultRow(id="peak", what="no goal", value=40, unit="MiB"),
        )
    )

    assert "| **`make bench-peers`** | | | |" in table
    assert "| cold | 2.5 x | 3 | missed |" in table
    assert "| of limits (`cold.b`) | 1.9 | <= 1.7 | waived |" in table
    assert "| rows wrong | 0 | 0 | met |" in table
    assert "| the bank's | yes | yes | met |" in table
    assert "no goal" not in table
    assert "commit " in table
    assert " cores of " in table


def test_seconds_stand_by_contestant_and_turn(tmp_path: Path) -> None:
    """A turn that was not measured is left empty."""
    rows = [("cold", 2.25), ("again", 1.39), ("A", 3.0)]
    table = seconds_table(
        _known(
            tmp_path,
            *(
                ResultRow(id=f"dlt_tuned.{turn.lower()}", what=f"dlt, tuned, {turn}", value=s, unit="s")
                for turn, s in rows
            ),
            ResultRow(id="dlt_tuned.peak", what="dlt, tuned, peak memory", value=276.0, unit="MiB"),
        )
    )

    assert table.splitlines()[-1] == "| dlt, tuned | 2.25 | 1.39 | 3 |  | 276 |"


def test_what_is_not_a_benchmark_is_not_kept(tmp_path: Path) -> None:
    """`.local` has results of tests as well."""
    write_results("faults", [], folder=tmp_path)

    assert measured(tmp_path) == {}


def test_only_what_is_between_the_marks_is_written(tmp_path: Path) -> None:
    """The words around the tables stay; without marks nothing is guessed."""
    known = _known(tmp_path, ResultRow(id="x", what="figure", value=1, goal=1))
    page = filled(f"before\n{MARKS}\nafter\n", known)

    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert filled(page, known) == page
    with pytest.raises(ValueError, match="no marks of goals"):
        filled("nothing here", known)
