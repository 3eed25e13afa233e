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
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import httpx
from rich.console import Console

from bench import contestants, more_peers
from bench.arena import Arena
from bench.measurement import RunFailed, measure
from bench.page_source import serving
from bench.peer_board import OURS, Board, Killed, result_rows, seconds_table
from bench.peer_shapes import CONCURRENT, FULL, TINY, Sizes, Slow
from bench.slow_pages import COUNT
from bench.waivers import judgement, waive, waivers
from bench.workload import Shape, Truth, render
from local import child
from local.ports import LOOPBACK, answers, free_port
from local.postgres import PostgresServer
from local.results import ROOT, STATE, passed, write_results

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.contestants import Contestant

DATABASE: Final = "peers"


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
    rows = (
        waive(result_rows(run.board, sizes), waivers("bench-peers"))
        if asked.shapes == parser.get_default("shapes")
        else []
    )
    console = Console(width=100, highlight=False)
    console.print(seconds_table(run.board))
    for row in rows:
        if row.goal is not None or row.id.startswith(("ratio", "kill", "limit")):
            mark = "" if row.goal is None else f"   goal {row.goal} {judgement(row)}"
            console.print(f"{row.what:<70} {row.value} {row.unit}{mark}")
    if rows:
        write_results("bench-peers-tiny" if asked.tiny else "bench-peers", rows)
    return 0 if asked.tiny or passed(rows) else 1


def _run_shapes(run: SideBySide, sizes: Sizes, peers: Sequence[Contestant], shapes: Sequence[str]) -> None:
    quick, patient, ten = (
        replace(contestants.ours(workers), name=OURS)
        for workers in (contestants.QUICK_WORKERS, contestants.PATIENT_WORKERS, CONCURRENT)
    )
    if "main" in shapes:
        run.main_job([quick, *peers])
    for slow in sizes.slow:
        if slow.name in shapes:
            run.slow(slow, [patient, *peers])
    if "kill" in shapes:
        run.kill(sizes.slow[0], [ten, *peers])  # each may have a flush under way


if __name__ == "__main__":
    sys.exit(main())
