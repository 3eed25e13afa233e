"""`make cost`: what proof costs. The main job's load with and without verification and history, and memory by length.

The load is that of `make bench`: the same bank, server and program. "Without" is the same program from a copy of the
layer with `without_evidence.patch`: no digests, no history, no verdict. Both in alternation. Memory is the peak of the
program's resident set for one account of a thousand to a million transactions. Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.table import Table

from bench import contestants, long_account
from bench.arena import Arena
from bench.measurement import measure
from bench.page_source import serving
from bench.workload import Shape, render
from local.ports import LOOPBACK, free_port
from local.postgres import PostgresServer
from local.results import ROOT, STATE, ResultRow, passed, write_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.contestants import Contestant
    from bench.measurement import Measurement

HOME: Final = STATE / "bench" / "cost"
PATCH: Final = Path(__file__).with_name("without_evidence.patch")
DATABASE: Final = "cost"
SHAPE: Final = Shape(accounts=10, transactions=10_000, page_rows=100)
LENGTHS: Final = (1_000, 10_000, 100_000, 1_000_000)
GOAL_COST: Final = 25.0  # per cent of the load without
GOAL_SPREAD: Final = 10.0  # per cent above or below the middle


def without_evidence(ours: Contestant) -> Contestant:
    """The same program over a patched copy of the layer."""
    copy = HOME / "without"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ROOT / "layers", copy / "layers", ignore=shutil.ignore_patterns("__pycache__"))
    told = subprocess.run(
        ["git", "apply", str(PATCH)],  # noqa: S607 - git from PATH
        cwd=copy,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(HOME)},
        capture_output=True,
        text=True,
        check=False,
    )
    if told.returncode:
        raise RuntimeError(f"{PATCH.name} does not apply any more; refresh it:\n{told.stderr}")
    return replace(
        ours, name="without", environment={**ours.environment, "PYTHONPATH": str(copy / "layers" / "common")}
    )


def load_times(server: PostgresServer, *, rounds: int) -> tuple[list[Measurement], list[Measurement]]:
    """Cold loads with and without, a pair a round; who is first changes."""
    ours = contestants.ours(1)
    programs = (ours, without_evidence(ours))
    for program in programs:
        program.warm_up()
    arena = Arena(server)
    port = free_port()
    pages = HOME / "pages"
    shutil.rmtree(pages, ignore_errors=True)
    truth = render(SHAPE, pages, base_url=f"http://{LOOPBACK}:{port}")
    found: dict[str, list[Measurement]] = {program.name: [] for program in programs}
    with serving(pages, HOME / "source", port) as source:
        for number in range(rounds):
            for program in programs if number % 2 == 0 else programs[::-1]:
                with arena.database(DATABASE, schema=True) as url:
                    found[program.name].append(_load(program, arena, source.base_url, url))
                    if arena.counted(DATABASE, program.counts) != truth:
                        raise RuntimeError(f"{program.name} did not load the bank")
    return found[ours.name], found["without"]


def peaks(server: PostgresServer, lengths: Sequence[int]) -> dict[int, Measurement]:
    """One cold load of one account of each length."""
    ours, arena, port = contestants.ours(1), Arena(server), free_port()
    found = {}
    for length in lengths:
        pages = HOME / "long"
        shutil.rmtree(pages, ignore_errors=True)
        long_account.render(pages, base_url=f"http://{LOOPBACK}:{port}", transactions=length, page_rows=100)
        with (
            serving(pages, HOME / "source", port) as source,
            arena.database(DATABASE, schema=True) as url,
        ):
            found[length] = _load(ours, arena, source.base_url, url)
            stored = arena.counted(DATABASE, ours.counts).rows
        if stored != length:
            raise RuntimeError(f"{stored} rows of {length} are stored")
    shutil.rmtree(HOME / "long")
    return found


def _load(program: Contestant, arena: Arena, base_url: str, url: str) -> Measurement:
    arena.settle(DATABASE)
    argv = program.argv(base_url=base_url, database_url=url, home=HOME)
    measured = measure(argv, env=program.env, log=HOME / f"{program.name}.log")
    arena.settle(DATABASE)
    return measured


def cost_rows(with_: Sequence[Measurement], without: Sequence[Measurement]) -> list[ResultRow]:
    """Both times, and what the first is above the second: the median over the rounds."""
    middle = {"with": median(_seconds(with_)), "without": median(_seconds(without))}
    pairs = zip(_seconds(with_), _seconds(without), strict=True)
    share = round(100 * median(ours / bare - 1 for ours, bare in pairs), 1)
    verify = median(float(measured.told["verify"]) for measured in with_)
    return [
        ResultRow(
            id="load.with", what="load, verification and history included", value=round(middle["with"], 2), unit="s"
        ),
        ResultRow(id="load.without", what="the same without both", value=round(middle["without"], 2), unit="s"),
        ResultRow(
            id="load.verify", what="of it from the last page landed to the verdict", value=round(verify, 2), unit="s"
        ),
        ResultRow(
            id="load.cost",
            what="verification and history, of the load without",
            value=share,
            unit="%",
            goal=f"<= {GOAL_COST:.0f}",
            ok=share <= GOAL_COST,
        ),
    ]


def memory_rows(found: dict[int, Measurement]) -> list[ResultRow]:
    """The peak of each length, and how far the largest and the smallest lie from their middle."""
    values = [measured.peak_mib for measured in found.values()]
    centre = (max(values) + min(values)) / 2
    spread = round(100 * (max(values) - centre) / centre, 1)
    return [
        *(
            ResultRow(
                id=f"memory.{length}",
                what=f"peak for {length:,} transactions ({measured.wall_seconds:.1f} s)",
                value=round(measured.peak_mib, 1),
                unit="MiB",
            )
            for length, measured in found.items()
        ),
        ResultRow(
            id="memory.spread",
            what="largest and smallest peak, from their middle",
            value=spread,
            unit="+-%",
            goal=f"<= {GOAL_SPREAD:.0f}",
            ok=spread <= GOAL_SPREAD,
        ),
    ]


def main() -> int:
    """Measure, print, write `.local/cost.json`."""
    parser = argparse.ArgumentParser(prog="make cost", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="pairs of loads (5)")
    parser.add_argument("--longest", type=int, default=LENGTHS[-1], help="transactions of the longest account")
    asked = parser.parse_args()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    with PostgresServer.start(HOME / "postgres") as server:
        rows = cost_rows(*load_times(server, rounds=asked.rounds))
        rows += memory_rows(peaks(server, [length for length in LENGTHS if length <= asked.longest]))
    console = Console(width=80, highlight=False)
    console.print(_table(rows))
    console.print(f"written to {write_results('cost', rows).relative_to(ROOT)}")
    return 0 if passed(rows) else 1


def _table(rows: Sequence[ResultRow]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for heading in ("", "", "", "goal"):
        table.add_column(heading, justify="left" if len(table.columns) == 0 else "right")
    for row in rows:
        goal = "" if row.goal is None else f"{row.goal} {'met' if row.ok else 'MISSED'}"
        table.add_row(row.what, f"{row.value}", row.unit, goal)
    return table


def _seconds(measured: Sequence[Measurement]) -> list[float]:
    return [run.wall_seconds for run in measured]


if __name__ == "__main__":
    sys.exit(main())
