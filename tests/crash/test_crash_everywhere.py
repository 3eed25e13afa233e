"""A worker killed at any call, or cut off from PostgreSQL at any statement: the next ends as if nothing had been.

Which points are played is drawn by a seed that is printed; `CRASH_ALL=1` plays them all, `CRASH_SAMPLE` says how many
of each scenario, `SEED` which.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.crash.record import keep
from tests.crash.scenarios import SCENARIOS
from tests.crash.stage import Stage
from tests.samples import CRASH_EVERYWHERE, CRASH_SAMPLE, CRASH_SEED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.crash.scenarios import Scenario
    from tests.crash.stage import Point, Reference

pytestmark = pytest.mark.integration

DRAWN = "everywhere" if CRASH_EVERYWHERE else f"seed {CRASH_SEED}"


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """One for all scenarios of a process."""
    with Stage() as stage:
        yield stage


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: f"{scenario.name}, {DRAWN}")
def test_wherever_a_worker_dies_the_next_one_ends_as_if_nothing_had_been(stage: Stage, scenario: Scenario) -> None:
    """Same rows, versions, watermark and verdict as undisturbed; at most one flush's pages are read again."""
    began = time.monotonic()
    reference = stage.prepare(scenario)
    points = _chosen(scenario, reference)
    outcomes = {point: stage.play(scenario, reference, point) for point in points}

    keep(
        scenario.name,
        calls=len(reference.calls),
        points=len(points),
        of=len(reference.points()),
        violations=sum(bool(outcome.violations) for outcome in outcomes.values()),
        pages_again=max(outcome.pages_again for outcome in outcomes.values()),
        ticks=max(outcome.rounds for outcome in outcomes.values()),
        seconds=round(time.monotonic() - began, 1),
        drawn=DRAWN,
    )
    broken = [f"{point}\n    {violation}" for point, each in outcomes.items() for violation in each.violations]
    assert not broken, f"{scenario.name}, {DRAWN}:\n" + "\n".join(broken)


def _chosen(scenario: Scenario, reference: Reference) -> list[Point]:
    """Every point, or as many as were asked for; of the latter at least one in-doubt commit."""
    points = reference.points()
    if CRASH_EVERYWHERE or len(points) <= CRASH_SAMPLE:
        return points
    drawn = random.Random(f"{CRASH_SEED}:{scenario.name}")  # noqa: S311 - a sample, not a secret
    commits = [point for point in points if point.fault == "cut after" and point.call == "sql COMMIT"]
    return [drawn.choice(commits), *drawn.sample(points, CRASH_SAMPLE - 1)]
