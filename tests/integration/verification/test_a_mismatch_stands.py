"""A mismatch is not forgotten: it stands until a run that has read its days says otherwise, and that comes soon."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VERIFIED, VerdictKind
from mono_pipeline.usecases.operations import Operations

if TYPE_CHECKING:
    from datetime import date

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


@pytest.fixture
def account(pipeline: Pipeline) -> str:
    """One with four months of history, read once."""
    linked = pipeline.link(transactions=240, days=120)
    assert pipeline.sync(linked).verdict == VERIFIED
    return linked


def days_of(pipeline: Pipeline, account: str, *, number: int) -> list[date]:
    """Days with rows that lie far behind the window of a daily run, oldest first."""
    limit = pipeline.today() - timedelta(days=45)
    return sorted({row[5] for row in pipeline.truth(account).values() if row[5] < limit})[-number:]


def break_storing(pipeline: Pipeline, account: str, days: list[date]) -> None:
    """A defect of ours: the bank corrects a row of each of these days, and what changes on them is stored a kobo short.

    Every later row changes too, by its running balance, and is stored well: no balance tells of the defect.
    """
    pipeline.rows(
        """CREATE FUNCTION lose_a_kobo() RETURNS trigger AS
           $f$ BEGIN NEW.amount_minor := NEW.amount_minor - 1; RETURN NEW; END $f$ LANGUAGE plpgsql"""
    )
    pipeline.rows(
        f"""CREATE TRIGGER lose BEFORE UPDATE ON bank_transactions FOR EACH ROW
            WHEN (NEW.booking_date IN ({", ".join(f"'{day}'" for day in days)})) EXECUTE FUNCTION lose_a_kobo()"""
    )
    for day in days:
        row = min(key for key, row in pipeline.truth(account).items() if row[5] == day)
        pipeline.sandbox.amend(account, transaction=row, changes={"amount": 5_000})


def mend_storing(pipeline: Pipeline) -> None:
    """The defect is repaired."""
    pipeline.rows("DROP TRIGGER lose ON bank_transactions")


def verify(pipeline: Pipeline, account: str, **arguments: Any) -> dict[str, Any]:
    """What `verify` says without Mono."""
    event = {"action": "verify.account", "account_id": account, **arguments}
    return Operations(pipeline.worker).perform(event, Deadline.after(60))


def read_days(pipeline: Pipeline, account: str, first: date, last: date) -> None:
    """A run of these days alone, which finds them as the bank has them."""
    end = pipeline.sync(account, kind=RunKind.WINDOW, asked=DateWindow(start=first, end=last))
    assert end.verdict is not None
    assert (end.status, end.verdict.kind is VerdictKind.MISMATCH) == (RunStatus.COMPLETED, False)


def is_mismatch(pipeline: Pipeline, account: str) -> bool:
    """Whether `verify` says that the account is one."""
    return bool(verify(pipeline, account)["verdict"]["kind"] == "mismatch")


def due_kind(pipeline: Pipeline) -> RunKind:
    """What the schedule asks for at the account's next turn."""
    pipeline.rows("UPDATE bank_accounts SET next_attempt_at = pipeline_now()")
    (due,) = pipeline.worker.accounts.take_due(limit=10, interval_seconds=60)
    return due.kind


def test_a_run_of_the_newest_days_does_not_hide_it(pipeline: Pipeline, account: str) -> None:
    """It verifies its own days; the account is a mismatch since the day that it was, by the run that found it."""
    (day,) = days_of(pipeline, account, number=1)
    break_storing(pipeline, account, [day])
    found = pipeline.sync(account, kind=RunKind.FULL)
    assert found.verdict is not None
    assert (found.verdict.kind, found.verdict.first_bad_day) == (VerdictKind.MISMATCH, day)

    newer = pipeline.sync(account)

    assert newer.verdict == VERIFIED
    told = verify(pipeline, account)
    assert told["verdict"] == {"kind": "mismatch", "reason": "days_differ", "first_bad_day": day.isoformat()}
    assert told["run"]["run_id"] == str(found.run.run_id)
    assert told["newest_end"]["run_id"] == str(newer.run.run_id)


def test_everything_is_read_at_the_next_turn_and_a_run_that_agrees_settles_it(pipeline: Pipeline, account: str) -> None:
    """Not a week later; and again until it agrees."""
    break_storing(pipeline, account, days_of(pipeline, account, number=1))
    pipeline.sync(account, kind=RunKind.FULL)

    assert due_kind(pipeline) is RunKind.FULL
    pipeline.sync(account, kind=RunKind.FULL)
    assert due_kind(pipeline) is RunKind.FULL
    mend_storing(pipeline)
    pipeline.sync(account, kind=RunKind.FULL)

    assert due_kind(pipeline) is RunKind.INCREMENTAL
    assert verify(pipeline, account)["verdict"]["kind"] == "verified"
    assert pipeline.stored(account) == pipeline.truth(account)


def test_only_a_run_of_all_its_days_settles_it(pipeline: Pipeline, account: str) -> None:
    """Not one of other days, nor of some of them."""
    days = days_of(pipeline, account, number=2)
    break_storing(pipeline, account, days)
    pipeline.sync(account, kind=RunKind.FULL)
    mend_storing(pipeline)
    after = days[1] + timedelta(days=1)

    verdicts = []
    for first, last in ((after, after + timedelta(days=7)), (days[0], days[0]), (days[0], days[1])):
        read_days(pipeline, account, first, last)
        verdicts.append(is_mismatch(pipeline, account))

    assert verdicts == [True, True, False]


def test_of_many_days_only_a_run_up_to_the_last_that_was_read_settles_it(pipeline: Pipeline, account: str) -> None:
    """Three are looked at closely; which the others are is not kept."""
    days = days_of(pipeline, account, number=5)
    break_storing(pipeline, account, days)
    pipeline.sync(account, kind=RunKind.FULL)
    mend_storing(pipeline)

    read_days(pipeline, account, days[0], days[-1])
    assert is_mismatch(pipeline, account)
    read_days(pipeline, account, days[0], pipeline.today())
    assert not is_mismatch(pipeline, account)


def test_an_unverifiable_reading_of_its_days_settles_it_too(pipeline: Pipeline, account: str) -> None:
    """They agree; what else is open is said instead."""
    (day,) = days_of(pipeline, account, number=1)
    break_storing(pipeline, account, [day])
    pipeline.sync(account, kind=RunKind.FULL)
    mend_storing(pipeline)
    recent = max(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])["id"]
    pipeline.sandbox.remove(account, transactions=[recent])

    pipeline.sync(account, kind=RunKind.FULL)

    assert verify(pipeline, account)["verdict"]["reason"] == "removal_pending"


def test_its_days_are_due_again_in_the_ledger(pipeline: Pipeline, account: str) -> None:
    """They were read, and are not complete."""
    (day,) = days_of(pipeline, account, number=1)
    span = {"from": str(day - timedelta(days=3)), "to": str(day + timedelta(days=3))}
    assert verify(pipeline, account, **span)["coverage"]["complete"] is True
    break_storing(pipeline, account, [day])
    pipeline.sync(account, kind=RunKind.FULL)

    assert verify(pipeline, account, **span)["coverage"]["days"] == {"read": 0, "due": 7, "never_read": 0}
    mend_storing(pipeline)
    pipeline.sync(account, kind=RunKind.FULL)
    assert verify(pipeline, account, **span)["coverage"]["complete"] is True
