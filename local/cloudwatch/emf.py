"""EMF, as CloudWatch reads it out of a log line: observations of series, or the reason why it would drop the line.

CloudWatch drops a bad line without a word. This reader says what is wrong, so that a test can ask that nothing is.
Source of the rules: "Specification: Embedded metric format" in the CloudWatch user guide.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_METRICS: Final = 100
MAX_DIMENSIONS: Final = 30
MAX_VALUES: Final = 100
MAX_DIMENSION_VALUE: Final = 1024


@dataclass(frozen=True, kw_only=True, order=True)
class Series:
    """One custom metric: what CloudWatch stores and charges for. `dimensions` are sorted (name, value) pairs."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Observation:
    """A value of a series. `at` is in milliseconds since 1970."""

    series: Series
    at: int
    value: float


class BadEmf(Exception):
    """A line that CloudWatch would drop, or would read as another metric than was meant."""


def observations(line: str) -> list[Observation]:
    """What a log line holds; nothing for a line that is not EMF.

    Raises:
        BadEmf: it is EMF, and breaks the format.
    """
    if '"_aws"' not in line:
        return []
    try:
        root = json.loads(line)
    except ValueError as problem:
        raise BadEmf(f"no JSON: {problem}") from None
    if not isinstance(root, dict) or not isinstance(meta := root.get("_aws"), dict):
        raise BadEmf("_aws is no object at the root")
    at = meta.get("Timestamp")
    if not isinstance(at, int):
        raise BadEmf("Timestamp is no whole number of milliseconds")
    directives = meta.get("CloudWatchMetrics")
    if not isinstance(directives, list) or not directives:
        raise BadEmf("CloudWatchMetrics is empty")
    return [one for directive in directives for one in _of_directive(root, directive, at)]


def _of_directive(root: dict[str, Any], directive: dict[str, Any], at: int) -> Iterator[Observation]:
    metrics = directive["Metrics"]
    if not 0 < len(metrics) <= MAX_METRICS:
        raise BadEmf(f"{len(metrics)} metrics in one directive")
    sets = [_dimensions(root, names) for names in directive["Dimensions"]]
    if not sets:
        raise BadEmf("no dimension set")
    for metric in metrics:
        for value in _values(root, metric["Name"]):
            for dimensions in sets:
                series = Series(namespace=directive["Namespace"], name=metric["Name"], dimensions=dimensions)
                yield Observation(series=series, at=at, value=value)


def _dimensions(root: dict[str, Any], names: list[str]) -> tuple[tuple[str, str], ...]:
    if len(names) > MAX_DIMENSIONS:
        raise BadEmf(f"{len(names)} dimensions in one set")
    for name in names:
        value = root.get(name)
        if not isinstance(value, str) or not value or not value.isascii() or len(value) > MAX_DIMENSION_VALUE:
            raise BadEmf(f"dimension {name} is {value!r}: 1 to {MAX_DIMENSION_VALUE} ASCII characters at the root")
    return tuple(sorted((name, str(root[name])) for name in names))


def _values(root: dict[str, Any], name: str) -> list[float]:
    found = root.get(name)
    values = found if isinstance(found, list) else [found]
    if not 0 < len(values) <= MAX_VALUES:
        raise BadEmf(f"{name} has {len(values)} values")
    return [_number(name, value) for value in values]


def _number(name: str, value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise BadEmf(f"{name} is {value!r}, no number")
    return float(value)
