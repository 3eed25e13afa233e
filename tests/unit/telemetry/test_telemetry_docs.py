from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.metric_costs import LOOP, asked_usd, costs, fleet_series, table
from mono_pipeline.adapters.emf import METRICS, PREFIX

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "metrics.md").read_text()
LOGS = (ROOT / "docs" / "logs.md").read_text()


def test_the_cost_table_is_what_the_program_says() -> None:
    """Computed from the closed lists and dated prices, not written by hand."""
    assert table() in PAGE


def test_the_fleet_stays_within_its_budget_of_series() -> None:
    """All lists multiplied out; what alerts rest on costs as much for 100 accounts as for 100,000."""
    assert fleet_series() <= 150
    assert costs(100, "off") == costs(100_000, "off")


def test_the_exporter_is_charged_for_as_often_as_it_asks() -> None:
    """By the loop that it is deployed with; that it asks for all in each is seen in tests/monitoring/test_chain.py."""
    told = (ROOT / "infra" / "exporter.yaml").read_text()
    assert re.findall(r"--scraping-interval=(\d+)", told) == [str(LOOP)]
    assert asked_usd(1_000) == pytest.approx(0.01 * 60 * 730)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_described(metric: object) -> None:
    """By its name without the prefix."""
    name = getattr(metric, "name", "").removeprefix(PREFIX)
    assert re.search(rf"^\|.*`{name}`.*\|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("event", ["started", "completed", "failed", "zero_transactions", "latency_sla_exceeded"])
def test_the_events_of_the_interface_are_described_and_told(event: str) -> None:
    """By exactly these names, which others search for."""
    name = f"mono.fetch.{event}"
    sources = "".join(path.read_text() for path in (ROOT / "layers/common/mono_pipeline/usecases").glob("*.py"))
    assert f"`{name}`" in LOGS
    assert f'"{name}"' in sources
