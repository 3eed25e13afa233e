"""`verify` without Mono: the newest verdict, what the tables say of themselves, and whether days are complete."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.run import RunKind
from mono_pipeline.usecases.operations import Operations

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def verify(pipeline: Pipeline, account: str, **arguments: Any) -> dict[str, Any]:
    """The answer, as JSON carries it; Mono must not have been asked."""
    pipeline.sandbox.clear_requests()
    event = {"action": "verify.account", "account_id": account, **arguments}
    answer = Operations(pipeline.worker).perform(event, Deadline.after(60))
    assert pipeline.sandbox.requests() == []
    return dict(json.loads(json.dumps(answer)))


def checks(answer: dict[str, Any]) -> dict[str, bool | None]:
    """What each check says."""
    return {check["check"]: check["holds"] for check in answer["checks"]}


def amended(pipeline: Pipeline) -> tuple[str, str]:
    """An account of which one row has three versions, and that row."""
    account = pipeline.link(transactions=40)
    pipeline.sync(account)
    row = min(pipeline.truth(account))
    for amount in (111, 222):
        pipeline.sandbox.amend(account, transaction=row, changes={"amount": amount})
        pipeline.sync(account, kind=RunKind.FULL)
    return account, row


def without_trigger(pipeline: Pipeline, statement: str, **parameters: Any) -> None:
    """What only the owner of the database can do."""
    pipeline.rows("ALTER TABLE bank_transaction_versions DISABLE TRIGGER append_only")
    pipeline.rows(statement, **parameters)


def test_an_account_without_a_run_cannot_be_vouched_for(pipeline: Pipeline) -> None:
    """Nor is it a mismatch."""
    answer = verify(pipeline, pipeline.link(transactions=5))

    assert answer["verdict"] == {"kind": "unverifiable", "reason": "never_read", "first_bad_day": None}
    assert (answer["run"], answer["newest_end"]) == (None, None)


def test_the_newest_verdict_is_told_with_its_run(pipeline: Pipeline) -> None:
    """Every check holds."""
    account, _row = amended(pipeline)

    answer = verify(pipeline, account)

    assert answer["verdict"]["kind"] == "verified"
    assert answer["run"]["run_id"] == str(pipeline.runs(account)[-1]["run_id"])
    assert checks(answer) == {"history": True, "rebuild": True, "balances": True, "questions": True}
    assert "coverage" not in answer


def test_a_run_that_failed_since_is_told_and_takes_nothing_back(pipeline: Pipeline) -> None:
    """The verdict is of the newest run that could say something."""
    account, _row = amended(pipeline)
    pipeline.sandbox.set_link_state(account, state="unlinked")
    failed = pipeline.sync(account)

    answer = verify(pipeline, account)

    assert failed.error_code is not None
    assert answer["verdict"]["kind"] == "verified"
    assert (answer["newest_end"]["status"], answer["newest_end"]["error_code"]) == ("failed", failed.error_code)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM bank_transaction_versions WHERE mono_transaction_id = :id AND version = 1",
        "DELETE FROM bank_transaction_versions WHERE mono_transaction_id = :id AND version = 2",
        "DELETE FROM bank_transactions WHERE mono_transaction_id = :id",
        "UPDATE bank_transactions SET version = 7 WHERE mono_transaction_id = :id",
        "UPDATE bank_transactions SET changed_at = changed_at + interval '1 second' WHERE mono_transaction_id = :id",
    ],
)
def test_a_history_with_a_gap_is_a_mismatch(pipeline: Pipeline, statement: str) -> None:
    """Whoever took a version away: the row is named."""
    account, row = amended(pipeline)
    without_trigger(pipeline, statement, id=row)

    answer = verify(pipeline, account)

    assert answer["verdict"] == {"kind": "mismatch", "reason": "history_broken", "first_bad_day": None}
    assert checks(answer)["history"] is False
    assert row in answer["checks"][0]["detail"]


def test_an_amount_that_was_changed_behind_our_back_breaks_the_balances(pipeline: Pipeline) -> None:
    """Without Mono nobody knows which side is right: unverifiable, with the day, and `--live` tells."""
    account, _row = amended(pipeline)
    row = sorted(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])[20]["id"]
    pipeline.rows("UPDATE bank_transactions SET amount_minor = 5 WHERE mono_transaction_id = :id", id=row)

    answer = verify(pipeline, account)

    assert (answer["verdict"]["kind"], answer["verdict"]["reason"]) == ("unverifiable", "balance_lagging")
    assert "balance_lagging (from 20" in answer["checks"][2]["detail"]


def test_days_long_past_do_not_have_to_end_in_today_s_balance(pipeline: Pipeline) -> None:
    """A month that was read by itself is carried by its own balances."""
    account = pipeline.link(transactions=100, days=90)
    today = pipeline.today()
    window = DateWindow(start=today - timedelta(days=60), end=today - timedelta(days=31))
    pipeline.sync(account, kind=RunKind.WINDOW, asked=window)

    answer = verify(pipeline, account)

    assert answer["verdict"]["kind"] == "verified"
    assert checks(answer)["balances"] is True


def test_a_mismatch_stays_one_until_a_run_says_otherwise(pipeline: Pipeline) -> None:
    """With its first bad day and its rows."""
    account = pipeline.link(transactions=30)
    pipeline.rows(
        """CREATE FUNCTION lose() RETURNS trigger AS
           $f$ BEGIN NEW.amount_minor := NEW.amount_minor + 1; RETURN NEW; END $f$ LANGUAGE plpgsql"""
    )
    pipeline.rows("CREATE TRIGGER lose BEFORE INSERT ON bank_transactions FOR EACH ROW EXECUTE FUNCTION lose()")
    pipeline.sync(account)

    answer = verify(pipeline, account)

    assert answer["verdict"]["kind"] == "mismatch"
    assert answer["verdict"]["first_bad_day"] == answer["run"]["first_bad_day"]
    assert answer["run"]["mismatch"]["rows"]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            """INSERT INTO removal_evidence (account_id, mono_transaction_id, first_missed_at, first_missed_by)
               SELECT account_id, mono_transaction_id, now(), run_id FROM bank_transactions LIMIT 1""",
            "removal_pending",
        ),
        (
            """INSERT INTO quarantined_transactions (account_id, run_id, reason, payload)
               SELECT account_id, run_id, 'bad_amount', '{}' FROM bank_transactions LIMIT 1""",
            "quarantined",
        ),
        (
            """INSERT INTO duplicate_suspicions (account_id, old_id, new_id, raised_by)
               SELECT account_id, min(mono_transaction_id), max(mono_transaction_id), gen_random_uuid()
               FROM bank_transactions GROUP BY 1""",
            "duplicate_suspected",
        ),
    ],
)
def test_what_stands_open_since_is_said(pipeline: Pipeline, statement: str, reason: str) -> None:
    """A verdict is as old as its run; a question that was opened later counts now."""
    account, _row = amended(pipeline)
    pipeline.rows(statement)

    answer = verify(pipeline, account)

    assert (answer["verdict"]["kind"], answer["verdict"]["reason"]) == ("unverifiable", reason)
    assert checks(answer)["questions"] is None


def test_a_month_is_complete_when_every_day_was_read_late_enough(pipeline: Pipeline) -> None:
    """One question, one answer: complete, or the stretches that are not."""
    account = pipeline.link(transactions=60, days=90)
    pipeline.sync(account)
    today = pipeline.today()

    def coverage(first: int, last: int) -> dict[str, Any]:
        days = {"from": (today - timedelta(days=first)).isoformat(), "to": (today - timedelta(days=last)).isoformat()}
        return dict(verify(pipeline, account, **days)["coverage"])

    past = coverage(60, 31)
    assert (past["complete"], past["days"]) == (True, {"read": 30, "due": 0, "never_read": 0})
    assert len(past["stretches"]) == 1
    recent = coverage(20, -2)
    assert recent["complete"] is False
    assert recent["days"] == {"read": 13, "due": 8, "never_read": 2}
    assert [stretch["state"] for stretch in recent["stretches"]] == ["read", "due", "never_read"]
    assert recent["stretches"][1]["from"] == (today - timedelta(days=7)).isoformat()


def test_islands_are_stretches_of_their_own(pipeline: Pipeline) -> None:
    """Two windows with a hole between them."""
    account = pipeline.link(transactions=10, days=90)
    today = pipeline.today()
    for first, last in ((80, 71), (60, 51)):
        window = DateWindow(start=today - timedelta(days=first), end=today - timedelta(days=last))
        pipeline.sync(account, kind=RunKind.WINDOW, asked=window)

    found = verify(
        pipeline,
        account,
        **{"from": (today - timedelta(days=85)).isoformat(), "to": (today - timedelta(days=50)).isoformat()},
    )["coverage"]

    assert [(stretch["state"], stretch["from"]) for stretch in found["stretches"]] == [
        ("never_read", (today - timedelta(days=85)).isoformat()),
        ("read", (today - timedelta(days=80)).isoformat()),
        ("never_read", (today - timedelta(days=70)).isoformat()),
        ("read", (today - timedelta(days=60)).isoformat()),
        ("never_read", (today - timedelta(days=50)).isoformat()),
    ]
