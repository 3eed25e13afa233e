"""A minute of crashes, kills and freezes, and the tables are the bank. `SEED=` replays a schedule."""

from __future__ import annotations

import os
import random
from itertools import pairwise

import pytest

from tests.chaos.plan import FREEZE_EVERY, KILL_EVERY, RESTART_EVERY, Act, plan
from tests.chaos.soak import soak

SECONDS = 60.0
ACCOUNTS = 30
AT_REST = 3 * ACCOUNTS  # syncs that days of rest ask for, whatever the harm did


def test_a_schedule_is_its_seed() -> None:
    """And a server is up for one to five seconds, a worker for half a second to three."""
    events = plan(1, 600)

    assert events == plan(1, 600)
    assert events != plan(2, 600)
    for act, (least, most) in ((Act.RESTART, RESTART_EVERY), (Act.KILL, KILL_EVERY), (Act.FREEZE, FREEZE_EVERY)):
        moments = [event.at for event in events if event.act is act]
        gaps = [after - before for before, after in pairwise([0.0, *moments])]
        assert least <= min(gaps) <= max(gaps) <= most, act


def test_whoever_is_frozen_is_thawed() -> None:
    """Each freeze has its thaw, later than it, by the same choice."""
    events = plan(3, 120)
    thaws = {event.choice: event.at for event in events if event.act is Act.THAW}
    freezes = {event.choice: event.at for event in events if event.act is Act.FREEZE}

    assert thaws.keys() == freezes.keys()
    assert all(thaws[choice] > at for choice, at in freezes.items())


@pytest.mark.integration
def test_a_minute_of_chaos_ends_in_the_banks_rows() -> None:
    """PostgreSQL crashes every one to five seconds, workers die by SIGKILL or freeze, and the bank changes."""
    seed = int(os.environ.get("SEED") or random.randrange(1 << 30))  # noqa: S311 - a schedule is no secret
    print(f"SEED={seed}")  # noqa: T201 - pytest shows it where the test fails

    report = soak(seed, SECONDS, accounts=ACCOUNTS)

    assert report.wrong == [], f"SEED={seed}"
    assert report.differing == [], f"SEED={seed}"
    assert report.verified == ACCOUNTS, f"SEED={seed}"
    # and the harm was real
    assert report.done[Act.RESTART] >= 10
    assert report.done[Act.KILL] >= 10
    assert report.done[Act.FREEZE] >= 10
    assert report.removed >= 1
    assert report.taken_over >= 1
    assert report.syncs > AT_REST
