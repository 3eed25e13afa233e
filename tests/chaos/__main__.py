"""`make chaos DURATION=600`: the soak, its figures and `.local/chaos.json`. `SEED=` replays a schedule."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from math import inf
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from local.results import passed, write_results
from tests.chaos.soak import ACCOUNTS, REST_DAYS, WORKERS, soak

if TYPE_CHECKING:
    from local.results import ResultRow
    from tests.chaos.report import Report


def main(arguments: list[str]) -> int:
    """Run it; 0 when the tables are the bank at the end, and every other figure is as it should be."""
    options = _options(arguments)
    console = Console(width=110, highlight=False)
    console.print(f"seed {options.seed}")
    began = time.monotonic()

    most = inf if options.syncs is None else options.syncs - options.accounts * len(REST_DAYS)
    asked_to_end: list[int] = []
    # the harm ends, and what there was of it is reckoned
    signal.signal(signal.SIGTERM, lambda number, _: asked_to_end.append(number))

    def tell(progress: str) -> None:
        console.print(f"{time.monotonic() - began:5.0f} s  {progress}")

    report = soak(
        options.seed,
        options.duration,
        accounts=options.accounts,
        workers=options.workers,
        enough=lambda syncs: bool(asked_to_end) or syncs >= most,
        tell=tell,
    )
    figures = report.figures(syncs=options.syncs)
    _show(console, report, figures)
    write_results("chaos", figures)
    return 0 if passed(figures) else 1


def _show(console: Console, report: Report, figures: list[ResultRow]) -> None:
    table = Table("", "measured", "goal", "")
    for row in figures:
        goal = "" if row.goal is None else str(row.goal)
        mark = "" if row.goal is None else "ok" if row.ok else "MISSED"
        table.add_row(row.what, f"{row.value} {row.unit}".strip(), goal, mark)
    console.print(table)
    for problem in report.wrong:
        console.print(f"WRONG {problem}", markup=False)
    for difference in report.differing:
        console.print(f"DIFFERS {difference.kind} {difference.transaction} of {difference.account}", markup=False)
        for line in difference.history:
            console.print(f"  {line}", markup=False)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--duration", type=float, default=60.0, help="seconds of harm")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--accounts", type=int, default=ACCOUNTS)
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes; more where each of them waits long")
    parser.add_argument("--syncs", type=int, help="so many are enough: the harm may end before its time")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
