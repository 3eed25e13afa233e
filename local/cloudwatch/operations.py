"""ListMetrics and GetMetricData, on plain values: the protocols around them are somebody else's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from local.cloudwatch.emf import Series
from local.cloudwatch.statistic import UnknownStatistic

if TYPE_CHECKING:
    from local.cloudwatch.points import Points

PAGE: Final = 500  # metrics in an answer of ListMetrics, as at AWS


class Refusal(Exception):
    """The request is wrong: AWS would answer 400 with this code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def list_metrics(points: Points, request: dict[str, Any]) -> dict[str, Any]:
    """Series of a namespace and name that have at least the dimensions asked for (AWS: `DimensionFilter`)."""
    found = [series for series in points.series() if _is_asked_for(series, request)]
    begin = int(request.get("NextToken") or 0)
    answer: dict[str, Any] = {"Metrics": [_metric(series) for series in found[begin : begin + PAGE]]}
    if begin + PAGE < len(found):
        answer["NextToken"] = str(begin + PAGE)
    return answer


def get_metric_data(points: Points, request: dict[str, Any]) -> dict[str, Any]:
    """The points of each query; newest first unless asked for the other way round.

    Raises:
        Refusal: an unknown statistic, or an expression, which nothing here needs.
    """
    start, end = _seconds(request["StartTime"]), _seconds(request["EndTime"])
    if start >= end:
        raise Refusal("ValidationError", "StartTime must be before EndTime")
    oldest_first = request.get("ScanBy") == "TimestampAscending"
    results = [_result(points, query, start, end, oldest_first=oldest_first) for query in request["MetricDataQueries"]]
    return {"MetricDataResults": results, "Messages": []}


def _result(points: Points, query: dict[str, Any], start: float, end: float, *, oldest_first: bool) -> dict[str, Any]:
    stat = query.get("MetricStat")
    if stat is None:
        raise Refusal("ValidationError", f"{query['Id']}: only MetricStat is understood here")
    series = _series(stat["Metric"])
    try:
        found = points.statistic(series, stat["Stat"], period=stat["Period"], start=start, end=end)
    except UnknownStatistic as unknown:
        raise Refusal("ValidationError", f"the value {unknown} for parameter Stat is not supported") from None
    if oldest_first:
        found.reverse()
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or series.name,
        "StatusCode": "Complete",
        "Timestamps": [datetime.fromtimestamp(at, UTC) for at, _ in found],
        "Values": [value for _, value in found],
    }


def _is_asked_for(series: Series, request: dict[str, Any]) -> bool:
    wanted = {(one["Name"], one.get("Value")) for one in request.get("Dimensions") or ()}
    has = dict(series.dimensions)
    return (
        request.get("Namespace") in (None, series.namespace)
        and request.get("MetricName") in (None, series.name)
        and all(name in has and value in (None, has[name]) for name, value in wanted)
    )


def _metric(series: Series) -> dict[str, Any]:
    return {
        "Namespace": series.namespace,
        "MetricName": series.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in series.dimensions],
    }


def _series(metric: dict[str, Any]) -> Series:
    dimensions = sorted((one["Name"], one["Value"]) for one in metric.get("Dimensions") or ())
    return Series(namespace=metric["Namespace"], name=metric["MetricName"], dimensions=tuple(dimensions))


def _seconds(instant: datetime | float) -> float:
    return instant.timestamp() if isinstance(instant, datetime) else float(instant)
