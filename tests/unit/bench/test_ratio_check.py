"""The regression guard of the benchmark: what counts as slower, and what cannot be compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bench import check
from bench.check import STORED, NotComparable, Ratios, fallen
from bench.run import FULL

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = Ratios(commit="abc", shape="s", values={"x.cold.times_dlt": 4.0, "x.again.times_dlt": 8.0})


def now(cold: float, again: float, *, shape: str = "s") -> Ratios:
    """A later measurement."""
    return Ratios(commit="def", shape=shape, values={"x.cold.times_dlt": cold, "x.again.times_dlt": again})


@pytest.mark.parametrize(("cold", "again"), [(4.0, 8.0), (3.0, 6.0), (9.0, 20.0)])
def test_up_to_a_quarter_less_and_anything_more_passes(cold: float, again: float) -> None:
    """Exactly a quarter is still no fall."""
    assert fallen(now(cold, again), BEFORE) == []


def test_more_than_a_quarter_less_is_told_with_both_figures() -> None:
    """One ratio falls, the other does not."""
    assert fallen(now(2.99, 8.0), BEFORE) == ["x.cold.times_dlt: 2.99, was 4.00 at abc (25 % less)"]


def test_a_ratio_that_is_not_measured_any_more_fails() -> None:
    """A peer that was dropped from the benchmark must not pass in silence."""
    left = Ratios(commit="def", shape="s", values={"x.cold.times_dlt": 4.0})

    assert fallen(left, BEFORE) == ["x.again.times_dlt: 8.00 at abc, not measured now"]


def test_other_shapes_and_empty_files_are_not_compared() -> None:
    """A faster figure of less work says nothing."""
    with pytest.raises(NotComparable, match="--store"):
        fallen(now(4.0, 8.0, shape="smaller"), BEFORE)
    with pytest.raises(NotComparable):
        fallen(now(4.0, 8.0), Ratios(commit=None, shape="s", values={}))


def test_the_stored_ratios_are_those_of_the_benchmark_as_it_is() -> None:
    """Whoever changes its shape stores anew; both goals' ratios are there, with the commit."""
    stored = Ratios.stored(STORED.read_text())

    assert stored.shape == str(FULL)
    assert stored.commit
    assert {"mono_pipeline_x3.cold.times_dlt_tuned", "mono_pipeline_x3.again.times_dlt_tuned"} <= set(stored.values)


def test_a_drop_is_the_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Five rounds are measured, and the command fails on what fell; without a fall it passes."""
    told: list[list[str]] = []
    monkeypatch.setattr(check.run, "main", told.append)
    monkeypatch.setattr(check, "STORED", tmp_path / "stored.json")
    monkeypatch.setattr(check, "MEASURED", tmp_path / "bench.json")
    row = {"id": "x.cold.times_dlt", "value": 4.0}
    check.MEASURED.write_text(json.dumps({"commit": "abc", "rows": [row, {"id": "x.cold", "value": 2.0}]}))
    check.main(["--store"])

    codes = []
    for value in (3.5, 2.0):
        check.MEASURED.write_text(json.dumps({"commit": "def", "rows": [{**row, "value": value}]}))
        codes.append(check.main([]))

    assert codes == [0, 1]
    assert told == [["--runs", "5"]] * 2
    assert "2.00, was 4.00 at abc (50 % less)" in capsys.readouterr().out
