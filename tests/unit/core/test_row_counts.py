"""Counts of rows add up, each with its own kind."""

from __future__ import annotations

from mono_pipeline.core.run import RowCounts


def test_counts_add_up_kind_by_kind() -> None:
    """No kind is lost, none is counted as another."""
    first = RowCounts(seen=10, inserted=1, updated=2, unchanged=3, quarantined=4)
    second = RowCounts(seen=1000, inserted=100, updated=200, unchanged=300, quarantined=400)

    assert first + second == RowCounts(seen=1010, inserted=101, updated=202, unchanged=303, quarantined=404)
    assert first + RowCounts() == first
