"""`make bench`: the main job against dlt, on one server, with one page source, in one run, in alternating order.

A round is one turn of every contestant: a cold load into an empty database, then again with nothing changed. Both turns
of every contestant read every page of every account; nothing is asked for with a date filter, and the page source would
ignore one. Exit code 1 when a goal is missed and not waived (`waivers.toml`). `--quick` runs only ours, on less,
without goals.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bench import contestants
from bench.arena import Arena
from bench.measurement import measure
from bench.page_source import PageSource, serving
from bench.scoreboard import Score, Turn, goal_table, ratio_table, result_rows, times_table
from bench.waivers import waive, waivers
from bench.workload import Shape, Truth, render
from local.ports import LOOPBACK, free_port
from local.postgres import PostgresServer
from local.results import STATE, passed, write_results

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.contestants import Contestant

FULL = Shape(accounts=10, transactions=10_000, page_rows=100)
QUICK = Shape(accounts=2, transactions=2_000, page_rows=100)


class Bench:
    """One benchmark: contestants, their scores, and what they are measured on."""

    def __init__(self, home: Path, source: PageSource, arena: Arena, *, shape: Shape, truth: Truth) -> None:
        self._home = home
        self._source = source
        self._arena = arena
        self._shape = shape
        self._truth = truth
        self.rows_written_again = 0
        self.store_limit: float | None = None

    def round(self, contestant: Contestant, score: Score) -> None:
        """One cold load and one second run of a contestant, on a fresh database."""
        kept = self._home / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        with self._arena.database("bench", schema=not contestant.is_peer) as url:
            self._turn("cold", contestant, score, url, kept)
            before = self._arena.rows_written("bench")
            self._turn("again", contestant, score, url, kept)
            if not contestant.is_peer:
                self.rows_written_again += self._arena.rows_written("bench") - before
                self._must_have_read_everything(score)
                self.store_limit = self._arena.copy_seconds("bench", self._home / "rows.copy")

    def _turn(self, turn: Turn, contestant: Contestant, score: Score, url: str, kept: Path) -> None:
        self._arena.settle("bench")
        argv = contestant.argv(base_url=self._source.base_url, database_url=url, home=kept)
        measured = measure(argv, env=contestant.env, log=self._home / "logs" / f"{contestant.program.stem}-{turn}.log")
        score.turn(turn).append(measured)
        self._arena.settle("bench")
        found = self._arena.counted("bench", contestant.counts)
        if found != self._truth:
            score.faults.append(f"{turn}: {found} is not {self._truth}")

    def _must_have_read_everything(self, score: Score) -> None:
        pages = self._arena.pages_read("bench")
        if pages != self._shape.pages:
            score.faults.append(f"again read {pages} pages of {self._shape.pages}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write `.local/bench.json`, and return the exit code."""
    asked = _parser().parse_args(arguments)
    shape, runs = (QUICK, 1) if asked.quick else (FULL, asked.runs)
    console = Console(width=80, highlight=False)
    entrants = _entrants(quick=asked.quick, workers=asked.workers)
    home = Path(asked.home).absolute()
    shutil.rmtree(home / "pages", ignore_errors=True)
    port = free_port()
    truth = render(shape, home / "pages", base_url=f"http://{LOOPBACK}:{port}")
    scores = {entrant.name: _score_of(entrant) for entrant in entrants}
    with (
        PostgresServer.start(home / "postgres") as server,
        serving(home / "pages", home / "source", port) as source,
    ):
        console.print(f"{shape}; {runs} round{'s' * (runs > 1)}")
        console.print(f"pages served by {source.server}; PostgreSQL with default durability, fresh database a round")
        for entrant in entrants:
            console.print(f"{entrant.name}: {entrant.what}")
        bench = Bench(home, source, Arena(server), shape=shape, truth=truth)
        for number in range(runs):
            # whoever is second finds a warmer machine, so they take turns at it
            for entrant in entrants if number % 2 == 0 else entrants[::-1]:
                bench.round(entrant, scores[entrant.name])
            console.print(f"round {number + 1} of {runs} done")
    return _conclude(console, list(scores.values()), bench, quick=asked.quick)


def _conclude(console: Console, scores: list[Score], bench: Bench, *, quick: bool) -> int:
    rows = waive(
        result_rows(scores, written=bench.rows_written_again, with_goals=not quick, store_limit=bench.store_limit),
        waivers("bench"),
    )
    console.print(times_table(scores))
    for peer in scores:
        if peer.is_peer:
            console.print(ratio_table([score for score in scores if not score.is_peer], peer))
    console.print(goal_table(rows))
    path = write_results("bench-quick" if quick else "bench", rows)
    console.print(f"written to {path.relative_to(STATE.parent)}")
    return 0 if passed(rows) else 1


def _entrants(*, quick: bool, workers: int) -> list[Contestant]:
    if quick:
        return [contestants.ours(1, python=Path(sys.executable))]
    entrants = [contestants.ours(1), contestants.ours(workers), contestants.dlt(), contestants.dlt_tuned()]
    for entrant in entrants:
        entrant.warm_up()
    return entrants


def _score_of(contestant: Contestant) -> Score:
    return Score(name=contestant.name, is_peer=contestant.is_peer, sets_goal=contestant.sets_goal)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="rounds; ratios are medians over them (3)")
    parser.add_argument(
        "--workers", type=int, default=contestants.QUICK_WORKERS, help="workers of our second entry (%(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="2 accounts x 2,000, ours alone, no goals")
    parser.add_argument("--home", default=str(STATE / "bench" / "home"), help="pages, database and logs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
