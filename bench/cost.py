"""`make cost`: what proof costs. The main job's load with and without verification and history, and memory by length.

The load is that of `make bench`: the same bank, server and program. "Without" is the same program from a copy of the
layer with `without_evidence.patch`: no digests, no history, no verdict. Both in alternation. Memory is the peak of the
program's resident set for one account of a thousand to a million transactions. Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
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


@dataclass(frozen=True, kw_only=True)
class Load:
    """One load: how long it took, and the processor's seconds in the program and in PostgreSQL."""

    measured: Measurement
    cpu_seconds: float

    @property
    def seconds(self) -> float:
        """From process start to exit."""
        return self.measured.wall_seconds


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


def load_times(server: PostgresServer, *, rounds: int) -> tuple[list[Load], list[Load]]:
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
    found: dict[str, list[Load]] = {program.name: [] for program in programs}
    with serving(pages, HOME / "source", port) as source:
        for number in range(rounds):
            for program in programs if number % 2 == 0 else programs[::-1]:
                with arena.database(DATABASE, schema=True) as url:
                    before = _cpu(server)
                    measured = _load(program, arena, source.base_url, url)
                    found[program.name].append(Load(measured=measured, cpu_seconds=_cpu(server) - before))
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


def _cpu(server: PostgresServer) -> float:
    """Processor seconds so far, of the programs that have ended and of PostgreSQL with all its backends."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    postmaster = psutil.Process(int((server.data_dir / "postmaster.pid").read_text().split()[0]))
    while True:
        try:
            alive = [child.cpu_times() for child in postmaster.children()]
        except psutil.NoSuchProcess:  # one ended while they were counted: it is the postmaster's now, count again
            continue
        times = postmaster.cpu_times()
        break
    return (
        ended.ru_utime
        + ended.ru_stime
        + times.user
        + times.system
        + times.children_user
        + times.children_system
        + sum(each.user + each.system for each in alive)
    )


def cost_rows(with_: Sequence[Load], without: Sequence[Load]) -> list[ResultRow]:
    """Both times, the least of all rounds each: whatever else runs on a machine only ever adds to them."""
    seconds = (min(load.seconds for load in with_), min(load.seconds for load in without))
    cpu = (min(load.cpu_seconds for load in with_), min(load.cpu_seconds for load in without))
    verify = min(float(load.measured.told["verify"]) for load in with_)
    return [
        ResultRow(id="load.with", what="load, verification and history included", value=round(seconds[0], 2), unit="s"),
        ResultRow(id="load.without", what="the same without both", value=round(seconds[1], 2), unit="s"),
        ResultRow(id="load.verify", what="from the last page landed to the verdict", value=round(verify, 2), unit="s"),
        _cost("load.cost", "verification and history, of the load without", *seconds),
        ResultRow(id="cpu.with", what="processor, program and PostgreSQL", value=round(cpu[0], 2), unit="s"),
        ResultRow(id="cpu.without", what="the same without both", value=round(cpu[1], 2), unit="s"),
        _cost("cpu.cost", "verification and history, of the processor's time", *cpu),
    ]


def _cost(name: str, what: str, ours: float, bare: float) -> ResultRow:
    share = round(100 * (ours / bare - 1), 1)
    return ResultRow(id=name, what=what, value=share, unit="%", goal=f"<= {GOAL_COST:.0f}", ok=share <= GOAL_COST)


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
    parser.add_argument("--rounds", type=int, default=7, help="pairs of loads (7)")
    parser.add_argument(
        "--longest", type=int, default=LENGTHS[-1], help="transactions of the longest account; 0: no memory"
    )
    asked = parser.parse_args()
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    with PostgresServer.start(HOME / "postgres") as server:
        rows = cost_rows(*load_times(server, rounds=asked.rounds))
        lengths = [length for length in LENGTHS if length <= asked.longest]
        rows += memory_rows(peaks(server, lengths)) if lengths else []
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


if __name__ == "__main__":
    sys.exit(main())
