"""From measurements to figures: medians, ratios within a round, goals; as a table for people and rows for machines."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Final, Literal

from rich.table import Table

from bench.waivers import judgement
from local.results import ResultRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.measurement import Measurement

type Turn = Literal["cold", "again"]

TURNS: Final[tuple[Turn, ...]] = ("cold", "again")
GOAL_RATIO: Final[dict[Turn, float]] = {"cold": 3.0, "again": 4.0}
GOAL_PEAK_MIB: Final = 128.0


@dataclass(frozen=True, kw_only=True)
class Score:
    """All that one contestant did: a measurement a round for each turn, and whether its tables are the bank's.

    A peer `sets_goal` when it runs at its best settings: the goals are against that one.
    """

    name: str
    is_peer: bool = False
    sets_goal: bool = False
    cold: list[Measurement] = field(default_factory=list)
    again: list[Measurement] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def turn(self, turn: Turn) -> list[Measurement]:
        """The measurements of a turn, in the order of the rounds."""
        return self.cold if turn == "cold" else self.again

    @property
    def peak_mib(self) -> float:
        """The largest of all rounds."""
        return max(measured.peak_mib for measured in (*self.cold, *self.again))


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Ratios over the rounds. A ratio is of two runs of one round, so that a slow moment slows both."""

    low: float
    middle: float
    high: float


def ratios(ours: Score, peer: Score, turn: Turn) -> Spread:
    """How many times the peer's time ours fits into, process start to exit."""
    pairs = zip(ours.turn(turn), peer.turn(turn), strict=True)
    found = [theirs.wall_seconds / mine.wall_seconds for mine, theirs in pairs]
    return Spread(low=min(found), middle=median(found), high=max(found))


def result_rows(
    scores: Sequence[Score], *, written: int, with_goals: bool, store_limit: float | None = None
) -> list[ResultRow]:
    """Every figure. The fastest of ours (by its cold load) has the goals; the others are there to compare.

    `written` counts what our second runs wrote; `store_limit` is in seconds.
    """
    ours, peers = [score for score in scores if not score.is_peer], [score for score in scores if score.is_peer]
    best = min(ours, key=lambda score: median(run.wall_seconds for run in score.cold))
    rows = [row for score in scores for row in _figures(score)]
    for peer in peers:
        rows += [row for score in ours for row in _ratio_rows(score, peer, goal=with_goals and score is best)]
    if store_limit is not None:
        what = "one COPY of our rows into a table with the same indexes and constraints"
        rows.append(ResultRow(id="store.limit", what=what, value=round(store_limit, 3), unit="s"))
    return [*rows, *map(_truth_row, scores), _written_row(written, with_goals), _memory_row(best, with_goals)]


def _written_row(written: int, with_goals: bool) -> ResultRow:  # noqa: FBT001 - private, and named where it is called
    return ResultRow(
        id="again.rows_written",
        what="rows of transactions and their history that our second runs wrote, nothing changed",
        value=written,
        unit="rows",
        goal=0 if with_goals else None,
        ok=written == 0,
    )


def _memory_row(best: Score, with_goals: bool) -> ResultRow:  # noqa: FBT001 - as above
    return ResultRow(
        id="peak_memory",
        what=f"peak memory of {best.name}, all its processes",
        value=round(best.peak_mib, 1),
        unit="MiB",
        goal=GOAL_PEAK_MIB if with_goals else None,
        ok=best.peak_mib <= GOAL_PEAK_MIB,
    )


def _figures(score: Score) -> Iterator[ResultRow]:
    for turn in TURNS:
        runs, name = score.turn(turn), f"{score.name} {turn}"
        wall = median(run.wall_seconds for run in runs)
        engine = median(run.engine_seconds for run in runs)
        yield ResultRow(id=f"{_key(score)}.{turn}", what=f"{name}, process", value=round(wall, 3), unit="s")
        yield ResultRow(id=f"{_key(score)}.{turn}.engine", what=f"{name}, engine", value=round(engine, 3), unit="s")
    yield ResultRow(
        id=f"{_key(score)}.peak_memory", what=f"{score.name} peak memory", value=round(score.peak_mib, 1), unit="MiB"
    )


def _ratio_rows(score: Score, peer: Score, *, goal: bool) -> Iterator[ResultRow]:
    for turn in TURNS:
        spread, wanted = ratios(score, peer, turn), GOAL_RATIO[turn]
        judged = goal and peer.sets_goal
        yield ResultRow(
            id=f"{_key(score)}.{turn}.times_{_key(peer)}",
            what=f"{score.name}, {turn}: times as fast as {peer.name} ({spread.low:.2f} to {spread.high:.2f})",
            value=round(spread.middle, 2),
            unit="x",
            goal=wanted if judged else None,
            ok=spread.middle >= wanted or not judged,
        )


def _truth_row(score: Score) -> ResultRow:
    what = f"{score.name}: rows and sums are the bank's after every run" + "".join(f"; {f}" for f in score.faults)
    return ResultRow(id=f"{_key(score)}.truth", what=what, value=not score.faults, goal=True, ok=not score.faults)


def _key(score: Score) -> str:
    return "_".join(re.findall("[a-z0-9]+", score.name.lower()))


def times_table(scores: Sequence[Score]) -> Table:
    """Medians: seconds of the process, in brackets of its engine, and peak memory."""
    table = Table(title="seconds from process start to exit (inside the engine); median", title_justify="left")
    for heading in ("", "cold load", "again", "peak MiB"):
        table.add_column(heading, justify="left" if not heading else "right")
    for score in scores:
        cells = []
        for turn in TURNS:
            wall = median(run.wall_seconds for run in score.turn(turn))
            engine = median(run.engine_seconds for run in score.turn(turn))
            cells.append(f"{wall:.2f} ({engine:.2f})")
        table.add_row(score.name, *cells, f"{score.peak_mib:.0f}")
    return table


def ratio_table(scores: Sequence[Score], peer: Score) -> Table:
    """How many times as fast as the peer, lowest, median and highest of the rounds."""
    table = Table(title=f"times as fast as {peer.name}: lowest / median / highest", title_justify="left")
    for heading in ("", "cold load", "again"):
        table.add_column(heading, justify="left" if not heading else "right")
    for score in scores:
        spreads = [ratios(score, peer, turn) for turn in TURNS]
        table.add_row(score.name, *(f"{s.low:.2f} / {s.middle:.2f} / {s.high:.2f}" for s in spreads))
    return table


def goal_table(rows: Sequence[ResultRow]) -> Table:
    """The rows that have a goal."""
    table = Table(title="goals", title_justify="left")
    for heading in ("what", "value", "goal", ""):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    for row in rows:
        if row.goal is not None:
            table.add_row(row.what, f"{row.value} {row.unit}".strip(), str(row.goal), judgement(row))
    return table
