"""The bank's book: the same from the same seed, and its balances tell the truth."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.sandbox.sandbox import Sandbox

NOW = datetime(2026, 9, 30, 12, 0, tzinfo=UTC)


def signed(row: dict[str, Any]) -> int:
    """What a row does to the balance."""
    return int(row["amount"] if row["type"] == "credit" else -row["amount"])


def breaks(truth: dict[str, Any]) -> Counter[int]:
    """Balances after against balances before: only the opening and the closing one are left over."""
    left = Counter(row["balance"] for row in truth["bank"])
    left.subtract(row["balance"] - signed(row) for row in truth["bank"])
    return Counter({balance: count for balance, count in left.items() if count})


def test_the_same_seed_and_clock_give_the_same_bank() -> None:
    """Nothing in it is left to chance."""
    banks = [Sandbox(seed="7", now=NOW, accounts=3, transactions=50) for _ in range(2)]
    truths = [[sandbox.truth(account) for account in sandbox.links] for sandbox in banks]
    assert truths[0] == truths[1]
    assert Sandbox(seed="8", now=NOW, accounts=3).links.keys().isdisjoint(banks[0].links)


def test_account_and_transaction_ids_do_not_depend_on_the_clock() -> None:
    """A restart on another day keeps the ids."""
    banks = [Sandbox(seed="7", now=now, accounts=2, transactions=20) for now in (NOW, datetime(2027, 3, 1, tzinfo=UTC))]
    ids = [
        {account: {row["id"] for row in sandbox.truth(account)["bank"]} for account in sandbox.links}
        for sandbox in banks
    ]
    assert ids[0] == ids[1]


def test_accounts_alternate_between_midnight_rows_and_instants() -> None:
    """Banks differ in how they date rows (Mono contract 2.4)."""
    sandbox = Sandbox(now=NOW, accounts=2, transactions=50)
    midnight, instant = ([row["date"] for row in sandbox.truth(account)["bank"]] for account in sandbox.links)
    assert all(stamp.endswith("T23:00:00.000Z") for stamp in midnight)
    assert sum(stamp.endswith("T23:00:00.000Z") for stamp in instant) < 3
    assert max(midnight + instant) < "2026-09-30T12:00:01"


def test_consistent_balances_run_forward_to_the_accounts_own() -> None:
    """Row by row, oldest first."""
    sandbox = Sandbox(now=NOW)
    truth = sandbox.truth(sandbox.create_account(transactions=200)["id"])
    for before, after in zip(truth["bank"], truth["bank"][1:], strict=False):
        assert after["balance"] == before["balance"] + signed(after)
    assert truth["bank"][-1]["balance"] == truth["bank_balance"]


def test_backward_balances_run_into_the_past_as_the_real_sandboxs_do() -> None:
    """A chain check must fail there (Mono contract 7.9)."""
    sandbox = Sandbox(now=NOW)
    truth = sandbox.truth(sandbox.create_account(transactions=200, balances="backwards")["id"])
    for older, newer in zip(truth["bank"], truth["bank"][1:], strict=False):
        assert older["balance"] == newer["balance"] + signed(older)
    assert truth["bank"][-1]["balance"] != truth["bank_balance"]


def test_backward_balances_are_never_worked_out_again() -> None:
    """In the real sandbox a row that was served stays as it is."""
    sandbox = Sandbox(now=NOW)
    account = sandbox.create_account(transactions=40, balances="backwards")["id"]
    before = sandbox.truth(account)["bank"]
    added = sandbox.add(account)[0]
    assert [row for row in sandbox.truth(account)["bank"] if row["id"] != added["id"]] == before
    assert added["balance"] == sandbox.truth(account)["bank_balance"] + signed(added)


@pytest.mark.parametrize(("mode", "rows"), [("null", [None]), ("absent", ["-"])])
def test_balances_can_be_null_or_absent(mode: Any, rows: list[Any]) -> None:
    """Some banks supply none (Mono contract 2.2)."""
    sandbox = Sandbox(now=NOW)
    truth = sandbox.truth(sandbox.create_account(transactions=1, balances=mode)["id"])
    assert [row.get("balance", "-") for row in truth["bank"]] == rows


OPERATIONS = st.sampled_from(["add", "late", "amend_amount", "remove", "twin", "truncate"])


@settings(max_examples=40, deadline=None)
@given(st.lists(OPERATIONS, max_size=8), st.sampled_from(["midnight", "instant"]))
def test_whatever_happens_the_chain_of_consistent_balances_holds(operations: list[str], stamp: Any) -> None:
    """Balances before and after differ by opening and closing alone, whatever the order."""
    sandbox = Sandbox(now=NOW)
    account = sandbox.create_account(transactions=40, stamp=stamp)["id"]
    for operation in operations:
        match operation:
            case "amend_amount":
                sandbox.amend(account, changes={"amount": 123_456})
            case "truncate":
                sandbox.truncate(account, older_than=date(2026, 5, 1))
            case _:
                getattr(sandbox, operation)(account)
    truth = sandbox.truth(account)
    left = breaks(truth)
    assert sum(abs(count) for count in left.values()) <= 2
    assert truth["bank"][-1]["balance"] == truth["bank_balance"]


def test_a_late_row_is_behind_the_newest_and_only_its_successors_balances_move() -> None:
    """The bank works the balances out again (Mono contract 7.6)."""
    sandbox = Sandbox(now=NOW)
    account = sandbox.create_account(transactions=40)["id"]
    before = {row["id"]: row for row in sandbox.truth(account)["bank"]}
    late = sandbox.late(account, days_ago=10)[0]
    after = sandbox.truth(account)["bank"]
    assert late["date"] == "2026-09-19T23:00:00.000Z"
    assert next(row["id"] for row in after if before.get(row["id"]) != row) == late["id"]
    without = [{**row, "balance": None} for row in after if row["id"] != late["id"]]
    assert without == [{**row, "balance": None} for row in before.values()]


def test_without_a_rerun_only_the_new_row_is_new() -> None:
    """As at a bank that never touches what it has booked."""
    sandbox = Sandbox(now=NOW)
    account = sandbox.create_account(transactions=40)["id"]
    before = sandbox.truth(account)["bank"]
    late = sandbox.late(account, days_ago=10, rerun_balances=False)[0]
    after = sandbox.truth(account)
    assert [row for row in after["bank"] if row["id"] != late["id"]] == before
    assert late["balance"] == after["bank_balance"]


@pytest.mark.parametrize(("mode", "more"), [("consistent", 2), ("null", 1)])
def test_twins_differ_in_their_id_alone(mode: Any, more: int) -> None:
    """Two real bookings (Mono contract 7.8); where balances must add up, a reversal lies between."""
    sandbox = Sandbox(now=NOW)
    account = sandbox.create_account(transactions=40, balances=mode)["id"]
    old, twin = sandbox.twin(account)
    assert old["id"] != twin["id"]
    assert {**old, "id": ""} == {**twin, "id": ""}
    assert len(sandbox.truth(account)["bank"]) == 40 + more


def test_rows_can_be_given_field_by_field() -> None:
    """Whatever a test wants to see stored."""
    sandbox = Sandbox(now=NOW)
    rows = [{"amount": 5, "type": "debit", "narration": "x\U0001f600", "date": "2026-09-01T10:00:00Z", "category": "c"}]
    account = sandbox.create_account(transactions=0, stamp="instant", balances="null", rows=rows)["id"]
    (row,) = sandbox.truth(account)["copy"]
    assert {**row, "id": ""} == {
        **rows[0],
        "id": "",
        "currency": "NGN",
        "balance": None,
        "date": "2026-09-01T10:00:00.000Z",
    }


def test_truncation_removes_what_is_older_and_leaves_the_rest_as_it_is() -> None:
    """A bank that shortens its history (Mono contract 7.7)."""
    sandbox = Sandbox(now=NOW)
    account = sandbox.create_account(transactions=100)["id"]
    before = sandbox.truth(account)
    gone = sandbox.truncate(account, older_than=date(2026, 8, 1))
    after = sandbox.truth(account)
    assert gone
    assert gone + after["bank"] == before["bank"]
    assert after["bank_balance"] == before["bank_balance"]
    assert min(row["date"] for row in after["bank"]) >= "2026-07-31T23:00:00.000Z"


def test_a_remint_changes_every_id_and_nothing_else() -> None:
    """What some fear of re-authorisation (Mono contract 7.4)."""
    sandbox = Sandbox(now=NOW)
    account = sandbox.create_account(transactions=30)["id"]
    before = sandbox.truth(account)["copy"]
    sandbox.remint(account)
    after = sandbox.truth(account)["copy"]
    assert {row["id"] for row in before}.isdisjoint(row["id"] for row in after)
    assert [{**row, "id": ""} for row in before] == [{**row, "id": ""} for row in after]
