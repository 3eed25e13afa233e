"""`make monitoring-test`: the real chain, from the functions' log lines to Alertmanager, held to what was emitted.

Each scenario is played on the embedded stack; then its log lines go through the stand-in for CloudWatch, the real
exporter, Prometheus and Alertmanager. Points are dated back by a few minutes (inside Prometheus' out-of-order window),
so that the windows of the rules, which end five minutes ago, need not be waited for. With REALTIME=1 nothing is dated
back: the chain runs at its real pace beside the functions, and how long each alert takes is measured.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from local.cloudwatch.log_folder import LogFolder
from local.cloudwatch.points import Points
from local.cloudwatch.server import CloudWatchServer
from local.cloudwatch.statistic import compute
from local.monitoring import QUICK, REAL, Chain, missing
from local.monitoring_contract import (
    DECISIONS,
    ERRORS,
    METRICS,
    PREFIX,
    QUARANTINED,
    RUNS,
    STAGE_SECONDS,
    VERDICTS,
    WEBHOOKS,
)
from local.monitoring_scenarios import Scenes
from local.results import STATE, ResultRow, passed, write_results
from local.stack import EmbeddedStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local.cloudwatch.emf import Series

FAILURES, LATENCY, EMPTY = "MonoPipelineHighFailureRate", "MonoPipelineLatencySLA", "MonoPipelineZeroTransactions"
REQUIRED: Final = frozenset({FAILURES, LATENCY, EMPTY})
BACK_DATE: Final = 420  # seconds: five minutes are the rules' offset
HEALTHY_SECONDS: Final = 420  # of the run in real time
DETECTION_SECONDS: Final = 600  # the longest that an alert may take in real time
_PATIENCE: Final = 45.0
_BUCKETS: Final = ("0.25", "0.5", "1", "2", "4", "8", "30", "+Inf")
_LABELS_OF_THE_CHAIN: Final = {"__name__", "job", "instance", "region", "scope", "aws_account_id", "le"}
_ACCOUNT: Final = "64779d900000000000ab0001"


class NotAsEmitted(Exception):
    """Prometheus, or Alertmanager, does not have what it should."""


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


def judge(proof: Proof, name: str, chain: Chain, points: Points, *, must: set[str], must_not: set[str]) -> None:
    """Hold a chain that has read all points to what was emitted, and to the alerts that must fire and must not."""
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
    wrong = (must - firing) | (must_not & firing)
    proof.note(
        f"{name}-alerts",
        f"alerts that reached Alertmanager ({time.monotonic() - began:.0f} s)",
        ", ".join(sorted(firing - {"MonoWatchdog"})) or "none",
        goal=f"{', '.join(sorted(must)) or 'nothing'}; never {', '.join(sorted(must_not)) or 'anything else'}",
        ok=not wrong and "MonoWatchdog" in firing,
    )
    sick = [rule["name"] for rule in chain.rules() if rule["health"] != "ok"]
    proof.note(f"{name}-rules", "rules that could not be evaluated", ", ".join(sick) or 0, goal=0, ok=not sick)


def _evaluated_again(chain: Chain) -> None:
    """Every rule has been evaluated twice more, over what is stored by now."""
    for _ in range(2):
        before = {rule["name"]: rule["lastEvaluation"] for rule in chain.rules()}
        wait_for(
            lambda before=before: all(before[rule["name"]] != rule["lastEvaluation"] for rule in chain.rules()),  # type: ignore[misc]
            seconds=_PATIENCE,
        )


def by_contract(at: int) -> list[str]:
    """One line of each metric of the contract, where there is one by account with it; `at` in milliseconds."""
    values = {
        STAGE_SECONDS: {"stage": "sync", "outcome": "ok"},
        ERRORS: {"stage": "sync", "reason": "mono_server_error"},
        VERDICTS: {"verdict": "mismatch", "reason": "days_differ"},
        DECISIONS: {"reason": "ALLOW"},
        QUARANTINED: {"reason": "bad_amount"},
        RUNS: {"status": "completed"},
        WEBHOOKS: {"outcome": "refused", "reason": "wrong_secret"},
    }
    lines = [
        metric.line(at=at, value=1.5, account_id=_ACCOUNT if metric.by_account else None, **values.get(metric, {}))
        for metric in METRICS
    ]
    queue = ERRORS.line(at=at, value=3, stage="sync", reason="mono_server_error")  # as SQS itself reports its depth
    for ours, theirs in (
        ('"TaxPoynt"', '"AWS/SQS"'),
        (ERRORS.full_name, "ApproximateNumberOfMessagesVisible"),
        ('["service", "stage", "reason"]', '["QueueName"]'),
        ('"stage": "sync"', '"QueueName": "mono-pipeline-local-dead-letters"'),
    ):
        queue = queue.replace(ours, theirs)
    return [*lines, queue]


def quick(proof: Proof, folder: Path) -> None:
    """Every scenario, dated back."""
    with EmbeddedStack(folder / "stack", **_settings()) as stack:
        scenes = Scenes(stack.record)
        logs = stack.settings.logs
        slices: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
        for name, play in _plays(scenes).items():
            before = _sizes(logs)
            play()
            slices[name] = (before, _sizes(logs))
        scenes.close()
    must = {"healthy": set[str](), "failures": {FAILURES}, "slow": {LATENCY}, "empty": {EMPTY}}
    for name, (begun, ended) in slices.items():
        part = _slice(logs, folder / name / "logs", begun, ended)
        must_not = set(REQUIRED - must[name]) if name != "failures" else {EMPTY}
        _through_the_chain(proof, name, part, folder / name, must=must[name], must_not=must_not)
    part = folder / "contract" / "logs"
    part.mkdir(parents=True)
    (part / "contract.log").write_text("".join(f"{line}\n" for line in by_contract(int(time.time() * 1000))))
    expected = {"MonoVerificationMismatch", "MonoDeadLetters", EMPTY}
    _through_the_chain(proof, "contract", part, folder / "contract", must=expected, must_not={FAILURES, LATENCY})


def _plays(scenes: Scenes) -> dict[str, Callable[[], None]]:
    return {"healthy": scenes.healthy, "failures": scenes.failures, "slow": scenes.slow, "empty": scenes.empty}


def _through_the_chain(
    proof: Proof, name: str, logs: Path, folder: Path, *, must: set[str], must_not: set[str]
) -> None:
    points = Points(back_date=BACK_DATE)
    reader = LogFolder(logs, points)
    reader.take()
    proof.note(f"{name}-emf", "lines that CloudWatch would drop", len(reader.refused), goal=0, ok=not reader.refused)
    with CloudWatchServer(points) as cloudwatch, Chain(folder, cloudwatch=cloudwatch.url, pace=QUICK) as chain:
        judge(proof, name, chain, points, must=must, must_not=must_not)


def realtime(proof: Proof, folder: Path) -> None:
    """A healthy spell, then all faults, with the chain at its real pace: how long does each alert take?"""
    points = Points()
    with (
        EmbeddedStack(folder / "stack", **_settings()) as stack,
        CloudWatchServer(points) as cloudwatch,
        Chain(folder / "chain", cloudwatch=cloudwatch.url, pace=REAL) as chain,
    ):
        scenes, reader = Scenes(stack.record), LogFolder(stack.settings.logs, points)
        give_up = time.monotonic() + HEALTHY_SECONDS
        while time.monotonic() < give_up:
            scenes.healthy(rounds=1)
            reader.take()
            time.sleep(30)
        early = chain.firing() & REQUIRED
        proof.note(
            "realtime-healthy",
            f"required alerts in {HEALTHY_SECONDS} s of health",
            ", ".join(early) or "none",
            goal="none",
            ok=not early,
        )
        since = _play_faults(scenes, reader)
        seen: dict[str, float] = {}
        while REQUIRED - seen.keys() and time.monotonic() < max(since.values()) + DETECTION_SECONDS:
            scenes.slow()  # it stays slow: p95 is over ten minutes, most of which were healthy
            reader.take()
            for name in (chain.firing() & REQUIRED) - seen.keys():
                seen[name] = time.monotonic() - since[name]
            time.sleep(5)
        for name in sorted(REQUIRED):
            took = round(seen[name]) if name in seen else None
            proof.note(
                f"realtime-{name}",
                "from the fault to Alertmanager",
                took,
                unit="s",
                goal=f"<= {DETECTION_SECONDS}",
                ok=took is not None,
            )
        time.sleep(360)  # the last point is exported, scraped and stored
        differing = differences(chain, points)
        proof.note("realtime-equal", "series that differ", len(differing), goal=0, ok=not differing)
        scenes.close()


def _play_faults(scenes: Scenes, reader: LogFolder) -> dict[str, float]:
    since: dict[str, float] = {}
    for name, play in ((FAILURES, scenes.failures), (EMPTY, scenes.empty)):
        play()
        reader.take()
        since[name] = time.monotonic()  # the last of the errors is written
    since[LATENCY] = time.monotonic()  # from here on the bank is slow
    return since


def _settings() -> dict[str, Any]:
    return {
        "variables": {"MONO_RATE_LIMIT_PER_MINUTE": "60000"},
        "sandbox": {"accounts": "0", "seed": "monitoring"},
        "postgres": {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
        "concurrency": 6,
    }


def _sizes(logs: Path) -> dict[str, int]:
    return {log.name: log.stat().st_size for log in logs.glob("*.log")}


def _slice(logs: Path, folder: Path, begun: dict[str, int], ended: dict[str, int]) -> Path:
    """The part of the logs that was written between two moments, as a folder of its own."""
    folder.mkdir(parents=True)
    for name, size in ended.items():
        with (logs / name).open("rb") as stream:
            stream.seek(begun.get(name, 0))
            (folder / name).write_bytes(stream.read(size - begun.get(name, 0)))
    return folder


def main() -> int:
    """Run the proof; 0 when everything was as it should be, or when the chain is not installed and nobody insists."""
    began = time.monotonic()
    if (lack := missing()) is not None:
        print(f"monitoring-test: skipped, {lack}")
        return 1 if os.environ.get("CI") else 0  # CI installs it and must not skip
    in_real_time = os.environ.get("REALTIME") == "1"
    target = "monitoring-test-realtime" if in_real_time else "monitoring-test"
    folder = STATE / target
    shutil.rmtree(folder, ignore_errors=True)
    proof = Proof()
    (realtime if in_real_time else quick)(proof, folder)
    seconds = round(time.monotonic() - began)
    proof.rows.append(ResultRow(id="seconds", what="all of it", value=seconds, unit="s"))
    path = write_results(target, proof.rows)
    print(f"{'passed' if passed(proof.rows) else 'FAILED'} in {seconds} s; for machines: {path}")
    return 0 if passed(proof.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
