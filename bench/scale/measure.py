"""`python -m bench.scale.measure`: what syncs cost on the embedded stack; writes `bench/scale/service_times.json`.

One worker, a Mono without latency: the processor seconds of a sync by whose they are, and what a run waits for besides.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from bench.scale.service_times import FILE
from bench.scale.stack_meter import measured_stack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.scale.stack_meter import Batch, StackMeter

COMMAND: Final = "python -m bench.scale.measure"
PLENTY: Final = "100000"  # calls to Mono a minute, where they are not what is measured
PAGES: Final = 20
BATCHES: Final = 3


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Processor seconds of one sync on one worker, by whose they are, and seconds without processor."""

    functions: float
    database: float
    others: float
    idle: float

    @classmethod
    def of(cls, batch: Batch) -> Calibration:
        """The averages of a batch that one worker served."""
        return cls(
            functions=batch.functions / batch.syncs,
            database=batch.database / batch.syncs,
            others=batch.others / batch.syncs,
            idle=max(0.0, batch.seconds / batch.syncs - batch.processor),
        )

    @classmethod
    def median(cls, several: Sequence[Calibration]) -> Calibration:
        """Part by part."""
        return cls(**{part.name: median(getattr(one, part.name) for one in several) for part in fields(cls)})


def calibrate(folder: Path, *, accounts: int) -> Calibration:
    """The cost of a sync that reads one page and finds nothing new."""
    sandbox = {"accounts": str(accounts), "transactions": "100"}
    with measured_stack(
        folder, concurrency=1, sandbox=sandbox, variables={"MONO_RATE_LIMIT_PER_MINUTE": PLENTY}
    ) as meter:
        meter.batch(accounts)  # warm
        return Calibration.median([Calibration.of(meter.batch(accounts)) for _ in range(BATCHES)])


def _history(folder: Path, *, accounts: int) -> tuple[float, float, float]:
    """Processor seconds of the functions and the database for a page of a history, and bytes of a row."""
    variables = {"MONO_RATE_LIMIT_PER_MINUTE": PLENTY}
    with measured_stack(folder, concurrency=1, sandbox={"accounts": "1"}, variables=variables) as meter:
        meter.first_histories(1, transactions=PAGES * 100)  # warm
        before = _pages(meter)
        batch = meter.first_histories(accounts, transactions=PAGES * 100)
        pages = _pages(meter) - before
        return batch.functions / pages, batch.database / pages, meter.row_bytes()


def _pages(meter: StackMeter) -> int:
    return int(meter.database.rows("SELECT coalesce(sum(pages_read), 0)::bigint AS n FROM sync_runs")[0]["n"])


def main(arguments: Sequence[str]) -> int:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--accounts", type=int, default=60)
    asked = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="bench-scale-") as scratch:
        daily = calibrate(Path(scratch) / "daily", accounts=asked.accounts)
        page = _history(Path(scratch) / "history", accounts=max(2, asked.accounts // 10))
    document = json.loads(FILE.read_text())
    now = datetime.now(UTC)
    document["measured"] = now.date().isoformat()
    document["hardware"] = f"{os.cpu_count()} cores, {platform.machine()}, load {os.getloadavg()[0]:.1f} at the end"
    document["times"] |= {
        "daily_worker": _row(daily.functions, "s", "processor of the functions, a sync of one page, nothing new"),
        "daily_database": _row(daily.database, "s", "processor of PostgreSQL, the same sync"),
        "page_worker": _row(page[0], "s", "processor of the functions, a page of 100 rows of a full history"),
        "page_database": _row(page[1], "s", "processor of PostgreSQL, the same page"),
        "row_bytes": _row(page[2], "byte", "a transaction with its indexes"),
    }
    FILE.write_text(json.dumps(document, indent=2) + "\n")
    for name, row in document["times"].items():
        print(f"{name:<16} {row['value']:>10} {row['unit']:<5} {row['what']}")
    return 0


def _row(value: float, unit: str, what: str) -> dict[str, Any]:
    return {"value": round(value, 5), "unit": unit, "what": what, "source": COMMAND}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
