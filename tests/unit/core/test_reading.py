"""What a run asks Mono for, and which days its answer settles."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.reading import Reading, plan_reading
from mono_pipeline.core.run import Account, LeasedRun, LinkStatus, RunKind

TODAY = date(2026, 9, 30)
DAYS = st.dates(date(1990, 1, 1), date(2199, 12, 31))


def _run(days: DateWindow | None) -> LeasedRun:
    account = Account(
        id=1,
        mono_account_id="a" * 24,
        first_mono_account_id="a" * 24,
        currency="NGN",
        link_status=LinkStatus.LINKED,
        watermark=TODAY,
        last_full_read_at=None,
        fresh_as_of=None,
        totals_ignore_window=False,
    )
    return LeasedRun(
        run_id=UUID(int=1),
        account=account,
        fence=1,
        kind=RunKind.FULL if days is None else RunKind.WINDOW,
        days=days,
        pass_number=1,
        pages_done=0,
        today=TODAY,
        correlation_id="c",
        requested_by="t",
    )


def test_a_run_for_all_there_is_has_no_filter() -> None:
    """And settles every day."""
    assert plan_reading(_run(None)) == Reading(window=None, covered=None)


@given(start=DAYS, length=st.integers(0, 400))
def test_days_are_read_one_wider_and_settled_as_they_are(start: date, length: int) -> None:
    """Any days that a caller may ask for: what is covered of the wider window is just these."""
    days = DateWindow(start=start, end=start + timedelta(days=length))

    reading = plan_reading(_run(days))

    assert reading.covered == days
    assert reading.window is not None
    assert reading.window.covered() == days
    assert (days.start - reading.window.start, reading.window.end - days.end) == (timedelta(days=1),) * 2
