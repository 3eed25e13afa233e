"""The stand-in for CloudWatch: what it reads out of a log, and what it answers to AWS's own SDK."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import cbor2
import httpx
import pytest
from botocore.exceptions import ClientError

from local.cloudwatch.emf import BadEmf, observations
from local.cloudwatch.log_folder import LogFolder
from local.cloudwatch.points import Points
from local.cloudwatch.server import CloudWatchServer
from local.cloudwatch.statistic import UnknownStatistic, compute
from local.cloudwatch.wire import answer

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2026, 11, 24, 9, 0, 30, tzinfo=UTC)
NAME = "taxpoynt_mono_pipeline_stage_seconds"


def line(*, at: datetime = AT, values: Any = (0.5,), **dimensions: Any) -> str:
    """An EMF line with one metric and one dimension set."""
    meta = {
        "Timestamp": int(at.timestamp() * 1000),
        "CloudWatchMetrics": [
            {"Namespace": "TaxPoynt", "Dimensions": [list(dimensions)], "Metrics": [{"Name": NAME, "Unit": "Seconds"}]}
        ],
    }
    return json.dumps({"_aws": meta, **dimensions, NAME: values})


@pytest.mark.parametrize(
    ("statistic", "value"),
    [
        ("Sum", 111.0),
        ("SampleCount", 5.0),
        ("Maximum", 100.0),
        ("Average", 22.2),
        ("p95", 100.0),
        ("p50", 4.0),
        ("TC(:2)", 2.0),  # an upper bound is inclusive, as Prometheus' le
        ("TC(2:4)", 2.0),
        ("TC(:1000)", 5.0),
        ("TC(4:)", 1.0),
        ("PR(:4)", 80.0),
    ],
)
def test_a_statistic_is_that_of_the_raw_values(statistic: str, value: float) -> None:
    """Five values, one of them far out."""
    assert compute(statistic, [1.0, 4.0, 2.0, 4.0, 100.0]) == pytest.approx(value)


@pytest.mark.parametrize("word", ["sum", "p101", "TC(:2", "TC(2)", "IQM"])
def test_an_unknown_statistic_is_refused_and_not_answered_with_another(word: str) -> None:
    """Other stand-ins answer the average."""
    with pytest.raises(UnknownStatistic):
        compute(word, [1.0])


def test_every_dimension_set_of_a_line_is_a_series_of_its_own() -> None:
    """Two sets and two values are four observations."""
    document = json.loads(line(values=[1, 2], service="mono-pipeline", account_id="a" * 24))
    document["_aws"]["CloudWatchMetrics"][0]["Dimensions"] = [["service"], ["service", "account_id"]]

    read = observations(json.dumps(document))

    assert sorted((len(one.series.dimensions), one.value) for one in read) == [(1, 1), (1, 2), (2, 1), (2, 2)]


@pytest.mark.parametrize(
    "broken",
    [
        line(service=""),
        line(service=7),
        line(service="Ọ̀kan"),
        line(service="mono-pipeline", values="0.5"),
        line(service="mono-pipeline", values=[0.5] * 101),
        line(service="mono-pipeline").replace('"Timestamp": ', '"Timestamp": "', 1),
    ],
    ids=["empty dimension", "number as dimension", "not ASCII", "text as value", "101 values", "no JSON"],
)
def test_what_cloudwatch_would_drop_is_named(broken: str) -> None:
    """CloudWatch itself says nothing."""
    with pytest.raises(BadEmf):
        observations(broken)


def test_a_log_is_read_once_and_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    """Half a line is not a bad line."""
    log, points = tmp_path / "SyncApi.log", Points()
    folder = LogFolder(tmp_path, points)
    whole = line(service="mono-pipeline")
    log.write_text(f"START RequestId: 1\n{whole}\n{whole[:40]}")
    assert (folder.take(), folder.take()) == (1, 0)

    with log.open("a") as more:
        more.write(whole[40:] + "\n")

    assert (folder.take(), folder.refused) == (1, [])
    (series,) = points.series()
    assert points.total(series) == [0.5, 0.5]


def test_points_can_be_dated_back(tmp_path: Path) -> None:
    """A test need not wait until a window of minutes has gone by."""
    points = Points(back_date=600)
    points.add(observations(line(service="mono-pipeline")))
    del tmp_path

    (series,) = points.series()
    begun = (AT - timedelta(seconds=630)).timestamp()
    assert points.statistic(series, "Sum", period=60, start=0, end=1e12) == [(begun, 0.5)]


def test_aws_own_sdk_reads_it() -> None:
    """boto3 lists the series and gets the statistics of each period, newest first, the end exclusive."""
    points = Points()
    for minute, value in ((0, 0.5), (0, 2.5), (1, 4.0), (5, 9.0)):
        points.add(observations(line(at=AT + timedelta(minutes=minute), values=[value], service="mono-pipeline")))
    with CloudWatchServer(points) as server:
        client = boto3.client(
            "cloudwatch",
            endpoint_url=server.url,
            region_name="eu-west-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        (metric,) = client.list_metrics(Namespace="TaxPoynt", MetricName=NAME)["Metrics"]
        nothing = client.list_metrics(Namespace="TaxPoynt", Dimensions=[{"Name": "account_id"}])["Metrics"]
        results = client.get_metric_data(
            MetricDataQueries=[
                {"Id": f"q{number}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}}
                for number, stat in enumerate(("Sum", "TC(:2)"))
            ],
            StartTime=AT.replace(second=0),
            EndTime=AT.replace(second=0) + timedelta(minutes=5),
        )["MetricDataResults"]
    assert metric["Dimensions"] == [{"Name": "service", "Value": "mono-pipeline"}]
    assert nothing == []
    assert [result["Values"] for result in results] == [[4.0, 3.0], [0.0, 1.0]]
    assert [at.astimezone(UTC).minute for at in results[0]["Timestamps"]] == [1, 0]


def test_a_role_that_may_not_ask_is_refused() -> None:
    """In AWS's words, to its own SDK and in the protocol that the exporter speaks."""
    path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    with CloudWatchServer(Points()) as server:
        client = boto3.client(
            "cloudwatch",
            endpoint_url=server.url,
            region_name="eu-west-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
        allowed = httpx.post(server.url + path, content=cbor2.dumps({}), trust_env=False)
        assert (client.list_metrics()["Metrics"], cbor2.loads(allowed.content)["Metrics"]) == ([], [])
        server.refuse()
        with pytest.raises(ClientError, match="AccessDenied"):
            client.list_metrics()
        refused = httpx.post(server.url + path, content=cbor2.dumps({}), trust_env=False)
    assert (refused.status_code, refused.headers["smithy-protocol"]) == (400, "rpc-v2-cbor")
    assert cbor2.loads(refused.content)["__type"] == "AccessDenied"


def test_cbor_carries_instants_as_the_go_sdk_wants_them() -> None:
    """Tag 1, and the header that names the protocol."""
    points = Points()
    points.add(observations(line(service="mono-pipeline")))
    metric = {
        "Namespace": "TaxPoynt",
        "MetricName": NAME,
        "Dimensions": [{"Name": "service", "Value": "mono-pipeline"}],
    }
    request = {
        "MetricDataQueries": [{"Id": "a", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "p95"}}],
        "StartTime": cbor2.CBORTag(1, AT.timestamp() - 60),
        "EndTime": cbor2.CBORTag(1, AT.timestamp() + 60),
    }

    told = answer(
        points,
        path="/service/GraniteServiceVersion20100801/operation/GetMetricData",
        headers={},
        body=cbor2.dumps(request),
    )

    assert (told.status, told.headers["smithy-protocol"]) == (200, "rpc-v2-cbor")
    assert b"\xc1" in told.body  # tag 1
    result = cbor2.loads(told.body)["MetricDataResults"][0]
    assert (result["Timestamps"], result["Values"]) == ([AT.replace(second=0)], [0.5])


def test_a_wrong_request_is_refused_as_aws_words_it() -> None:
    """An unknown statistic is a 400 with a code, an unknown operation a 404."""
    start = {"StartTime": 0.0, "EndTime": 60.0}
    query = {"Id": "a", "MetricStat": {"Metric": {"Namespace": "N", "MetricName": "m"}, "Period": 60, "Stat": "sum"}}
    target = "GraniteServiceVersion20100801."

    def asked(operation: str, request: dict[str, Any]) -> tuple[int, str]:
        body = json.dumps(request).encode()
        told = answer(points, path="/", headers={"X-Amz-Target": target + operation}, body=body)
        return told.status, json.loads(told.body)["__type"]

    points = Points()
    points.add(observations(line(service="mono-pipeline")))
    assert asked("GetMetricData", {**start, "MetricDataQueries": [{"Id": "a", "Expression": "1"}]}) == (
        400,
        "ValidationError",
    )
    assert asked("PutDashboard", {}) == (404, "UnknownOperationException")
    query["MetricStat"]["Metric"] = {  # type: ignore[index]
        "Namespace": "TaxPoynt",
        "MetricName": NAME,
        "Dimensions": [{"Name": "service", "Value": "mono-pipeline"}],
    }
    whole = {"StartTime": 0.0, "EndTime": AT.timestamp() + 60, "MetricDataQueries": [query]}
    assert asked("GetMetricData", whole) == (400, "ValidationError")
