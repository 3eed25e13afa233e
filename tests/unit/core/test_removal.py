"""What it means that rows are missing: the edges of every rule."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from mono_pipeline.core.removal import Absence, MissingRow, is_gone, judge_absence

MONDAY = date(2026, 6, 15)
NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)


def missing(count: int, *, day: date = MONDAY) -> list[MissingRow]:
    """So many rows of a day that were not shown."""
    return [MissingRow(mono_transaction_id=f"{number}", booking_date=day) for number in range(count)]


def judged(
    rows: list[MissingRow],
    *,
    shown: int = 90,
    oldest: date | None = date(2026, 1, 1),
    covered: int = 100,
    full: bool = True,
) -> Absence:
    """The judgement of a pass."""
    return judge_absence(rows, rows_shown=shown, oldest_shown=oldest, covered_rows=covered, full=full)


def test_nothing_missing_is_nothing() -> None:
    """Even where nothing was shown: an empty account has lost nothing."""
    assert judged([], shown=0, oldest=None, covered=0) is Absence.NONE


@pytest.mark.parametrize(("shown", "oldest"), [(0, None), (0, MONDAY), (3, None)])
def test_an_empty_answer_is_suspicious(shown: int, oldest: date | None) -> None:
    """Whichever of the two says that it was empty; a pass of quarantined rows alone has no day."""
    assert judged(missing(1), shown=shown, oldest=oldest) is Absence.SUSPICIOUS_EMPTY


def test_one_shown_row_is_not_an_empty_answer() -> None:
    """Then each missing row may be gone by itself."""
    assert judged(missing(1), shown=1) is Absence.EVIDENCE


@pytest.mark.parametrize(
    ("rows", "covered", "kind"),
    [
        (4, 4, Absence.EVIDENCE),  # few rows may all go one by one
        (5, 25, Absence.EVIDENCE),  # exactly a fifth
        (5, 24, Absence.HISTORY_TRUNCATED),
        (20, 100, Absence.EVIDENCE),
        (21, 100, Absence.HISTORY_TRUNCATED),
    ],
)
def test_five_and_more_than_a_fifth_do_not_go_one_by_one(rows: int, covered: int, kind: Absence) -> None:
    """Both are needed."""
    assert judged(missing(rows), covered=covered) is kind


@pytest.mark.parametrize("rows", [1, 3])
def test_what_is_older_than_all_that_a_full_pass_showed_is_a_shortened_history(rows: int) -> None:
    """However few they are."""
    old = missing(rows, day=MONDAY - timedelta(days=1))

    assert judged(old, oldest=MONDAY) is Absence.HISTORY_TRUNCATED
    assert judged(old, oldest=MONDAY, full=False) is Absence.EVIDENCE  # a window begins where it was asked to


def test_a_row_of_the_oldest_day_itself_was_within_what_was_shown() -> None:
    """And one such row is enough: the history was not just cut."""
    old = missing(2, day=MONDAY - timedelta(days=1))

    assert judged(missing(1), oldest=MONDAY) is Absence.EVIDENCE
    assert judged([*old, *missing(1)], oldest=MONDAY) is Absence.EVIDENCE


def gone(*, since: datetime | None, fresh_then: datetime | None = None, fresh: datetime | None = None) -> bool:
    """Whether a row is gone at noon, with a day as the evidence's least age."""
    row = MissingRow(mono_transaction_id="x", booking_date=MONDAY, first_missed_at=since, fresh_then=fresh_then)
    return is_gone(row, now=NOON, fresh_as_of=fresh, evidence_hours=24)


def test_a_first_absence_proves_nothing() -> None:
    """Not even with fresh data."""
    assert not gone(since=None)
    assert not gone(since=None, fresh_then=NOON - timedelta(hours=2), fresh=NOON)


@pytest.mark.parametrize(("hours", "is_over"), [(23.99, False), (24, True), (25, True)])
def test_a_second_absence_counts_from_the_evidences_age_on(hours: float, is_over: bool) -> None:  # noqa: FBT001 - drawn
    """A day later is another day's data."""
    assert gone(since=NOON - timedelta(hours=hours)) is is_over


def test_fresh_data_between_the_two_are_evidence_at_once() -> None:
    """Fresh later than they were at the first absence, or than the first absence itself where that is not known."""
    hour = timedelta(hours=1)

    assert gone(since=NOON - hour, fresh_then=NOON - 3 * hour, fresh=NOON - 2 * hour)
    assert not gone(since=NOON - hour, fresh_then=NOON - 3 * hour, fresh=NOON - 3 * hour)
    assert gone(since=NOON - 2 * hour, fresh=NOON - hour)
    assert not gone(since=NOON - 2 * hour, fresh=NOON - 2 * hour)
    assert not gone(since=NOON - 2 * hour, fresh_then=NOON - 3 * hour)
