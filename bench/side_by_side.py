"""`make bench-peers`: mono-pipeline beside dlt, Singer and PyAirbyte, in one run, and the limits of the machine.

* cold, again: 10 accounts of 10,000 from nginx without latency, as `make bench`; the transport's limit (the same pages
  read and thrown away) and the store's (one COPY into an identical table).
* A: 20 accounts of 1,000, 100 ms an answer; B: 500 of 20, 50 ms. The source answers ten at once, so that latency x
  requests / 10 is a floor for everybody; the requests are those that the contract requires of us.
* kill: A, killed with SIGKILL when half of it was answered, and run again: requests of the second run, rows wrong.

What is in the tables after a bank changed its books is `python -m bench.evidence --all-peers`. Ratios are within a
round; medians over rounds. Writes `.local/bench-peers.json`; exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import httpx
from rich.console import Console
from rich.table import Table

from bench import contestants, more_peers
from bench.arena import Arena
from bench.measurement import RunFailed, measure
from bench.page_source import serving
from bench.slow_pages import COUNT
from bench.workload import Shape, Truth, render
from local import child
from local.ports import LOOPBACK, answers, free_port
from local.postgres import PostgresServer
from local.results import ROOT, STATE, ResultRow, passed, write_results

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.contestants import Contestant
    from bench.measurement import Measurement

DATABASE: Final = "peers"
OURS: Final = "mono-pipeline"
CONCURRENT: Final = 10
GOALS: Final = {  # how many times as fast as each, by turn
    "cold": {"dlt, tuned": 5.0, "Singer": 6.0, "PyAirbyte": 12.0},
    "again": {"dlt, tuned": 5.0},
}
GOAL_OF_IDEAL: Final = 1.3
GOAL_OF_LIMITS: Final = 1.7
GOAL_OF_BEST_PEER: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Slow:
    """A shape where latency decides: `seconds` an answer."""

    name: str
    shape: Shape
    seconds: float

    @property
    def requests(self) -> int:
        """What the contract requires: the list, and of each account its state and its pages."""
        return 1 + self.shape.accounts + self.shape.pages

    @property
    def ideal(self) -> float:
        """Seconds, with ten answers under way all the time."""
        return self.requests * self.seconds / CONCURRENT


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    main: Shape
    slow: tuple[Slow, Slow]
    runs: int


FULL: Final = Sizes(
    main=Shape(accounts=10, transactions=10_000, page_rows=100),
    slow=(
        Slow(name="A", shape=Shape(accounts=20, transactions=1_000, page_rows=100), seconds=0.1),
        Slow(name="B", shape=Shape(accounts=500, transactions=20, page_rows=100), seconds=0.05),
    ),
    runs=3,
)
TINY: Final = Sizes(
    main=Shape(accounts=2, transactions=300, page_rows=100),
    slow=(
        Slow(name="A", shape=Shape(accounts=4, transactions=500, page_rows=100), seconds=0.1),
        Slow(name="B", shape=Shape(accounts=12, transactions=20, page_rows=100), seconds=0.05),
    ),
    runs=1,
)


@dataclass(kw_only=True)
class Board:
    """Everything that was measured: by contestant and turn, a value a round."""

    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    peak_mib: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    limits: dict[str, list[float]] = field(default_factory=dict)
    kills: list[Killed] = field(default_factory=list)

    def note(self, name: str, turn: str, measured: Measurement) -> None:
        """One more run."""
        self.seconds.setdefault((name, turn), []).append(measured.wall_seconds)
        self.peak_mib[name] = max(self.peak_mib.get(name, 0.0), measured.peak_mib)

    def expect(self, name: str, turn: str, found: Truth, truth: Truth) -> None:
        """Hold tables against the bank."""
        if found != truth:
            self.faults.append(f"{name}, {turn}: {found} is not {truth}")


@dataclass(frozen=True, kw_only=True)
class Killed:
    """One contestant that was killed: requests answered by then and by the second run, rows after both."""

    name: str
    requests_before: int
    rows_before: int
    requests_again: int
    rows_wrong: int
    needed: int


class SideBySide:
    """One run of all shapes."""

    def __init__(self, home: Path, arena: Arena, sizes: Sizes) -> None:
        self._home = home
        self._arena = arena
        self._sizes = sizes
        self.board = Board()

    def main_job(self, entrants: Sequence[Contestant]) -> None:
        """Cold and again, and both limits, in alternating order."""
        shape, port, pages = self._sizes.main, free_port(), self._fresh("pages")
        truth = render(shape, pages, base_url=f"http://{LOOPBACK}:{port}")
        with serving(pages, self._home / "source", port) as source:
            for number in range(self._sizes.runs):
                for entrant in entrants if number % 2 == 0 else entrants[::-1]:
                    with self._arena.database(DATABASE, schema=not entrant.is_peer) as url:
                        self._turn(entrant, "cold", source.base_url, url, truth=truth, kept=self._fresh("kept"))
                        self._turn(entrant, "again", source.base_url, url, truth=truth, kept=self._home / "kept")
                        if not entrant.is_peer:
                            copied = self._arena.copy_seconds(DATABASE, self._home / "rows.copy")
                            self.board.limits.setdefault("store", []).append(copied)
                self._transport_limit("transport", shape, source.base_url, in_flight=4)

    def slow(self, slow: Slow, entrants: Sequence[Contestant]) -> None:
        """A cold load where latency decides."""
        with self._slow_source(slow) as (base_url, truth):
            for number in range(self._sizes.runs):
                for entrant in entrants if number % 2 == 0 else entrants[::-1]:
                    with self._arena.database(DATABASE, schema=not entrant.is_peer) as url:
                        self._turn(entrant, slow.name, base_url, url, truth=truth, kept=self._fresh("kept"))
                self._transport_limit(f"transport {slow.name}", slow.shape, base_url, in_flight=CONCURRENT)

    def kill(self, slow: Slow, entrants: Sequence[Contestant]) -> None:
        """Half-way, with SIGKILL; then once more."""
        with self._slow_source(slow) as (base_url, truth):
            for entrant in entrants:
                with self._arena.database(DATABASE, schema=not entrant.is_peer) as url:
                    self.board.kills.append(self._killed(entrant, slow, base_url, url, truth))

    def _killed(self, entrant: Contestant, slow: Slow, base_url: str, url: str, truth: Truth) -> Killed:
        argv = entrant.argv(base_url=base_url, database_url=url, home=self._fresh("kept"))
        began = _requests(base_url)
        process = child.spawn(argv, log=self._log(entrant, "killed"), env=entrant.env)
        while _requests(base_url) - began < slow.requests // 2 and process.poll() is None:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._arena.settle(DATABASE)
        done = _requests(base_url) - began
        rows = self._rows(entrant)
        if not entrant.is_peer:  # the leases of the dead end by themselves after LEASE_SECONDS; nobody waits for that
            self._arena.rows(
                DATABASE, "UPDATE bank_accounts SET lease_until = pipeline_now() WHERE lease_until IS NOT NULL"
            )
        began = _requests(base_url)
        measure(argv, env=entrant.env, log=self._log(entrant, "after-kill"))
        self._arena.settle(DATABASE)
        found = self._arena.counted(DATABASE, entrant.counts)
        self.board.expect(entrant.name, "after the kill", found, truth)
        return Killed(
            name=entrant.name,
            requests_before=done,
            rows_before=rows,
            requests_again=_requests(base_url) - began,
            rows_wrong=abs(found.rows - truth.rows),
            # the others do not read the state of each account
            needed=slow.requests - (slow.shape.accounts if entrant.is_peer else 0),
        )

    def _rows(self, entrant: Contestant) -> int:
        """Rows that can be seen; none where there is no table yet."""
        there = self._arena.rows(DATABASE, "SELECT (to_regclass('mono.transactions') IS NOT NULL)::int AS n")[0]["n"]
        return self._arena.counted(DATABASE, entrant.counts).rows if there or not entrant.is_peer else 0

    def _turn(self, entrant: Contestant, turn: str, base_url: str, url: str, *, truth: Truth, kept: Path) -> None:
        self._arena.settle(DATABASE)
        argv = entrant.argv(base_url=base_url, database_url=url, home=kept)
        try:
            measured = measure(argv, env=entrant.env, log=self._log(entrant, turn))
        except RunFailed as failed:
            raise RunFailed(f"{entrant.name}, {turn}: {failed}") from failed
        self._arena.settle(DATABASE)
        self.board.note(entrant.name, turn, measured)
        self.board.expect(entrant.name, turn, self._arena.counted(DATABASE, entrant.counts), truth)

    def _transport_limit(self, name: str, shape: Shape, base_url: str, *, in_flight: int) -> None:
        pages = -(-shape.transactions // shape.page_rows)
        reader = contestants.ours(1)
        program = Path(__file__).with_name("read_and_discard.py")
        reader = replace(reader, program=program, options=("--pages", str(pages), "--in-flight", str(in_flight)))
        argv = reader.argv(base_url=base_url, database_url="none", home=self._home)
        measured = measure(argv, env=reader.env, log=self._home / "logs" / "transport.log")
        self.board.limits.setdefault(name, []).append(measured.wall_seconds)

    @contextmanager
    def _slow_source(self, slow: Slow) -> Iterator[tuple[str, Truth]]:
        port, pages = free_port(), self._fresh("slow-pages")
        base_url = f"http://{LOOPBACK}:{port}"
        truth = render(slow.shape, pages, base_url=base_url)
        _end_with_an_empty_page(pages)
        argv = [sys.executable, "-m", "bench.slow_pages", str(pages), str(port), str(slow.seconds * 1000)]
        log = self._home / "logs" / "slow-pages.log"
        process = child.spawn([*argv, str(CONCURRENT)], log=log, cwd=ROOT)
        try:
            child.wait_until(lambda: answers(port), child=process, what="the slow page source", log=log, patience=30.0)
            yield base_url, truth
        finally:
            child.stop(process, signals=[signal.SIGTERM])

    def _fresh(self, name: str) -> Path:
        folder = self._home / name
        shutil.rmtree(folder, ignore_errors=True)
        return folder

    def _log(self, entrant: Contestant, turn: str) -> Path:
        return self._home / "logs" / f"{entrant.name.replace(' ', '_')}-{turn}.log"


def _end_with_an_empty_page(pages: Path) -> None:
    """Mono answers a page beyond the last with no rows (Mono contract 2.3); who goes on after the last asks for it."""
    for account in pages.glob("*/account.json"):
        last = max(int(file.stem) for file in account.parent.glob("*.json") if file.stem.isdigit())
        page = json.loads((account.parent / f"{last}.json").read_text())
        page["data"], page["meta"]["page"] = [], last + 1
        (account.parent / f"{last + 1}.json").write_text(json.dumps(page))


def _requests(base_url: str) -> int:
    """Answers that the slow source has given so far."""
    return int(httpx.get(f"{base_url}{COUNT}", trust_env=False).text)


def result_rows(board: Board, sizes: Sizes) -> list[ResultRow]:
    """Every figure; ratios have goals."""
    rows = [
        ResultRow(id=_key(f"{name}.{turn}"), what=f"{name}, {turn}", value=round(median(found), 2), unit="s")
        for (name, turn), found in board.seconds.items()
    ]
    rows += [
        ResultRow(id=_key(f"{name}.peak"), what=f"{name}, peak memory", value=round(peak, 1), unit="MiB")
        for name, peak in board.peak_mib.items()
    ]
    rows += [
        ResultRow(id=_key(f"limit.{name}"), what=f"limit: {name}", value=round(median(found), 2), unit="s")
        for name, found in board.limits.items()
    ]
    rows += _ratio_rows(board)
    rows += _limit_rows(board, sizes)
    rows += [row for killed in board.kills for row in _kill_rows(killed)]
    rows.append(
        ResultRow(
            id="truth", what="; ".join(board.faults) or "tables equal the bank", value=not board.faults, goal=True,
            ok=not board.faults,
        )
    )  # fmt: skip
    return rows


def ratio(board: Board, turn: str, peer: str) -> float:
    """How many times as fast as the peer we are, the median of the rounds."""
    pairs = zip(board.seconds[OURS, turn], board.seconds[peer, turn], strict=True)
    return median(theirs / ours for ours, theirs in pairs)


def _ratio_rows(board: Board) -> Iterator[ResultRow]:
    for name, turn in board.seconds:
        if name == OURS:
            continue
        found, goal = ratio(board, turn, name), GOALS.get(turn, {}).get(name)
        yield ResultRow(
            id=_key(f"ratio.{turn}.{name}"),
            what=f"{turn}: times as fast as {name}",
            value=round(found, 2),
            goal=goal,
            ok=goal is None or found >= goal,
        )


def _limit_rows(board: Board, sizes: Sizes) -> Iterator[ResultRow]:
    limits = median(board.limits["transport"]) + median(board.limits["store"])
    yield _at_most("cold.of_limits", "cold: of transport and store", median(board.seconds[OURS, "cold"]) / limits, 1.7)
    for slow in sizes.slow:
        ours = median(board.seconds[OURS, slow.name])
        yield ResultRow(id=f"{slow.name}.ideal", what=f"{slow.name}: ideal", value=round(slow.ideal, 2), unit="s")
        yield _at_most(f"{slow.name}.of_ideal", f"{slow.name}: of the ideal", ours / slow.ideal, GOAL_OF_IDEAL)
        peers = [name for name, turn in board.seconds if turn == slow.name and name != OURS]
        best = min(ratio(board, slow.name, name) for name in peers)
        yield ResultRow(
            id=f"{slow.name}.best_peer",
            what=f"{slow.name}: times as fast as the best peer",
            value=round(best, 2),
            goal=GOAL_OF_BEST_PEER,
            ok=best >= GOAL_OF_BEST_PEER,
        )


def _at_most(key: str, what: str, found: float, goal: float) -> ResultRow:
    return ResultRow(id=key, what=what, value=round(found, 2), goal=f"<= {goal}", ok=found <= goal)


def _kill_rows(killed: Killed) -> Iterator[ResultRow]:
    """Requests that were made twice; ours may be no more than what was in flight and one flush, for each worker."""
    again = max(0, killed.requests_before + killed.requests_again - killed.needed)
    counts = f"{killed.requests_before} before, {killed.requests_again} after"
    yield ResultRow(
        id=_key(f"kill.{killed.name}.requests"),
        what=f"kill: {killed.name}, requests made twice ({counts})",
        value=again,
    )
    yield ResultRow(
        id=_key(f"kill.{killed.name}.rows"),
        what=f"kill: {killed.name}, rows wrong after the second run ({killed.rows_before} visible at the kill)",
        value=killed.rows_wrong,
        goal=0 if killed.name == OURS else None,
        ok=killed.rows_wrong == 0,
    )


def _key(text: str) -> str:
    return text.replace(", ", "_").replace(" ", "_").lower()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print one table, write `.local/bench-peers.json`."""
    parser = argparse.ArgumentParser(prog="make bench-peers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tiny", action="store_true", help="everything once, on very little: does it work?")
    parser.add_argument("--only", action="append", default=[], help="of ours, dlt, singer, pyairbyte; all by default")
    parser.add_argument("--shapes", default="main,A,B,kill", help="which of main, A, B, kill")
    asked = parser.parse_args(arguments)
    sizes, home = TINY if asked.tiny else FULL, STATE / "bench" / "peers-home"
    shutil.rmtree(home, ignore_errors=True)
    makers = {"dlt": contestants.dlt_tuned, "singer": more_peers.singer, "pyairbyte": more_peers.pyairbyte}
    peers = [make() for name, make in makers.items() if not asked.only or name in asked.only]
    for peer in peers:
        peer.warm_up()
    with PostgresServer.start(home / "postgres") as server:
        run = SideBySide(home, Arena(server), sizes)
        _run_shapes(run, sizes, peers, asked.shapes.split(","))
    rows = result_rows(run.board, sizes) if asked.shapes == parser.get_default("shapes") else []
    console = Console(width=100, highlight=False)
    console.print(_table(run.board))
    for row in rows:
        if row.goal is not None or row.id.startswith(("ratio", "kill", "limit")):
            mark = "" if row.goal is None else f"   goal {row.goal} {'met' if row.ok else 'MISSED'}"
            console.print(f"{row.what:<70} {row.value} {row.unit}{mark}")
    if rows:
        write_results("bench-peers-tiny" if asked.tiny else "bench-peers", rows)
    return 0 if asked.tiny or passed(rows) else 1


def _run_shapes(run: SideBySide, sizes: Sizes, peers: Sequence[Contestant], shapes: Sequence[str]) -> None:
    # two workers for two processors; ten where waiting is the work
    quick, many = (replace(contestants.ours(workers), name=OURS) for workers in (2, CONCURRENT))
    if "main" in shapes:
        run.main_job([quick, *peers])
    for slow in sizes.slow:
        if slow.name in shapes:
            run.slow(slow, [many, *peers])
    if "kill" in shapes:
        run.kill(sizes.slow[0], [many, *peers])


def _table(board: Board) -> Table:
    turns = list(dict.fromkeys(turn for _, turn in board.seconds))
    table = Table(title="seconds from process start to exit, medians", title_justify="left")
    table.add_column("")
    for turn in turns:
        table.add_column(turn, justify="right")
    table.add_column("peak MiB", justify="right")
    for name in dict.fromkeys(name for name, _ in board.seconds):
        cells = (median(board.seconds.get((name, turn), [float("nan")])) for turn in turns)
        table.add_row(name, *(f"{cell:.2f}" for cell in cells), f"{board.peak_mib[name]:.0f}")
    return table


if __name__ == "__main__":
    sys.exit(main())
