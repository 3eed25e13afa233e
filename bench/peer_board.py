"""What was measured side by side: seconds, memory, kills, and the rows and ratios that are made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Final

from rich.table import Table

from bench.peer_shapes import CONCURRENT
from local.results import ResultRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.measurement import Measurement
    from bench.peer_shapes import Sizes
    from bench.workload import Truth

OURS: Final = "mono-pipeline"
GOALS: Final = {  # how many times as fast as each, by turn
    "cold": {"dlt, tuned": 5.0, "Singer": 6.0, "PyAirbyte": 12.0},
    "again": {"dlt, tuned": 5.0},
}
GOAL_OF_IDEAL: Final = 1.3
GOAL_OF_LIMITS: Final = 1.7
GOAL_OF_BEST_PEER: Final = 2.0
# A flush is the ten pages of a thousand rows: of each worker that was killed, with the state of its account.
GOAL_ASKED_TWICE: Final = CONCURRENT * (10 + 1)


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
    yield _at_most(
        "cold.of_limits", "cold: of transport and store", median(board.seconds[OURS, "cold"]) / limits, GOAL_OF_LIMITS
    )
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
    """Requests that were made twice; ours may be no more than one flush for each worker."""
    again = max(0, killed.requests_before + killed.requests_again - killed.needed)
    counts = f"{killed.requests_before} before, {killed.requests_again} after"
    yield ResultRow(
        id=_key(f"kill.{killed.name}.requests"),
        what=f"kill: {killed.name}, requests made twice ({counts})",
        value=again,
        goal=f"<= {GOAL_ASKED_TWICE}" if killed.name == OURS else None,
        ok=killed.name != OURS or again <= GOAL_ASKED_TWICE,
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


def seconds_table(board: Board) -> Table:
    """Medians by contestant and turn, with peak memory."""
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
