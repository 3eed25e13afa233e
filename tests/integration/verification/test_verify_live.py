"""`verify --live`: what is stored against what Mono shows now, without landing anything."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from local.sandbox.effects import Drift
from local.sandbox.faults import Fault
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.run import RunKind
from mono_pipeline.usecases.account_check import check_account
from mono_pipeline.usecases.live_verification import LiveVerification
from mono_pipeline.usecases.operations import Operations
from tests.fetching_anew import FetchingAnew

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

VERIFIED = {"kind": "verified", "reason": None, "first_bad_day": None}
LANDED = (
    "SELECT * FROM bank_accounts ORDER BY id",
    "SELECT * FROM bank_transactions ORDER BY id",
    "SELECT * FROM sync_runs ORDER BY run_id",
    "SELECT * FROM coverage_ledger ORDER BY run_id",
    "SELECT * FROM removal_evidence ORDER BY mono_transaction_id",
    "SELECT * FROM quarantined_transactions ORDER BY id",
)


def live(pipeline: Pipeline, account: str, **arguments: Any) -> dict[str, Any]:
    """The answer of one invocation, as JSON carries it."""
    event = {"action": "verify.account", "account_id": account, "live": True, **arguments}
    answer = Operations(pipeline.worker).perform(event, Deadline.after(60))
    return as_json(answer)


def as_json(answer: dict[str, Any]) -> dict[str, Any]:
    """As the caller gets it."""
    return cast("dict[str, Any]", json.loads(json.dumps(answer)))


def synced(pipeline: Pipeline, **options: Any) -> str:
    """A new account with its history."""
    account = pipeline.link(**options)
    pipeline.sync(account)
    return account


def tables(pipeline: Pipeline) -> list[list[dict[str, Any]]]:
    """All that a sync might write."""
    return [pipeline.rows(statement) for statement in LANDED]


def oldest(pipeline: Pipeline, account: str, place: int = 5) -> dict[str, Any]:
    """One of the bank's oldest rows."""
    rows: list[dict[str, Any]] = pipeline.sandbox.truth(account)["bank"]
    return sorted(rows, key=lambda row: str(row["date"]))[place]


def test_what_agrees_is_verified_and_both_sides_are_shown(pipeline: Pipeline) -> None:
    """Counts, credits, debits, balance; and nothing is written."""
    account = synced(pipeline, transactions=130)
    before = tables(pipeline)

    answer = live(pipeline, account)

    truth = pipeline.sandbox.truth(account)
    assert answer["verdict"] == VERIFIED
    assert (
        answer["bank"]
        == answer["stored"]
        == {
            "rows": 130,
            "credits": sum(row["amount"] for row in truth["bank"] if row["type"] == "credit"),
            "debits": sum(row["amount"] for row in truth["bank"] if row["type"] == "debit"),
            "balance": truth["bank_balance"],
        }
    )
    assert (answer["mismatch"], answer["pages"]) == (None, 7)
    assert tables(pipeline) == before


def test_an_amount_that_was_changed_behind_our_back_is_a_mismatch_on_its_day(pipeline: Pipeline) -> None:
    """The first bad day with both sides, and the row with both amounts."""
    account = synced(pipeline, transactions=130)
    victim = oldest(pipeline, account)
    pipeline.rows(
        "UPDATE bank_transactions SET amount_minor = amount_minor + 500 WHERE mono_transaction_id = :id",
        id=victim["id"],
    )

    answer = live(pipeline, account)

    day = pipeline.truth(account)[victim["id"]][5].isoformat()
    assert answer["verdict"] == {"kind": "mismatch", "reason": "days_differ", "first_bad_day": day}
    (row,) = answer["mismatch"]["rows"]
    assert (row["id"], row["fault"]) == (victim["id"], "differs")
    assert row["fields"] == {"amount_minor": {"bank": victim["amount"], "stored": victim["amount"] + 500}}
    (both,) = answer["mismatch"]["days"]
    assert both["stored_credits"] + both["stored_debits"] - both["bank_credits"] - both["bank_debits"] == 500


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        ("DELETE FROM bank_transactions WHERE mono_transaction_id = :id", "missing"),
        (
            """UPDATE bank_transactions SET mono_transaction_id = 'x' || mono_transaction_id
               WHERE mono_transaction_id = :id""",
            None,
        ),
        (
            """UPDATE bank_transactions SET direction = CASE direction WHEN 'debit' THEN 'credit' ELSE 'debit' END
               WHERE mono_transaction_id = :id""",
            "differs",
        ),
        (
            """UPDATE bank_transactions
               SET occurred_at = occurred_at - interval '3 days', booking_date = booking_date - 3
               WHERE mono_transaction_id = :id""",
            "differs",
        ),
    ],
    ids=["lost", "under another id", "turned round", "on another day"],
)
def test_every_way_to_be_wrong_is_named(pipeline: Pipeline, sql: str, fault: str | None) -> None:
    """A lost row is missing, one under another id is missing and extra, any other differs."""
    account = synced(pipeline, transactions=60)
    victim = oldest(pipeline, account)
    pipeline.rows(sql, id=victim["id"])

    answer = live(pipeline, account)

    assert answer["verdict"]["kind"] == "mismatch"
    faults = {row["id"]: row["fault"] for row in answer["mismatch"]["rows"]}
    assert faults == ({victim["id"]: fault} if fault else {victim["id"]: "missing", f"x{victim['id']}": "extra"})


def test_amounts_that_were_exchanged_within_a_day_are_seen(pipeline: Pipeline) -> None:
    """Rows, ids and sums of the day are right, and two rows are wrong."""
    account = pipeline.link(transactions=0)
    day = "2024-03-05T09:00:00.000Z"
    rows = [{"date": day, "amount": amount, "type": "debit"} for amount in (100, 250)]
    one, other = (row["id"] for row in pipeline.sandbox.add(account, rows=rows))
    pipeline.sync(account)
    pipeline.rows("UPDATE bank_transactions SET amount_minor = 350 - amount_minor")

    answer = live(pipeline, account)

    assert answer["verdict"]["first_bad_day"] == "2024-03-05"
    assert {row["id"] for row in answer["mismatch"]["rows"]} == {one, other}
    assert answer["bank"] == answer["stored"]


def test_rows_that_came_to_the_bank_since_are_missing(pipeline: Pipeline) -> None:
    """Live means now: what is not stored yet is a difference, and a sync settles it."""
    account = synced(pipeline, transactions=60)
    pipeline.sandbox.add(account, count=2)

    answer = live(pipeline, account)

    assert {row["fault"] for row in answer["mismatch"]["rows"]} == {"missing"}
    pipeline.sync(account)
    assert live(pipeline, account)["verdict"] == VERIFIED


@pytest.mark.parametrize("seconds", [0.0, 60.0])
def test_a_long_reading_is_handed_back_and_goes_on(pipeline: Pipeline, seconds: float) -> None:
    """In slices of one page or at one go: the same verdict, and the caller carries what was read."""
    account = synced(pipeline, transactions=130)
    pipeline.rows("UPDATE bank_transactions SET amount_minor = amount_minor + 1 WHERE id = 40")
    told, slices = None, 0
    while True:
        found = pipeline.worker.accounts.find(account)
        check = LiveVerification(pipeline.worker, found, days=None, deadline=Deadline.after(60))
        answer = json.loads(json.dumps(check.go_on(told, seconds=seconds)))
        slices += 1
        if "so_far" not in answer:
            break
        told = answer["so_far"]

    assert slices == (7 if not seconds else 1)
    assert answer["verdict"]["kind"] == "mismatch"
    assert answer["bank"]["rows"] == 130
    assert answer["mismatch"]["rows_differing"] == 1


def test_days_alone_are_compared_when_they_are_asked_for(pipeline: Pipeline) -> None:
    """What is wrong outside them is not their matter; their coverage is told beside."""
    account = synced(pipeline, transactions=130, days=60)
    victim = oldest(pipeline, account)
    day = pipeline.truth(account)[victim["id"]][5]
    pipeline.rows("UPDATE bank_transactions SET amount_minor = 1 WHERE mono_transaction_id = :id", id=victim["id"])
    later = {"from": (day + timedelta(days=1)).isoformat(), "to": (day + timedelta(days=20)).isoformat()}

    answer = live(pipeline, account, **later)

    assert answer["verdict"]["kind"] == "verified"
    assert answer["coverage"]["complete"] is True
    assert answer["stored"]["rows"] == answer["bank"]["rows"] < 130
    assert live(pipeline, account, **{**later, "from": day.isoformat()})["verdict"]["first_bad_day"] == day.isoformat()


def test_what_is_not_decided_yet_is_no_mismatch(pipeline: Pipeline) -> None:
    """Rows missed once, and ids under suspicion: unverifiable with the run's own reason."""
    account = synced(pipeline, transactions=60, balances="null")
    pipeline.sandbox.remove(account)
    pipeline.sync(account, kind=RunKind.FULL)
    assert live(pipeline, account)["verdict"]["reason"] == "removal_pending"

    pipeline.sandbox.remint(account)
    pipeline.sync(account, kind=RunKind.FULL)
    answer = live(pipeline, account)
    assert answer["verdict"]["reason"] == "duplicate_suspected"
    assert answer["undecided"] == 60


def test_a_row_that_was_missed_and_is_shown_again_is_compared_like_any_other(pipeline: Pipeline) -> None:
    """It is set aside only for as long as the bank does not show it."""
    account = synced(pipeline, transactions=60)
    put_back = pipeline.take_out(account, oldest(pipeline, account)["id"])
    pipeline.sync(account, kind=RunKind.FULL)
    put_back()

    answer = live(pipeline, account)

    assert (answer["undecided"], answer["mismatch"]) == (0, None)
    assert answer["verdict"]["reason"] == "balance_ahead"  # as it was when the row was away


def test_rows_that_move_while_they_are_paged_are_drift(new_pipeline: Callable[..., Pipeline]) -> None:
    """Days that look different by pages and alike by themselves accuse nobody."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = synced(pipeline, transactions=130)
    pipeline.sandbox.inject(Fault(effect=Drift(operation="reshuffle"), path="*/transactions", page=3))

    answer = live(pipeline, account)

    assert answer["verdict"] == {"kind": "unverifiable", "reason": "drift", "first_bad_day": None}
    assert answer["bank"]["rows"] == 130


def test_a_balance_that_moved_without_a_row_is_said(pipeline: Pipeline) -> None:
    """The rows agree, and more are to come."""
    account = synced(pipeline, transactions=60)
    pipeline.rows("UPDATE bank_accounts SET balance_minor = balance_minor - 1")

    assert live(pipeline, account)["verdict"]["reason"] == "balance_ahead"


def test_an_empty_page_of_an_account_that_was_ready_before_proves_nothing(pipeline: Pipeline) -> None:
    """Mono began to fetch in between."""
    account = synced(pipeline, transactions=0)
    pipeline.sandbox.add(account, count=1)
    worker = pipeline.new_worker(FetchingAnew(pipeline.sandbox))

    event = {"action": "verify.account", "account_id": account, "live": True}
    assert Operations(worker).perform(event, Deadline.after(60))["verdict"]["reason"] == "not_ready"


def test_data_that_mono_does_not_have_yet_prove_nothing(pipeline: Pipeline) -> None:
    """Nor does an empty answer for an account with history."""
    account = synced(pipeline, transactions=60)
    pipeline.sandbox.set_data_status(account, data_status="PROCESSING", retrieved_data=[])
    assert live(pipeline, account)["verdict"]["reason"] == "not_ready"

    pipeline.sandbox.set_data_status(account, data_status="AVAILABLE", retrieved_data=["transactions"])
    everything = [row["id"] for row in pipeline.sandbox.truth(account)["bank"]]
    pipeline.sandbox.remove(account, transactions=everything)
    assert live(pipeline, account)["verdict"]["reason"] == "suspicious_empty"


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"from": "2026-06-01"}, "to"),
        ({"to": "2026-06-30"}, "from"),
        ({"from": "2026-06-30", "to": "2026-06-01"}, "from"),
        ({"from": "2026-6-1", "to": "2026-06-30"}, "from"),
        ({"from": "1066-06-01", "to": "2026-06-30"}, "from"),
        ({"from": "1990-06-01", "to": "2026-06-30"}, "from"),
        ({"so_far": {"pages": -1}}, "so_far"),
        ({"so_far": {"days": 7}}, "so_far"),
    ],
)
def test_a_wrong_question_is_refused_by_its_field(pipeline: Pipeline, arguments: dict[str, Any], field: str) -> None:
    """And nothing is asked of Mono."""
    account = pipeline.link(transactions=1)
    error = live(pipeline, account, **arguments)["error"]

    assert error["code"] == "InvalidInput"
    assert error["message"].startswith(field)
    assert pipeline.page_requests(account) == []


def test_an_unknown_account_is_told(pipeline: Pipeline) -> None:
    """Before Mono is asked."""
    assert live(pipeline, "0" * 24)["error"]["code"] == "AccountUnknown"


def test_a_former_id_of_the_account_is_as_good(pipeline: Pipeline) -> None:
    """After a re-link the old ids stay valid."""
    account = synced(pipeline, transactions=20)
    pipeline.rows("INSERT INTO account_aliases SELECT '000000000000000000000abc', id FROM bank_accounts")

    answer = check_account(
        pipeline.worker, {"account_id": "000000000000000000000abc", "live": True}, Deadline.after(60)
    )

    assert (answer["account_id"], answer["verdict"]["kind"]) == (account, "verified")
