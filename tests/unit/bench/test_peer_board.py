"""The comparison with other systems: its floor, its source that answers slowly, its ratios."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bench.measurement import Measurement
from bench.peer_board import OURS, Board, Killed, ratio, result_rows
from bench.peer_shapes import FULL
from bench.slow_pages import COUNT, slowly


def run_of(seconds: float) -> Measurement:
    """A run that took so long."""
    return Measurement(wall_seconds=seconds, peak_mib=50.0, told={"seconds": seconds})


def full_board() -> Board:
    """Everybody ran every turn; we are exactly six times as fast, and twice where latency decides."""
    board = Board(limits={"transport": [0.6], "store": [0.6]})
    for turn, ours, theirs in (("cold", 2.0, 24.0), ("again", 1.0, 6.0), ("A", 2.5, 5.0), ("B", 6.0, 12.0)):
        board.note(OURS, turn, run_of(ours))
        for peer in ("dlt, tuned", "Singer", "PyAirbyte"):
            board.note(peer, turn, run_of(theirs))
    return board


def test_the_ideal_is_what_the_contract_requires_ten_at_a_time() -> None:
    """A: the list, 20 states and 200 pages, 100 ms each; B: the list, 500 states and 500 pages, 50 ms each."""
    a, b = FULL.slow

    assert (a.requests, b.requests) == (221, 1001)
    assert (a.ideal, b.ideal) == (pytest.approx(2.21), pytest.approx(5.005))


def test_a_ratio_is_of_two_runs_of_one_round_and_the_median_of_the_rounds() -> None:
    """A slow moment slows both: 2, 4 and 3 times as fast are three times as fast."""
    board = Board()
    for ours, theirs in ((1.0, 2.0), (5.0, 20.0), (2.0, 6.0)):
        board.note(OURS, "cold", run_of(ours))
        board.note("Singer", "cold", run_of(theirs))

    assert ratio(board, "cold", "Singer") == pytest.approx(3.0)


def test_goals_are_judged_by_the_figures() -> None:
    """All of this board's ratios reach their goals, and a slower load misses them."""
    board = full_board()
    rows = {row.id: row for row in result_rows(board, FULL)}
    assert [row.id for row in rows.values() if not row.ok] == []
    assert rows["ratio.cold.singer"].value == 12.0
    assert rows["cold.of_limits"].value == 1.67

    board.seconds[OURS, "cold"] = [5.0]
    missed = {row.id for row in result_rows(board, FULL) if not row.ok}
    assert missed == {"ratio.cold.dlt_tuned", "ratio.cold.singer", "ratio.cold.pyairbyte", "cold.of_limits"}


def test_tables_that_are_not_the_banks_are_a_fault() -> None:
    """Speed does not count where rows are wrong."""
    board = full_board()
    board.faults.append("Singer, cold: 9 rows")
    board.kills.append(
        Killed(name=OURS, requests_before=110, rows_before=900, requests_again=120, rows_wrong=1, needed=221)
    )

    rows = {row.id: row for row in result_rows(board, FULL)}

    assert not rows["truth"].ok
    assert not rows["kill.mono-pipeline.rows"].ok
    assert rows["kill.mono-pipeline.requests"].value == 9


def test_the_slow_source_answers_no_more_at_once_than_it_says() -> None:
    """Thirty clients at once, ten places; every answer is counted, and asking for the count is not."""
    under_way, most, sent = 0, 0, []

    async def pages(_scope: Any, _receive: Any, _send: Any) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def thirty() -> None:
        app = slowly(pages, seconds=0.0, concurrent=10)
        await asyncio.gather(*(app({"path": "/v2/accounts"}, None, send) for _ in range(30)))
        await app({"path": COUNT}, None, send)

    asyncio.run(thirty())

    assert most == 10
    assert sent[-1]["body"] == b"30"
