"""`make chaos DURATION=600`: the soak, its figures and `.local/chaos.json`. `SEED=` replays a schedule."""

from __future__ import annotations

import argparse
import sys
import time

from local.results import ResultRow, passed, write_results
from tests.chaos.soak import Report, soak

LONG_SECONDS, LONG_SYNCS = 600.0, 5_000


def main(arguments: list[str]) -> int:
    """Run it; 0 when the tables are the bank at the end."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--duration", type=float, default=60.0, help="seconds of harm")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args(arguments)
    sys.stdout.write(f"seed {options.seed}\n")
    sys.stdout.flush()
    began = time.monotonic()
    report = soak(options.seed, options.duration)
    rows = _rows(report, options.duration, time.monotonic() - began)
    for row in rows:
        sys.stdout.write(f"{row.what}: {row.value} {row.unit}\n")
    for account, how in report.differing.items():
        sys.stdout.write(f"DIFFERS {account}: {how}\n")
    for problem in report.broken:
        sys.stdout.write(f"BROKEN {problem}\n")
    write_results("chaos", rows)
    return 0 if passed(rows) else 1


def _rows(report: Report, duration: float, took: float) -> list[ResultRow]:
    needed = int(LONG_SYNCS * duration / LONG_SECONDS)
    return [
        ResultRow(id="chaos.seed", what="seed", value=report.seed),
        ResultRow(id="chaos.duration", what="harm", value=duration, unit="s"),
        ResultRow(id="chaos.took", what="with the time to come to rest", value=round(took), unit="s"),
        *(
            ResultRow(id=f"chaos.{act}", what=f"events: {act}", value=count)
            for act, count in sorted(report.done.items())
        ),
        ResultRow(
            id="chaos.syncs", what="completed syncs", value=report.syncs, goal=f">= {needed}", ok=report.syncs >= needed
        ),
        ResultRow(id="chaos.leases", what="leases taken", value=report.taken_up),
        ResultRow(id="chaos.rows", what="rows at the bank", value=report.rows),
        ResultRow(id="chaos.dead_letters", what="dead letters", value=report.dead_letters),
        ResultRow(
            id="chaos.differing",
            what="accounts that are not the bank's, row by row",
            value=len(report.differing),
            goal=0,
            ok=not report.differing,
        ),
        ResultRow(id="chaos.broken", what="invariants broken", value=len(report.broken), goal=0, ok=not report.broken),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
