"""Booking days are Lagos days, and a window says which of its days it surely has."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_pipeline.core.booking import LAGOS, DateWindow, booking_date
from mono_pipeline.core.errors import InvalidInput

days = st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 1, 1))


@st.composite
def windows(draw: st.DrawFn) -> DateWindow:
    """Windows of up to five and a half years."""
    start = draw(days)
    return DateWindow(start=start, end=start + timedelta(days=draw(st.integers(0, 2_000))))


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-05-15T22:59:59.999999+00:00", date(2026, 5, 15)),
        ("2026-05-15T23:00:00+00:00", date(2026, 5, 16)),
        ("2026-05-16T00:00:00+01:00", date(2026, 5, 16)),
        ("2026-05-16T22:59:59+00:00", date(2026, 5, 16)),
        ("2025-12-31T23:30:00+00:00", date(2026, 1, 1)),
        ("2028-02-28T23:00:00+00:00", date(2028, 2, 29)),
        ("2026-05-15T12:00:00-12:00", date(2026, 5, 16)),
    ],
)
def test_the_booking_day_is_the_lagos_date_of_the_instant(instant: str, day: date) -> None:
    """A row stamped `T23:00:00.000Z` was booked on the next day."""
    assert booking_date(datetime.fromisoformat(instant)) == day


def test_an_instant_without_a_zone_has_no_booking_day() -> None:
    """A naive instant would silently be read in the machine's own zone."""
    with pytest.raises(ValueError, match="zone"):
        booking_date(datetime(2026, 5, 15))  # noqa: DTZ001 - the very thing that is refused


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2037, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - bounds of a strategy
def test_the_written_out_zone_is_the_tz_databases_africa_lagos(instant: datetime) -> None:
    """Should Nigeria change its clocks, this turns red."""
    assert instant.astimezone(LAGOS).utcoffset() == instant.astimezone(ZoneInfo("Africa/Lagos")).utcoffset()


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2100, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001 - as above
def test_the_zone_an_instant_is_written_in_does_not_matter(moment: datetime, hours: int) -> None:
    """The same instant has one booking day, wherever it was written down."""
    instant = moment.replace(tzinfo=UTC)
    assert booking_date(instant.astimezone(timezone(timedelta(hours=hours)))) == booking_date(instant)


def test_a_window_of_one_day_is_a_window() -> None:
    """Both ends are included."""
    day = date(2026, 11, 24)
    assert DateWindow(start=day, end=day).mono_params() == {"start": "24-11-2026", "end": "24-11-2026"}


def test_a_window_that_ends_before_it_starts_is_refused_and_names_the_field() -> None:
    """The API answers 422 with it."""
    with pytest.raises(InvalidInput) as refused:
        DateWindow(start=date(2026, 11, 24), end=date(2026, 11, 23))
    assert refused.value.field == "start"


def test_mono_reads_day_month_year() -> None:
    """Mono contract 2.1: `DD-MM-YYYY`, two digits each."""
    assert DateWindow(start=date(2026, 2, 1), end=date(2026, 12, 31)).mono_params() == {
        "start": "01-02-2026",
        "end": "31-12-2026",
    }


@pytest.mark.parametrize(("length", "covered"), [(1, 0), (2, 0), (3, 1), (10, 8)])
def test_a_window_covers_its_days_less_one_at_each_end(length: int, covered: int) -> None:
    """Nobody knows on which side of the ends Mono cuts; a window of two days covers none."""
    start = date(2026, 11, 1)
    sure = DateWindow(start=start, end=start + timedelta(days=length - 1)).covered()
    if covered == 0:
        assert sure is None
    else:
        assert sure == DateWindow(start=start + timedelta(days=1), end=start + timedelta(days=covered))


@given(windows())
def test_what_is_widened_by_a_day_covers_what_was_asked_for(window: DateWindow) -> None:
    """An explicit window is read one day wider on each side for this."""
    assert window.widened(1).covered() == window


@given(windows(), st.integers(0, 400))
def test_widening_adds_the_days_at_both_ends(window: DateWindow, more: int) -> None:
    """A window of n days has n + 2 x more."""
    wider = window.widened(more)
    assert (window.start - wider.start).days == more
    assert (wider.end - window.end).days == more
