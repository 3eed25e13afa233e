"""docs/scale.md says what the model says, with what it was fed, and draws it the same way each time."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING

from bench.scale import drawings
from bench.scale.cost import Day, Prices, month
from bench.scale.fleet import DAY, Fleet
from bench.scale.service_times import ServiceTimes
from local.results import ROOT

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

PAGE = (ROOT / "docs" / "scale.md").read_text()


def program() -> ModuleType:
    """`python -m bench.scale`."""
    return import_module("bench.scale.__main__")


def test_the_page_has_every_line_of_the_answers() -> None:
    """Whoever asks the model anew writes the page anew."""
    answers = json.loads(program().FILE.read_text())

    assert [line for line in program().table_lines(answers) if line not in PAGE] == []


def test_every_drawing_of_the_page_is_there_and_no_other() -> None:
    """A drawing that nobody shows is not kept."""
    drawn = {file.name for file in (ROOT / "docs" / "scale").glob("*.svg")}

    assert drawn == {name for name in drawn if f"(scale/{name})" in PAGE}
    assert drawn


def test_a_drawing_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    """No date, no random ids: a commit shows a change of the figures and nothing else."""
    for name in ("first.svg", "second.svg"):
        drawings.delays([(0.5, 2.0, 3.0), (1.0, 20.0, 60.0)], tmp_path / name, title="same")

    first, second = (tmp_path / name for name in ("first.svg", "second.svg"))
    assert first.read_bytes() == second.read_bytes()
    assert "<dc:date>" not in first.read_text()


def test_a_fleet_sends_what_its_accounts_need_in_a_day() -> None:
    """Each account by schedule once and by webhook once, and a seventh of them read whole."""
    times, fleet = ServiceTimes.read(), Fleet(accounts=10_000)

    arrived: dict[tuple[str, bool], int] = {}
    for arrival in fleet.arrivals(times, seconds=DAY):
        key = (arrival.work.kind, arrival.work.door is not None)
        arrived[key] = arrived.get(key, 0) + arrival.count

    assert arrived == {("daily", False): 10_000, ("daily", True): 10_000, ("full", False): 1_428}
    assert fleet.calls_a_day == 10_000 * (4 + 7 / 7)


def test_a_month_costs_what_it_uses() -> None:
    """Twice the seconds and messages cost twice the Lambda and SQS, and the database the same."""
    times, prices = ServiceTimes.read(), Prices.read()
    fleet = Fleet(accounts=1_000)
    once, twice = (
        month(
            fleet,
            Day(lambda_seconds=n * 1e6, messages=n * 10_000_000, webhooks=n * 100, calls=n * 100),
            times,
            prices,
            database="db.t4g.medium",
        )
        for n in (1, 2)
    )

    assert twice["Lambda, seconds"] == 2 * once["Lambda, seconds"] == 2 * 30 * 1e6 * 0.5 * 0.0000133334
    assert twice["SQS"] > 1.9 * once["SQS"]
    assert twice["database"] == once["database"]
    assert prices.dated in PAGE
