"""What is held against what: the log lines of the functions against what Prometheus and Alertmanager have of them."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from local.cloudwatch.statistic import compute
from local.monitoring_contract import PREFIX, STAGE_SECONDS
from local.results import ResultRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.cloudwatch.emf import Series
    from local.cloudwatch.points import Points
    from local.monitoring import Chain

FAILURES, LATENCY, EMPTY = "MonoPipelineHighFailureRate", "MonoPipelineLatencySLA", "MonoPipelineZeroTransactions"
REQUIRED: Final = frozenset({FAILURES, LATENCY, EMPTY})
DOWN: Final = "MonoProviderDown"
_PATIENCE: Final = 45.0
_ACCOUNT_PERIOD: Final = 300  # seconds: an account's percentile is of five minutes, and the sum of such is compared
_BUCKETS: Final = ("0.25", "0.5", "1", "2", "4", "8", "30", "+Inf")
_LABELS_OF_THE_CHAIN: Final = {"__name__", "job", "instance", "region", "scope", "aws_account_id", "le"}


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One sample that Prometheus must have: a series by its labels, and the sum over all its minutes."""

    name: str
    labels: frozenset[tuple[str, str]]
    total: float


@dataclass
class Proof:
    """What was seen so far."""

    rows: list[ResultRow] = field(default_factory=list)

    def note(self, name: str, what: str, value: Any, *, goal: Any, ok: bool, unit: str = "") -> None:
        """Keep a figure and say it."""
        self.rows.append(ResultRow(id=name, what=what, value=value, goal=goal, ok=ok, unit=unit))
        print(f"{'ok  ' if ok else 'FAIL'} {name}: {what}: {value} {unit} (goal: {goal})", flush=True)


def expectations(points: Points) -> Iterator[Expected]:
    """What Prometheus must hold for everything that CloudWatch holds, by the contract alone."""
    for series in points.series():
        if not series.name.startswith(PREFIX):
            continue
        dimensions = dict(series.dimensions)
        scope = "account" if "account_id" in dimensions else "fleet"
        labels = frozenset({**dimensions, "scope": scope}.items())
        values = points.total(series)
        for name, more, statistic in _names(series, scope):
            yield Expected(name=name, labels=labels | more, total=compute(statistic, values))
        if series.name == STAGE_SECONDS.full_name and scope == "account":
            percentiles = points.statistic(series, "p95", period=_ACCOUNT_PERIOD, start=0, end=math.inf)
            yield Expected(name=f"{series.name}_p95", labels=labels, total=sum(value for _, value in percentiles))


def _names(series: Series, scope: str) -> Iterator[tuple[str, frozenset[tuple[str, str]], str]]:
    nothing: frozenset[tuple[str, str]] = frozenset()
    if series.name != STAGE_SECONDS.full_name:
        yield series.name, nothing, "Sum"
        return
    yield f"{series.name}_sum", nothing, "Sum"
    yield f"{series.name}_count", nothing, "SampleCount"
    if scope == "fleet":
        for bound in _BUCKETS:
            yield f"{series.name}_bucket", frozenset({("le", bound)}), f"TC(:{bound.replace('+Inf', '')})"


def differences(chain: Chain, points: Points) -> list[str]:
    """Where Prometheus differs from what was emitted: a series missing, another sum, or one too many."""
    stored = {}
    for name in {one.name for one in expectations(points)}:
        for labels, total in chain.query(f"sum_over_time({name}[1h])"):
            own = {key: value for key, value in labels.items() if key not in _LABELS_OF_THE_CHAIN - {"scope", "le"}}
            stored[name, frozenset(own.items())] = total
    wanted = {(one.name, one.labels): one.total for one in expectations(points)}
    told = [f"missing {key}" for key in wanted.keys() - stored.keys()]
    told += [f"too many {key}" for key in stored.keys() - wanted.keys()]
    for key in wanted.keys() & stored.keys():
        if abs(wanted[key] - stored[key]) > 1e-6 * max(1.0, abs(wanted[key])):
            told.append(f"{key}: emitted {wanted[key]}, stored {stored[key]}")
    return told


def wait_for(holds: Callable[[], bool], *, seconds: float) -> bool:
    """Ask until it is true or the time is up."""
    give_up = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.5)
    return True


def judge(proof: Proof, name: str, chain: Chain, points: Points, *, must: set[str], must_not: set[str] | None) -> None:
    """Hold a chain that has read all points to what was emitted, and to the alerts that must fire and must not.

    `must_not` None stands for every other alert that there is.
    """
    wait_for(lambda: not differences(chain, points), seconds=_PATIENCE)
    differing = differences(chain, points)
    count = sum(1 for _ in expectations(points))
    proof.note(
        f"{name}-equal",
        "series in Prometheus with exactly the emitted sums",
        f"{count - len(differing)} of {count}" + "".join(f"\n     {one}" for one in differing[:5]),
        goal=f"{count} of {count}",
        ok=not differing and count > 0,
    )
    began = time.monotonic()
    wait_for(lambda: must | {"MonoWatchdog"} <= chain.firing(), seconds=_PATIENCE)
    if not must:  # what must not fire gets the time in which it would
        _evaluated_again(chain)
    firing = chain.firing()
    others = firing - must - {"MonoWatchdog"}
    wrong = (must - firing) | (others if must_not is None else must_not & firing)
    proof.note(
        f"{name}-alerts",
        f"alerts that reached Alertmanager ({time.monotonic() - began:.0f} s)",
        ", ".join(sorted(firing - {"MonoWatchdog"})) or "none",
        goal=f"{', '.join(sorted(must)) or 'nothing'}; never {', '.join(sorted(must_not or ())) or 'anything else'}",
        ok=not wrong and "MonoWatchdog" in firing,
    )
    sick = [rule["name"] for rule in chain.rules() if rule["health"] != "ok"]
    proof.note(f"{name}-rules", "rules that could not be evaluated", ", ".join(sick) or 0, goal=0, ok=not sick)


def _evaluated_again(chain: Chain) -> None:
    """Every rule has been evaluated twice more, over what is stored by now."""
    for _ in range(2):
        before = {rule["name"]: rule["lastEvaluation"] for rule in chain.rules()}
        wait_for(
            lambda before=before: all(before[rule["name"]] != rule["lastEvaluation"] for rule in chain.rules()),  # type: ignore[misc] # bound now
            seconds=_PATIENCE,
        )
