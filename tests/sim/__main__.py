"""`python -m tests.sim --seed S --n N`: N sequences, each process from a seed of its own (S, S+1, …), and a table."""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.sim.shard import attempt, forget, keep, merged


def main() -> int:
    """Run, print and keep; 1 when an invariant was violated."""
    options = _arguments()
    forget()
    share = -(-options.n // options.workers)
    with ProcessPoolExecutor(options.workers, mp_context=get_context("spawn")) as pool:
        ends = list(
            pool.map(attempt, [(options.seed + place, share, options.no_shrink) for place in range(options.workers)])
        )
    shards = [end for end in ends if isinstance(end, dict)]
    for shard in shards:
        keep(shard)
    _print(shards)
    for failed in (end for end in ends if isinstance(end, str)):
        sys.stdout.write(failed)
    return 0 if len(shards) == len(ends) else 1


def _print(shards: list[dict[str, Any]]) -> None:
    console = Console(width=80)
    for name, title in (("rules", "rule"), ("verdicts", "verdict of a run"), ("seen", "seen")):
        table = Table(title, "times")
        for key, times in sorted(merged(shards, name).items()):
            table.add_row(key, str(times))
        console.print(table)
    for shard in shards:
        console.print(
            f"seed {shard['seed']}: {shard['sequences']} sequences, {shard['steps']} steps, {shard['seconds']} s"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n", type=int, default=500, help="sequences, over all processes")
    parser.add_argument("--workers", type=int, default=2, help="processes; each has the next seed")
    parser.add_argument("--no-shrink", action="store_true", help="show a failure as it was found")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
