"""The watermark: the newest booking date seen in a complete pass, never later than today, and it only rises."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from local.sandbox.effects.contents import Rows
from local.sandbox.faults import Fault
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VERIFIED, VerdictReason, unverifiable

if TYPE_CHECKING:
    from datetime import date

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def test_the_watermark_is_the_newest_booking_date_seen(pipeline: Pipeline) -> None:
    """Not the day of the run, and not the end of the window: the newest row's Lagos day."""
    account = pipeline.link(transactions=30, days=60)
    pipeline.sandbox.set_link_state(account, state="dead")
    pipeline.let_pass(days=20)

    pipeline.sync(account)

    newest = _newest(pipeline, account)
    assert pipeline.watermark(account) == newest
    assert newest < pipeline.today()


def test_an_account_without_rows_has_no_watermark(pipeline: Pipeline) -> None:
    """A complete pass that read nothing has seen no booking date."""
    account = pipeline.link(transactions=0)

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == (RunStatus.COMPLETED, VERIFIED)
    assert pipeline.watermark(account) is None


def test_rows_dated_ahead_do_not_carry_the_watermark_beyond_today(pipeline: Pipeline) -> None:
    """A value-dated row of next week must not hide what is booked until then."""
    account = pipeline.link(transactions=10, days=10)
    ahead = pipeline.sandbox.clock.now() + timedelta(days=9)
    pipeline.sandbox.add(account, instants=[ahead])

    pipeline.sync(account)

    assert pipeline.watermark(account) == pipeline.today()
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_run_of_days_that_somebody_asked_for_leaves_the_watermark(pipeline: Pipeline) -> None:
    """Days in the middle say nothing of the days before them."""
    account = pipeline.link(transactions=50, days=60)
    pipeline.sync(account)
    pipeline.let_pass(days=10)
    pipeline.sandbox.add(account)
    before, today = pipeline.watermark(account), pipeline.today()

    end = pipeline.sync(account, kind=RunKind.WINDOW, asked=DateWindow(start=today - timedelta(days=2), end=today))

    assert end.status is RunStatus.COMPLETED
    assert pipeline.watermark(account) == before
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_window_on_an_account_without_history_sets_no_watermark(pipeline: Pipeline) -> None:
    """A first history is still owed after somebody has asked for a few days."""
    account = pipeline.link(transactions=40, days=60)
    today = pipeline.today()

    pipeline.sync(account, kind=RunKind.WINDOW, asked=DateWindow(start=today - timedelta(days=5), end=today))

    assert pipeline.watermark(account) is None
    pipeline.sync(account)
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_window_is_asked_for_one_day_wider_on_each_side(pipeline: Pipeline) -> None:
    """So that the days asked for are covered, however Mono cuts dates."""
    account = pipeline.link(transactions=40, days=60)
    day = pipeline.today() - timedelta(days=20)
    pipeline.sandbox.clear_requests()

    pipeline.sync(account, kind=RunKind.WINDOW, asked=DateWindow(start=day, end=day))

    asked = pipeline.page_requests(account)[0]
    assert (asked["start"], asked["end"]) == (_mono(day - timedelta(days=1)), _mono(day + timedelta(days=1)))


def test_an_incremental_run_asks_from_the_overlap_to_tomorrow(pipeline: Pipeline) -> None:
    """From the watermark less seven days to tomorrow in Lagos."""
    account = pipeline.link(transactions=40, days=60)
    pipeline.sync(account)
    watermark = pipeline.watermark(account)
    assert watermark is not None
    pipeline.sandbox.clear_requests()

    pipeline.sync(account)

    asked = pipeline.page_requests(account)[0]
    assert asked["start"] == _mono(watermark - timedelta(days=7))
    assert asked["end"] == _mono(pipeline.today() + timedelta(days=1))


def test_a_mismatch_leaves_the_watermark(pipeline: Pipeline) -> None:
    """What is stored is not what was read: the window must not move past it."""
    account = pipeline.link(transactions=30, days=5)
    pipeline.sync(account)
    before = pipeline.watermark(account)
    pipeline.let_pass(days=3)
    pipeline.sandbox.add(account)
    pipeline.rows(
        """CREATE FUNCTION lose() RETURNS trigger AS
             $$ BEGIN NEW.amount_minor = NEW.amount_minor + 1; RETURN NEW; END $$ LANGUAGE plpgsql"""
    )
    pipeline.rows("CREATE TRIGGER lose BEFORE INSERT ON bank_transactions FOR EACH ROW EXECUTE FUNCTION lose()")

    end = pipeline.sync(account)

    assert end.verdict is not None
    assert (end.verdict.kind, end.verdict.reason) == ("mismatch", VerdictReason.DAYS_DIFFER)
    assert end.verdict.first_bad_day == pipeline.today()
    assert pipeline.watermark(account) == before


def test_a_late_row_inside_the_overlap_is_found(pipeline: Pipeline) -> None:
    """Card settlements and weekend batches appear days later behind the newest date."""
    account = pipeline.link(transactions=60, days=30)
    pipeline.sync(account)
    pipeline.let_pass(days=1)
    pipeline.sandbox.late(account, days_ago=5)

    pipeline.sync(account)

    assert pipeline.stored(account) == pipeline.truth(account)


def test_after_weeks_of_a_dead_link_one_run_brings_everything(pipeline: Pipeline) -> None:
    """Every pass over the old copy is complete; what arrives after it must not lie behind the watermark."""
    account = pipeline.link(transactions=80, days=40)
    pipeline.sync(account)
    at_death = pipeline.watermark(account)
    pipeline.sandbox.set_link_state(account, state="dead")
    for _ in range(28):
        pipeline.let_pass(days=1)
        pipeline.sandbox.add(account, count=2)
        pipeline.sync(account)
    assert pipeline.watermark(account) == at_death
    assert len(pipeline.stored(account)) == 80
    pipeline.sandbox.reauthorise(account)

    end = pipeline.sync(account)

    assert end.status is RunStatus.COMPLETED
    assert pipeline.stored(account) == pipeline.truth(account)
    assert len(pipeline.stored(account)) == 136


def test_nothing_read_from_an_account_with_history_is_a_signal(pipeline: Pipeline) -> None:
    """An empty answer is never believed: the rows stay, the watermark stays, and the verdict says why."""
    account = pipeline.link(transactions=30, days=3)
    pipeline.sync(account)
    before = pipeline.watermark(account)
    pipeline.let_pass(days=2)
    truth = pipeline.truth(account)
    pipeline.sandbox.remove(account, count=30)

    end = pipeline.sync(account)

    assert end.verdict == unverifiable(VerdictReason.SUSPICIOUS_EMPTY)
    assert pipeline.watermark(account) == before
    assert pipeline.stored(account) == truth
    assert pipeline.witness.zero_runs == 1


def test_a_quarantined_row_does_not_move_the_watermark(pipeline: Pipeline) -> None:
    """Only rows that landed have a booking date that can be trusted."""
    account = pipeline.link(transactions=5, days=20)
    pipeline.sync(account)
    before = pipeline.watermark(account)
    broken = f'{{"id": "f00", "amount": -1, "type": "debit", "narration": "x", "date": "{pipeline.today()}T12:00:00Z"}}'
    pipeline.sandbox.inject(Fault(effect=Rows(appended=[broken]), path="*/transactions", times=None))

    pipeline.sync(account)

    assert pipeline.watermark(account) == before


def _newest(pipeline: Pipeline, account: str) -> date:
    days: list[date] = [row[-1] for row in pipeline.truth(account, of="copy").values()]
    return max(days)


def _mono(day: date) -> str:
    return f"{day:%d-%m-%Y}"
