"""What a run says of its data, and that it says it of every kind of bank."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.run import RunKind
from mono_pipeline.core.verdict import VERIFIED, VerdictKind, VerdictReason, unverifiable

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("balances", "reason"),
    [
        ("null", VerdictReason.BALANCE_MISSING),
        ("absent", VerdictReason.BALANCE_MISSING),
        ("backwards", VerdictReason.BALANCE_BACKWARDS),
    ],
)
def test_a_bank_without_a_usable_chain_is_unverifiable_and_never_a_mismatch(
    pipeline: Pipeline, balances: str, reason: VerdictReason
) -> None:
    """The days agree, but nothing carries the rows: the verdict says what is lacking."""
    account = pipeline.link(transactions=60, balances=balances)

    assert pipeline.sync(account).verdict == unverifiable(reason)
    assert pipeline.stored(account) == pipeline.truth(account)


def test_balances_that_lag_behind_the_amounts_are_told(pipeline: Pipeline) -> None:
    """An amount was corrected and the balances after it were not."""
    account = pipeline.link(transactions=60)
    pipeline.sync(account)
    middle = sorted(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])[30]["id"]
    pipeline.sandbox.amend(account, transaction=middle, changes={"amount": 7}, rerun_balances=False)

    assert pipeline.sync(account, kind=RunKind.FULL).verdict == unverifiable(VerdictReason.BALANCE_LAGGING)


def test_a_balance_that_is_ahead_of_the_rows_is_told(pipeline: Pipeline) -> None:
    """The account's balance is authoritative; rows that explain it are still to come."""
    account = pipeline.link(transactions=60, fields={"balance": 123_456_789})

    assert pipeline.sync(account).verdict == unverifiable(VerdictReason.BALANCE_AHEAD)


def test_a_row_in_another_currency_is_never_verified(pipeline: Pipeline) -> None:
    """Ten dollars are kept as ten dollars; that they are no ten naira shows in the account's balance."""
    account = pipeline.link(transactions=60)
    (row,) = pipeline.sandbox.add(account, rows=[{"amount": 1_000, "type": "credit", "currency": "USD"}])
    pipeline.sandbox.amend(
        account, transaction=row["id"], changes={"balance": row["balance"] + 1_500_000}, rerun_balances=False
    )

    assert pipeline.sync(account).verdict == unverifiable(VerdictReason.BALANCE_LAGGING)
    assert pipeline.rows("SELECT amount_minor FROM bank_transactions WHERE currency = 'USD'") == [
        {"amount_minor": 1_000}
    ]


def test_a_change_before_the_window_is_seen_by_its_balances_and_asks_for_a_deep_read(pipeline: Pipeline) -> None:
    """A row far behind the window was amended: the window no longer opens where what is stored before it closes."""
    account = pipeline.link(transactions=120, days=120)
    pipeline.sync(account)
    oldest = min(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])
    pipeline.sandbox.amend(account, transaction=oldest["id"], changes={"amount": oldest["amount"] + 500})
    pipeline.sandbox.add(account)

    verdict = pipeline.sync(account).verdict

    assert verdict == unverifiable(VerdictReason.HISTORY_CHANGED)
    pipeline.rows("UPDATE bank_accounts SET next_attempt_at = pipeline_now()")
    (due,) = pipeline.worker.accounts.take_due(limit=10, interval_seconds=60)
    assert due.kind is RunKind.FULL
    assert pipeline.sync(account, kind=RunKind.FULL).verdict == VERIFIED


def test_what_is_stored_otherwise_than_it_was_read_is_a_mismatch_since_its_first_day(pipeline: Pipeline) -> None:
    """A defect of ours between reading and storing: here a trigger that loses a kobo of each debit."""
    account = pipeline.link(transactions=60)
    pipeline.rows(
        """CREATE FUNCTION lose_a_kobo() RETURNS trigger AS
           $f$ BEGIN NEW.amount_minor := NEW.amount_minor - 1; RETURN NEW; END $f$ LANGUAGE plpgsql"""
    )
    pipeline.rows(
        """CREATE TRIGGER lose BEFORE INSERT ON bank_transactions FOR EACH ROW
           WHEN (NEW.direction = 'debit') EXECUTE FUNCTION lose_a_kobo()"""
    )

    end = pipeline.sync(account)

    debits = [row for row in pipeline.truth(account).values() if row[1] == "debit"]
    assert end.verdict is not None
    assert end.verdict.kind is VerdictKind.MISMATCH
    assert end.verdict.first_bad_day == min(row[5] for row in debits)
    assert pipeline.watermark(account) is None


def test_the_ledger_knows_each_day(pipeline: Pipeline) -> None:
    """Days before the read's own are read; the newest are due again; days after it were never read."""
    account = pipeline.link(transactions=60, days=60)
    end = pipeline.sync(account)
    today = end.run.today

    days = pipeline.rows(
        "SELECT * FROM coverage_of(:account, :from_day, :to_day, 7)",
        account=account,
        from_day=today - timedelta(days=30),
        to_day=today + timedelta(days=1),
    )

    states = {row["day"]: row["state"] for row in days}
    assert states[today - timedelta(days=30)] == "read"
    assert states[today - timedelta(days=8)] == "read"
    assert states[today - timedelta(days=7)] == states[today] == "due"
    assert states[today + timedelta(days=1)] == "never_read"
    assert {row["run_id"] for row in days if row["run_id"]} == {end.run.run_id}


def test_an_incomplete_run_covers_nothing(pipeline: Pipeline) -> None:
    """Only complete passes enter the ledger."""
    account = pipeline.link(transactions=60)
    pipeline.sandbox.set_data_status(account, data_status="PROCESSING", retrieved_data=[])

    pipeline.sync(account)

    assert pipeline.rows("SELECT FROM coverage_ledger") == []


def test_the_table_of_any_past_instant_can_be_rebuilt(pipeline: Pipeline) -> None:
    """After amendments and a removal, each earlier state is there, row by row."""
    account = pipeline.link(transactions=20, balances="null")
    pipeline.sync(account)
    states = []
    changes: list[dict[str, Any]] = [{"amount": 111}, {"type": "credit", "amount": 222}, {"narration": "CORRECTED"}]
    for change in [*changes, {"category": "corrected"}, {"date": f"{pipeline.today()}T01:00:00.000Z"}]:
        states.append((_instant(pipeline), pipeline.truth(account)))
        pipeline.sandbox.amend(account, transaction=min(pipeline.truth(account)), changes=change)
        pipeline.sandbox.add(account)
        pipeline.sync(account, kind=RunKind.FULL)

    for instant, truth in states:
        rebuilt = pipeline.rows(
            """SELECT mono_transaction_id, amount_minor, direction, narration, category, balance_after_minor,
                      booking_date
               FROM bank_transactions_at(:account, :instant)""",
            account=account,
            instant=instant,
        )
        assert {row.pop("mono_transaction_id"): tuple(row.values()) for row in rebuilt} == truth


def test_versions_have_no_gaps_and_hold_the_raw_row(pipeline: Pipeline) -> None:
    """History and current together are 1..n, and each can be shown as Mono sent it."""
    account = pipeline.link(transactions=5, balances="null")
    pipeline.sync(account)
    row = min(pipeline.truth(account))
    before = next(sent for sent in pipeline.sandbox.truth(account)["bank"] if sent["id"] == row)
    for amount in (1, 2, 3):
        pipeline.sandbox.amend(account, transaction=row, changes={"amount": amount})
        pipeline.sync(account, kind=RunKind.FULL)

    versions = pipeline.rows(
        "SELECT version, raw, superseded_at FROM transaction_versions WHERE mono_transaction_id = :id ORDER BY version",
        id=row,
    )

    assert [kept["version"] for kept in versions] == [1, 2, 3, 4]
    assert versions[0]["raw"] == before
    assert [kept["superseded_at"] is None for kept in versions] == [False, False, False, True]


def _instant(pipeline: Pipeline) -> object:
    return pipeline.rows("SELECT pipeline_now() AS now")[0]["now"]
