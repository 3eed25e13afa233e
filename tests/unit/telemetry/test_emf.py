from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from local.cloudwatch.emf import observations
from local.monitoring_contract import METRICS as CONTRACT
from mono_pipeline.adapters.emf import DECISIONS, ERRORS, METRICS, STAGE_SECONDS, ZERO, Metric, Sample, emf_record
from mono_pipeline.adapters.emf import write_line as write
from tests.told import ACCOUNT, SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

IDS: Mapping[str, str] = {"account_id": ACCOUNT, "run_id": "r-1", "correlation_id": "c-1"}
OTHER = "64779d900000000000ab0002"


def sample(metric: Metric, **changes: Any) -> Sample:
    """A value of a metric, with a word for each dimension."""
    return Sample(metric=metric, value=1.5, words=dict.fromkeys(metric.dimensions, "word"), **changes)


def test_the_metrics_are_those_of_the_monitoring_contract() -> None:
    """The exporter matches names and whole dimension sets: one that differs is in CloudWatch and nowhere else."""
    ours = {(each.name, each.unit, each.dimensions, each.by_account) for each in METRICS}
    assert ours == {(each.full_name, each.unit, each.dimensions, each.by_account) for each in CONTRACT}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_line_is_valid_and_has_exactly_the_dimensions_of_its_metric(metric: Metric) -> None:
    """By the published format, and as the stand-in for CloudWatch reads it; ids are members and no dimensions."""
    record = emf_record(sample(metric), at=1_800_000_000.5, ids=IDS)
    SCHEMA.validate(record)
    (seen,) = observations(json.dumps(record))

    assert record["_aws"]["Timestamp"] == 1_800_000_000_500
    assert seen.series.namespace == "TaxPoynt"
    assert [name for name, _ in seen.series.dimensions] == sorted(["service", *metric.dimensions])
    assert {name: record[name] for name in IDS} == IDS


@pytest.mark.parametrize("metric", [each for each in METRICS if each.by_account], ids=lambda metric: metric.name)
def test_an_account_is_a_second_set_beside_the_fleets(metric: Metric) -> None:
    """Both scopes in one line; a value can also be of the account alone."""
    both = emf_record(sample(metric, account=True), at=1.0, ids=IDS)["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    alone = emf_record(sample(metric, account=True, fleet=False), at=1.0, ids=IDS)

    fleet = ["service", *metric.dimensions]
    assert both == [fleet, [*fleet, "account_id"]]
    assert alone["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [[*fleet, "account_id"]]


@pytest.mark.parametrize(
    ("samples", "ids"),
    [
        ([Sample(metric=ERRORS, value=1, words={"stage": "sync"})], IDS),
        ([Sample(metric=ERRORS, value=1, words={"stage": "sync", "reason": "x", "narration": "y"})], IDS),
        ([Sample(metric=ZERO, value=1, words={"_aws": "x"})], IDS),
        ([Sample(metric=DECISIONS, value=1, words={"reason": "x"}, account=True)], IDS),
        ([Sample(metric=ZERO, value=1, account=True)], {"correlation_id": "c"}),
        ([Sample(metric=ZERO, value=1)], {"narration": "y"}),
        ([Sample(metric=ZERO, value=1)], {"_aws": "y"}),
        ([sample(ERRORS), Sample(metric=DECISIONS, value=1, words={"reason": "another"})], IDS),
        ([Sample(metric=ZERO, value=1), Sample(metric=ZERO, value=0)], IDS),
    ],
    ids=["lacks", "unknown", "forged", "not by account", "no account", "no id", "forged id", "two words", "two values"],
)
def test_what_would_be_another_series_than_was_meant_is_refused(samples: list[Sample], ids: Mapping[str, str]) -> None:
    """Powertools drops, merges or adds to the set, and says so at most in a warning."""
    with pytest.raises(ValueError, match=r"."):
        emf_record(*samples, at=1.0, ids=ids)


@pytest.fixture
def powertools(monkeypatch: pytest.MonkeyPatch) -> Iterator[Metrics]:
    """Powertools' Metrics as a deployed function has it."""
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "mono-pipeline")
    metrics = Metrics(namespace="TaxPoynt")
    metrics.clear_metrics()
    yield metrics
    metrics.clear_metrics()


@pytest.mark.filterwarnings("ignore")
def test_powertools_hands_an_account_on_to_the_next_invocation(
    powertools: Metrics, capsys: pytest.CaptureFixture[str]
) -> None:
    """Why it is not used: a dimension that was set where nothing was counted stays for whoever comes next."""
    metrics = powertools

    @metrics.log_metrics
    def handler(event: dict[str, Any], _context: object) -> None:
        if event["account_id"] is not None:
            metrics.add_dimension(name="account_id", value=event["account_id"])
        if event["counts"]:
            metrics.add_metric(name="zero", unit=MetricUnit.Count, value=1)

    handler({"account_id": ACCOUNT, "counts": False}, None)
    handler({"account_id": None, "counts": True}, None)

    assert json.loads(capsys.readouterr().out)["account_id"] == ACCOUNT


@pytest.mark.filterwarnings("ignore")
def test_powertools_counts_one_account_for_another(powertools: Metrics, capsys: pytest.CaptureFixture[str]) -> None:
    """Two accounts in one invocation: the first one's value is told of the second."""
    metrics = powertools

    @metrics.log_metrics
    def handler(_event: dict[str, Any], _context: object) -> None:
        for account in (ACCOUNT, OTHER):
            metrics.add_dimension(name="account_id", value=account)
            metrics.add_metric(name="zero", unit=MetricUnit.Count, value=1)

    handler({}, None)

    told = json.loads(capsys.readouterr().out)
    assert (told["account_id"], told["zero"]) == (OTHER, [1.0, 1.0])


def test_ours_does_neither() -> None:
    """A line is made of its arguments and of nothing before it."""
    first = emf_record(sample(ZERO, account=True), at=1.0, ids=IDS)
    second = emf_record(sample(ZERO, account=True), at=1.0, ids={"account_id": OTHER})
    third = emf_record(sample(STAGE_SECONDS), at=1.0, ids={})

    assert [each.get("account_id") for each in (first, second, third)] == [ACCOUNT, OTHER, None]
    assert "run_id" not in second
    assert [each["_aws"]["CloudWatchMetrics"][0]["Dimensions"][-1][-1] for each in (second, third)] == [
        "account_id",
        "outcome",
    ]


class Broken(io.StringIO):
    """A standard output that nothing can be written to any more."""

    def write(self, _text: str) -> int:
        """Fail as a pipe does whose reader is gone."""
        raise BrokenPipeError


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_does_not_have_is_no_line(value: float, capsys: pytest.CaptureFixture[str]) -> None:
    """CloudWatch would drop it, and a reader of the log would fail."""
    write(emf_record(Sample(metric=ZERO, value=value), at=1.0, ids={}))
    assert capsys.readouterr().out == ""


def test_a_line_that_cannot_be_written_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a reader that is gone nor a stream that is closed."""
    closed = io.StringIO()
    closed.close()
    for stream in (Broken(), closed):
        monkeypatch.setattr(sys, "stdout", stream)
        write(emf_record(sample(ZERO), at=1.0, ids=IDS))
