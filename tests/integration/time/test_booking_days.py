"""The booking day is the Lagos date of the instant, whatever zone the process and the database's session are in.

Each case is a process of its own with TZ set, because a zone that was read once stays; and a database whose sessions
begin in a zone of their own, because no statement may lean on that either.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.build import ROOT
from mono_pipeline.adapters.postgres import Database
from mono_pipeline.core.booking import LAGOS, booking_date

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import DatabaseAddress

pytestmark = pytest.mark.integration

ZONES = ("UTC", "Africa/Lagos", "America/New_York")
NEW_YEAR_HOUR = {"UTC": 0, "Africa/Lagos": 1, "America/New_York": 19}
LEAP_DAY = "2024-02-29"

# What the bank sends, and the day it booked it on. Lagos is an hour ahead of UTC, all year round.
EDGES = {
    "23:30 in Lagos": ("2026-03-10T22:30:00.000Z", "2026-03-10"),
    "the last second of a day in Lagos": ("2026-03-10T22:59:59.999Z", "2026-03-10"),
    "midnight in Lagos": ("2026-03-10T23:00:00.000Z", "2026-03-11"),
    "00:30 in Lagos": ("2026-03-10T23:30:00.000Z", "2026-03-11"),
    "midnight in UTC": ("2026-03-11T00:00:00.000Z", "2026-03-11"),
    "the night New York puts its clocks forward": ("2026-03-08T06:59:59.999Z", "2026-03-08"),
    "midnight in New York": ("2026-03-11T04:00:00.000Z", "2026-03-11"),
    "the eve of a leap day": ("2024-02-28T22:59:59.000Z", "2024-02-28"),
    "the first instant of a leap day": ("2024-02-28T23:00:00.000Z", LEAP_DAY),
    "the last instant of a leap day": ("2024-02-29T22:59:59.999Z", LEAP_DAY),
    "the first of March after a leap day": ("2024-02-29T23:00:00.000Z", "2024-03-01"),
    "the first of March where there is none": ("2025-02-28T23:00:00.000Z", "2025-03-01"),
    "New Year's midnight in Lagos": ("2025-12-31T23:00:00.000Z", "2026-01-01"),
    "New Year's Eve in Lagos": ("2025-12-31T22:59:00.000Z", "2025-12-31"),
}


def in_zone(address: DatabaseAddress, zone: str, rows: dict[str, str], *, window: str) -> dict[str, Any]:
    """What a process in this zone stores of `rows` (narration -> the bank's instant)."""
    told = {
        "window": window,
        "rows": [{"narration": name, "date": instant, "amount": 100} for name, instant in rows.items()],
    }
    done = subprocess.run(  # noqa: S603 - our own module
        [
            sys.executable,
            "-m",
            "tests.integration.time.sync_in_zone",
            f"{address.host}:{address.port}/{address.database}",
        ],
        input=json.dumps(told),
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "layers" / "common")]),
            "TZ": zone,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture
def sessions_in(address: DatabaseAddress, request: pytest.FixtureRequest) -> str:
    """Every session of the test's database begins in this zone."""
    zone: str = request.param
    database = Database(address)
    database.rows(f"ALTER DATABASE \"{address.database}\" SET TimeZone TO '{zone}'")
    database.close()
    return zone


@pytest.mark.parametrize("sessions_in", ZONES, indirect=True)
@pytest.mark.parametrize("zone", ZONES)
def test_every_row_has_the_day_the_bank_booked_it_on(address: DatabaseAddress, zone: str, sessions_in: str) -> None:
    """In table, view and ledger; a window of one day reads that day's rows, and the verdict knows no zone."""
    seen = in_zone(address, zone, {name: instant for name, (instant, _) in EDGES.items()}, window=LEAP_DAY)

    assert (seen["local_hour_of_new_year"], seen["session_zone"]) == (NEW_YEAR_HOUR[zone], sessions_in)
    expected = {name: day for name, (_, day) in EDGES.items()}
    assert seen["days"] == seen["lagos"] == seen["canonical"] == expected
    assert [kind for kind, _ in seen["verdicts"]] == ["verified", "verified"]
    assert seen["covered"] == [LEAP_DAY]
    assert seen["window_seen"] >= 2  # the leap day's own, and what the margin of a day at each end shows


@pytest.mark.parametrize("zone", ZONES)
def test_rows_of_tomorrow_keep_their_day_and_do_not_move_the_watermark(address: DatabaseAddress, zone: str) -> None:
    """A future-dated row is stored on its own day; what the window begins from is never later than today in Lagos."""
    now = datetime.now(UTC)
    tomorrow, yesterday = now + timedelta(days=1), now - timedelta(days=1)
    rows = {"tomorrow": tomorrow.isoformat(), "yesterday": yesterday.isoformat()}

    seen = in_zone(address, zone, rows, window=str(booking_date(yesterday)))

    today = date.fromisoformat(seen["today"])
    assert seen["days"] == {
        name: str(booking_date(at)) for name, at in (("tomorrow", tomorrow), ("yesterday", yesterday))
    }
    assert today in {booking_date(now), booking_date(now + timedelta(minutes=5))}
    assert date.fromisoformat(seen["watermark"]) <= today


@pytest.mark.parametrize("zone", ZONES)
def test_today_turns_at_midnight_in_lagos(address: DatabaseAddress, zone: str) -> None:
    """23:30 in Lagos is still today, 00:30 is tomorrow, whatever the session's zone says."""
    database = Database(address)
    database.rows(f"ALTER DATABASE \"{address.database}\" SET TimeZone TO '{zone}'")
    database.close()
    for clock, day in (("2026-03-10 22:30+00", date(2026, 3, 10)), ("2026-03-10 23:30+00", date(2026, 3, 11))):
        database.rows(
            f"""CREATE OR REPLACE FUNCTION pipeline_now() RETURNS timestamptz LANGUAGE sql
                AS $$ SELECT '{clock}'::timestamptz $$"""
        )
        assert database.rows("SELECT lagos_date(pipeline_now()) AS today") == [{"today": day}]
        assert booking_date(datetime.fromisoformat(clock)) == day
    assert database.rows("SHOW TimeZone") == [{"TimeZone": zone}]
    database.close()


def test_the_zone_of_the_program_is_that_of_the_database(address: DatabaseAddress) -> None:
    """Python's LAGOS and PostgreSQL's Africa/Lagos name the same day at every hour of three years."""
    database = Database(address)
    found = database.rows(
        """SELECT at, lagos_date(at) AS day
           FROM generate_series('2024-01-01Z'::timestamptz, '2027-01-01Z', interval '1 hour') AS at"""
    )
    database.close()

    assert len(found) > 26_000
    assert all(row["day"] == row["at"].astimezone(LAGOS).date() for row in found)
