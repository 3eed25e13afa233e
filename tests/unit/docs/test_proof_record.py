"""The committed result of `make proof`: a part that is run again replaces its own line, and no other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local.results import ResultRow, write_results
from tests.proof.__main__ import LAST, PARTS, RECORD, Outcome, Part, last_line, page, recorded, told_by

if TYPE_CHECKING:
    from pathlib import Path


def test_a_part_that_is_run_again_replaces_its_own_line(tmp_path: Path) -> None:
    """With the commit and the day of each, so that an old line shows for old."""
    file = tmp_path / "last.json"
    first, second = PARTS[0], PARTS[1]
    recorded(file, Outcome(part=first, code=1, seconds=3.4, said="2 | 3 rows"), commit="aaaaaaa", day="2026-01-01")
    recorded(file, Outcome(part=second, code=0, seconds=5, said="fine"), commit="aaaaaaa", day="2026-01-01")
    before = page(json.loads(file.read_text())).splitlines()

    record = recorded(file, Outcome(part=first, code=0, seconds=4, said="all"), commit="bbbbbbb", day="2026-01-02")

    after = page(record).splitlines()
    assert before[-2:] == [
        f"| {first.name} | {first.shows} | FAILS | 2026-01-01 | aaaaaaa | 3 | 2 / 3 rows |",
        f"| {second.name} | {second.shows} | holds | 2026-01-01 | aaaaaaa | 5 | fine |",
    ]
    assert after[-2:] == [f"| {first.name} | {first.shows} | holds | 2026-01-02 | bbbbbbb | 4 | all |", before[-1]]


def test_the_page_is_made_of_the_record() -> None:
    """And every part stands in it."""
    record = json.loads(RECORD.read_text())
    assert LAST.read_text() == page(record)
    assert sorted(record) == sorted(part.name for part in PARTS)


def test_what_came_of_a_part_is_its_figures(tmp_path: Path) -> None:
    """Those that it names, by their words; a part that broke off before it wrote any has its last line instead."""
    part = Part(name="cost", shows="", argv=(), figures=("load", "memory", "gone"))
    rows = [
        ResultRow(id="memory", what="spread of the peaks", value=1.7, unit="+-%"),
        ResultRow(id="load", what="a load", value=3),
        ResultRow(id="other", what="not named", value=4),
    ]
    results = write_results("cost", rows, folder=tmp_path)

    assert told_by(part, results) == "a load: 3; spread of the peaks: 1.7 +-%"
    assert told_by(part, tmp_path / "none.json") == ""
    assert last_line("one\n== two ==\n\n") == "two"
