"""`make monitoring-test`: the real chain, from the functions' log lines to Alertmanager, held to what was emitted.

Each scenario is played on the embedded stack; then its log lines go through the stand-in for CloudWatch, the real
exporter, Prometheus and Alertmanager. Points are dated back by a few minutes (inside Prometheus' out-of-order window),
so that the windows of the rules, which end five minutes ago, need not be waited for. With REALTIME=1 nothing is dated
back: `monitoring_realtime`.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from local.cloudwatch.log_folder import LogFolder
from local.cloudwatch.points import Points
from local.cloudwatch.server import CloudWatchServer
from local.monitoring import QUICK, Chain, missing
from local.monitoring_contract import (
    DECISIONS,
    ERRORS,
    METRICS,
    QUARANTINED,
    RUNS,
    STAGE_SECONDS,
    VERDICTS,
    WEBHOOK_EFFECTS,
    WEBHOOKS,
    queue_depth,
)
from local.monitoring_detection import detections
from local.monitoring_judge import DOWN, EMPTY, FAILURES, LATENCY, REQUIRED, Proof, judge
from local.monitoring_panels import judge_panels
from local.monitoring_realtime import realtime
from local.monitoring_scenarios import Scenes
from local.monitoring_up import start_account_exporter
from local.ports import LOOPBACK
from local.results import ROOT, STATE, ResultRow, passed, write_results
from local.stack import EmbeddedStack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BACK_DATE: Final = 420  # seconds: five minutes are the rules' offset
_ACCOUNT: Final = "64779d900000000000ab0001"


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
        WEBHOOK_EFFECTS: {"effect": "unknown_account"},
    }
    lines = [
        metric.line(at=at, value=1.5, account_id=_ACCOUNT if metric.by_account else None, **values.get(metric, {}))
        for metric in METRICS
    ]
    return [*lines, queue_depth("local-dead-letters", at=at, value=3)]


def quick(proof: Proof, folder: Path) -> None:
    """Every scenario, dated back."""
    with EmbeddedStack(folder / "stack", **_settings()) as stack:
        scenes = Scenes(stack.record)
        logs = stack.settings.logs
        slices: dict[str, tuple[dict[str, int], dict[str, int]]] = {}
        for name, play in _plays(scenes).items():
            if name == "outage":  # after which nothing runs any more
                _dashboards(proof, stack, scenes, folder / "dashboards")
            before = _sizes(logs)
            play()
            slices[name] = (before, _sizes(logs))
        scenes.close()
    must = {"healthy": set[str](), "failures": {FAILURES}, "slow": {LATENCY}, "empty": {EMPTY}, "outage": {DOWN}}
    # what fails is tried again for seconds, and may be slow; when Mono is down it depends on how many were in its hands
    may = {"failures": {LATENCY}, "outage": {FAILURES, LATENCY}}
    for name, (begun, ended) in slices.items():
        part = _slice(logs, folder / name / "logs", begun, ended)
        must_not = set((REQUIRED | {DOWN}) - must[name] - may.get(name, set())) if must[name] else None
        _through_the_chain(proof, name, part, folder / name, must=must[name], must_not=must_not)
    part = folder / "contract" / "logs"
    part.mkdir(parents=True)
    (part / "contract.log").write_text("".join(f"{line}\n" for line in by_contract(int(time.time() * 1000))))
    expected = {"MonoVerificationMismatch", "MonoDeadLetters", EMPTY, DOWN}
    _through_the_chain(proof, "contract", part, folder / "contract", must=expected, must_not={FAILURES, LATENCY})


def _plays(scenes: Scenes) -> dict[str, Callable[[], None]]:
    return {
        "healthy": scenes.healthy,
        "failures": scenes.failures,
        "slow": scenes.slow,
        "empty": scenes.empty,
        "outage": scenes.outage,  # last: the circuit stays open
    }


def _through_the_chain(
    proof: Proof, name: str, logs: Path, folder: Path, *, must: set[str], must_not: set[str] | None
) -> None:
    points = Points(back_date=BACK_DATE)
    reader = LogFolder(logs, points)
    reader.take()
    proof.note(f"{name}-emf", "lines that CloudWatch would drop", len(reader.refused), goal=0, ok=not reader.refused)
    with CloudWatchServer(points) as cloudwatch, Chain(folder, cloudwatch=cloudwatch.url, pace=QUICK) as chain:
        judge(proof, name, chain, points, must=must, must_not=must_not)


def _dashboards(proof: Proof, stack: EmbeddedStack, scenes: Scenes, folder: Path) -> None:
    """What was played so far, the contract, and runs that are watched by the account exporter: what do panels show?"""
    folder.mkdir(parents=True)
    contract = folder / "contract"
    contract.mkdir()
    (contract / "contract.log").write_text("".join(f"{line}\n" for line in by_contract(int(time.time() * 1000))))
    points = Points(back_date=BACK_DATE)
    readers = [LogFolder(part, points) for part in (stack.settings.logs, contract)]
    with ExitStack() as until:
        database_url = stack.record["database_url"]
        accounts, _ = start_account_exporter(until, folder=folder, database_url=database_url)
        cloudwatch = until.enter_context(CloudWatchServer(points))
        address = f"{LOOPBACK}:{accounts}"
        chain = until.enter_context(Chain(folder, cloudwatch=cloudwatch.url, pace=QUICK, account_exporter=address))
        judge_panels(proof, chain, scenes, take=lambda: [reader.take() for reader in readers])


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
        in_ci = bool(os.environ.get("CI"))  # which installs it, and must not skip
        print(f"monitoring-test: {'FAILED' if in_ci else 'skipped'}, {lack}")
        return 1 if in_ci else 0
    in_real_time = os.environ.get("REALTIME") == "1"
    target = "monitoring-test-realtime" if in_real_time else "monitoring-test"
    folder = STATE / target
    shutil.rmtree(folder, ignore_errors=True)
    proof = Proof()
    if in_real_time:
        with ThreadPoolExecutor(1) as beside:
            others = beside.submit(detections, proof, folder / "others")
            realtime(proof, folder, _settings())
            others.result()
    else:
        quick(proof, folder)
    seconds = round(time.monotonic() - began)
    proof.rows.append(ResultRow(id="seconds", what="all of it", value=seconds, unit="s"))
    path = write_results(target, proof.rows)
    if in_real_time and passed(proof.rows):
        today = ResultRow(id="date", what="measured on", value=datetime.now(UTC).date().isoformat())
        write_results(target, [today, *proof.rows], folder=ROOT / "docs")  # docs/monitoring.md says the same to people
    print(f"{'passed' if passed(proof.rows) else 'FAILED'} in {seconds} s; for machines: {path}")
    return 0 if passed(proof.rows) else 1


if __name__ == "__main__":
    sys.exit(main())
