"""An erased account says nothing any more, stays erased, and what is left of it is a ledger without gaps."""

from __future__ import annotations

import json
from copy import replace
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.postgres import Database, StatementRefused
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import AccountBlocked
from mono_pipeline.core.run import RunKind
from mono_pipeline.usecases.operations import Operations
from tests.harness import Pipeline
from tests.invariants import broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mono_pipeline.adapters.postgres import DatabaseAddress

pytestmark = pytest.mark.integration

TABLES = (
    "bank_accounts",
    "bank_transactions",
    "bank_transaction_versions",
    "quarantined_transactions",
    "sync_runs",
    "webhook_inbox",
    "duplicate_suspicions",
    "landed_flushes",
    "dead_letter_archive",
)


@pytest.fixture
def ops(address: DatabaseAddress) -> Iterator[Pipeline]:
    """A pipeline that logs in as the ops function does."""
    limited = Pipeline(replace(address, user="ops"), Sandbox(seed="erasure"))
    yield limited
    limited.close()


@pytest.fixture
def account(ops: Pipeline) -> str:
    """One with history: rows, a superseded version, a quarantined row."""
    account = ops.link(transactions=30)
    ops.sync(account)
    ops.sandbox.amend(account)
    ops.sandbox.add(account, rows=[{"amount": -1, "narration": "QUARANTINED-CANARY"}])
    ops.sync(account, kind=RunKind.FULL)
    return account


def erase(pipeline: Pipeline, account: str, **changed: Any) -> dict[str, Any]:
    """As the ops function is asked."""
    event = {"account_id": account, "confirm": account, "actor": "ada", "reason": "request 7", **changed}
    return Operations(pipeline.worker).perform({"action": "accounts.erase", **event}, Deadline.after(30))


def everything(pipeline: Pipeline) -> str:
    """All that the tables say, as one text."""
    return json.dumps({table: pipeline.rows(f"SELECT * FROM {table}") for table in TABLES}, default=str)  # noqa: S608


def test_nothing_personal_is_left(ops: Pipeline, pipeline: Pipeline, account: str) -> None:
    """No narration, amount, balance, number, name or customer of it is in any table."""
    before = pipeline.account_row(account)
    personal = {str(before[name]) for name in ("account_number", "mono_customer_id", "reference") if before[name]}
    personal |= {row["narration"] for row in pipeline.rows("SELECT narration FROM bank_transactions")}
    assert personal
    assert "QUARANTINED-CANARY" in everything(pipeline)

    told = erase(ops, account)

    assert told["rows"]["transactions"] == 30
    said = everything(pipeline)
    assert [text for text in personal if text and text in said] == []
    assert "QUARANTINED-CANARY" not in said
    totals = pipeline.rows(
        "SELECT sum(amount_minor)::int AS sum FROM (SELECT amount_minor FROM bank_transactions "
        "UNION ALL SELECT amount_minor FROM bank_transaction_versions) x"
    )
    assert totals == [{"sum": 0}]


def test_tombstones_are_left_and_the_ledger_has_no_gap(ops: Pipeline, pipeline: Pipeline, account: str) -> None:
    """Whoever polls changes sees every row disappear; versions are 1 to n still."""
    ids = {row["mono_transaction_id"] for row in pipeline.rows("SELECT mono_transaction_id FROM bank_transactions")}
    since = pipeline.rows("SELECT pipeline_now() AS at")[0]["at"]

    erase(ops, account)

    left = pipeline.rows(
        "SELECT mono_transaction_id, disappeared_at FROM bank_transactions WHERE changed_at >= :since", since=since
    )
    assert {row["mono_transaction_id"] for row in left} == ids
    assert all(row["disappeared_at"] for row in left)
    assert broken(pipeline.worker.database) == []


def test_it_stays_erased(ops: Pipeline, pipeline: Pipeline, account: str) -> None:
    """An import, a sync or the clock brings nothing of it back."""
    erase(ops, account)

    ops.import_account(account)
    with pytest.raises(AccountBlocked):
        ops.ask(account)
    pipeline.let_pass(days=1)
    ops.tick()

    row = pipeline.account_row(account)
    assert row["link_status"] == "unlinked"
    assert [row[name] for name in ("account_number", "mono_customer_id", "reference", "balance_minor")] == [None] * 4
    assert pipeline.rows("SELECT count(*)::int AS n FROM bank_transactions WHERE narration <> ''") == [{"n": 0}]


def test_a_run_under_way_writes_nothing_after_it(ops: Pipeline, pipeline: Pipeline, account: str) -> None:
    """Its fence is an older one."""
    run = ops.request(account, kind=RunKind.FULL)
    fence = pipeline.account_row(account)["fence"]

    erase(ops, account)

    assert pipeline.account_row(account)["fence"] > fence
    assert pipeline.rows("SELECT status FROM sync_runs WHERE run_id = :run", run=run) == [{"status": "stopped"}]


def test_erasing_twice_is_erasing_once(ops: Pipeline, pipeline: Pipeline, account: str) -> None:
    """The first erasure is told, and it is on record for good."""
    first = erase(ops, account)

    assert erase(ops, account, actor="eve") == first
    with pytest.raises(StatementRefused, match="append-only"):
        pipeline.rows("DELETE FROM erasures")


@pytest.mark.parametrize(
    ("changed", "field"), [({"confirm": "x"}, "confirm"), ({"reason": " "}, "reason"), ({"actor": ""}, "actor")]
)
def test_a_slip_erases_nothing(ops: Pipeline, pipeline: Pipeline, account: str, changed: Any, field: str) -> None:
    """It needs the id twice, somebody who asks and a reason."""
    answer = erase(ops, account, **changed)

    assert answer["error"]["code"] == "InvalidInput"
    assert field in answer["error"]["message"]
    assert pipeline.account_row(account)["erased_at"] is None


@pytest.mark.parametrize("role", ["pipeline", "reader", "monitor"])
def test_no_other_role_may_erase_or_forget(address: DatabaseAddress, role: str) -> None:
    """The functions of the sync cannot, whatever somebody makes them say; nor does saying it open the history."""
    database = Database(replace(address, user=role))
    statements = (
        "SELECT erase_account('0', 'eve', 'because')",
        "SELECT forget_past('runs', 1)",
        """WITH said AS (SELECT set_config('mono_pipeline.erasing', 'yes', true))
           UPDATE bank_transaction_versions SET amount_minor = 1 FROM said""",
    )
    for statement in statements:
        with pytest.raises(StatementRefused) as refused:
            database.rows(statement)
        assert refused.value.sqlstate == "42501", statement
    database.close()


def test_an_unknown_account_is_none(ops: Pipeline) -> None:
    """And is said to be."""
    assert erase(ops, "0" * 24)["error"]["code"] == "AccountUnknown"
