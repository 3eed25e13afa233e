"""`python -m bench.scale.validate`: is the model right where it can be held against something that runs?

The cost of a sync is measured with one worker and a Mono without latency. From that alone the model says how long
batches last under other limits: several workers, a slow Mono, a rate limit. Then the embedded stack does them. Writes
`bench/scale/validation.json` and `.local/bench-scale.json`; exit code 1 when a prediction is more than 20 % off.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from bench.scale.duration import Fixed
from bench.scale.measure import PLENTY, calibrate
from bench.scale.simulation import Arrival, Limits, Simulation, Work
from bench.scale.stack_meter import measured_stack
from local.results import ResultRow, passed, write_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.scale.measure import Calibration

FILE: Final = Path(__file__).with_name("validation.json")
GOAL_PERCENT: Final = 20.0


@dataclass(frozen=True, kw_only=True)
class Case:
    """Limits under which a batch of syncs is predicted, and then done."""

    name: str
    workers: int
    latency_seconds: float
    per_minute: int
    syncs: int
    times: int = 1
    """How often it is done; the median counts. What is over in seconds is done more often."""

    def predicted(self, cost: Calibration) -> float:
        """Seconds until the last sync has ended, by the model."""
        limits = Limits(
            workers=self.workers,
            backfill_workers=1,
            doors=1,
            database_processors=os.cpu_count() or 1,
            mono_per_minute=self.per_minute,
            shared_processors=True,
        )
        work = Work(
            kind="daily",
            calls=2,
            mono=Fixed(seconds=self.latency_seconds),
            worker=Fixed(seconds=cost.functions + cost.others),
            database=Fixed(seconds=cost.database),
            idle=Fixed(seconds=cost.idle),
        )
        return Simulation(limits).run([Arrival(at=0.0, work=work, count=self.syncs)]).last_end

    def done(self, folder: Path) -> float:
        """The same on the embedded stack."""
        sandbox = {
            "accounts": str(self.syncs),
            "transactions": "100",
            "latency-ms": str(self.latency_seconds * 1000),
        }
        with measured_stack(
            folder,
            concurrency=self.workers,
            sandbox=sandbox,
            variables={"MONO_RATE_LIMIT_PER_MINUTE": str(self.per_minute)},
        ) as meter:
            meter.batch(2 * self.workers)  # every environment is warm
            return median(meter.batch(self.syncs).seconds for _ in range(self.times))


def cases(syncs: int) -> list[Case]:
    """One for each thing that can be the bottleneck."""
    plenty = int(PLENTY)
    return [
        Case(name="a slow Mono", workers=4, latency_seconds=0.5, per_minute=plenty, syncs=syncs),
        Case(name="Mono's rate limit", workers=4, latency_seconds=0.0, per_minute=300, syncs=syncs),
        Case(name="the processors", workers=4, latency_seconds=0.0, per_minute=plenty, syncs=2 * syncs, times=5),
    ]


def main(arguments: Sequence[str]) -> int:
    """Measure, predict, do, compare."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale.validate", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--syncs", type=int, default=60, help="of a batch (60)")
    asked = parser.parse_args(arguments)
    rows = []
    with TemporaryDirectory(prefix="bench-scale-") as scratch:
        cost = calibrate(Path(scratch) / "calibration", accounts=asked.syncs)
        for number, case in enumerate(cases(asked.syncs)):
            rows += _rows(case, case.predicted(cost), case.done(Path(scratch) / str(number)))
    for row in rows:
        goal = "" if row.goal is None else f"   goal {row.goal} {'met' if row.ok else 'MISSED'}"
        print(f"{row.what:<48} {row.value:>8} {row.unit}{goal}")
    document = {
        "measured": datetime.now(UTC).date().isoformat(),
        "command": f"python -m bench.scale.validate --syncs {asked.syncs}",
        "load": round(os.getloadavg()[0], 1),
        "processors": os.cpu_count(),
        "rows": [{"what": row.what, "value": row.value, "unit": row.unit, "ok": row.ok} for row in rows],
    }
    FILE.write_text(json.dumps(document, indent=2) + "\n")
    write_results("bench-scale", rows)
    return 0 if passed(rows) else 1


def _rows(case: Case, predicted: float, done: float) -> list[ResultRow]:
    """Of one case: what was predicted, what came of it, and how far apart they are."""
    key, what = case.name.replace(" ", "_"), f"{case.name}, {case.syncs} syncs"
    error = 100 * abs(predicted - done) / done
    return [
        ResultRow(id=f"{key}.predicted", what=f"{what}: predicted", value=round(predicted, 2), unit="s"),
        ResultRow(id=f"{key}.done", what=f"{what}: on the stack", value=round(done, 2), unit="s"),
        ResultRow(
            id=f"{key}.error",
            what=f"{what}: error",
            value=round(error, 1),
            unit="%",
            goal=f"<= {GOAL_PERCENT:.0f}",
            ok=error <= GOAL_PERCENT,
        ),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
