"""A goal that is out of reach is waived by a written reason, and only as far as that reason goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.waivers import Waiver, judgement, waive, waivers
from local.results import ResultRow, passed

FACTOR = ResultRow(id="factor", what="times as fast", value=2.6, goal=3.0, ok=False)
SHARE = ResultRow(id="share", what="of the limit", value=1.9, goal="<= 1.7", ok=False)
KNOWN = {"factor": Waiver(reason="indexes", limit=2.2), "share": Waiver(reason="indexes", limit=2.1)}
PERFORMANCE = Path(__file__).parents[3] / "docs" / "performance.md"


def test_a_missed_goal_is_waived_by_its_reason() -> None:
    """It stays missed, with the reason beside it, and the target passes."""
    rows = waive([FACTOR, SHARE], KNOWN)

    assert [(row.ok, row.waived, judgement(row)) for row in rows] == [(False, "indexes", "waived")] * 2
    assert passed(rows)


@pytest.mark.parametrize(("row", "worse"), [(FACTOR, 2.19), (SHARE, 2.11)])
def test_a_figure_beyond_the_limit_is_not_waived(row: ResultRow, worse: float) -> None:
    """What was out of reach by so much has become slower: that is another finding."""
    fallen = ResultRow(id=row.id, what=row.what, value=worse, goal=row.goal, ok=False)

    assert waive([fallen], KNOWN) == [fallen]
    assert judgement(fallen) == "MISSED"
    assert not passed([fallen])


def test_what_is_met_or_has_no_waiver_is_left_as_it_is() -> None:
    """A waiver says nothing of a goal that is met, nor of another row."""
    met = ResultRow(id="factor", what="times as fast", value=3.1, goal=3.0, ok=True)
    other = ResultRow(id="other", what="times as fast", value=2.6, goal=3.0, ok=False)

    assert waive([met, other], KNOWN) == [met, other]
    assert judgement(met) == "ok"


@pytest.mark.parametrize("target", ["bench", "bench-peers", "cold-start"])
def test_every_waiver_is_told_in_the_page_of_performance(target: str) -> None:
    """Who reads the page sees what was waived: by the row's name, with the section that its reason names."""
    page = PERFORMANCE.read_text()

    for key, waiver in waivers(target).items():
        assert f"`{key}`" in page, key
        assert len(waiver.reason) > 40, key
