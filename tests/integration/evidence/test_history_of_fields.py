"""Whatever of a row changes is kept as it was: who saw it, when, and the row as Mono sent it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.run import RunKind

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

HISTORY = """
SELECT v.version, v.raw, v.changed_at, v.superseded_at, seen.requested_by AS seen_by, v.run_id, v.superseded_by
FROM transaction_versions v JOIN sync_runs seen ON seen.run_id = v.run_id
WHERE v.mono_transaction_id = :id ORDER BY v.version
"""
WRITES = """
SELECT relname AS name, n_tup_ins AS inserted, n_tup_upd AS updated, n_tup_del AS deleted FROM pg_stat_user_tables
WHERE relname IN ('bank_transactions', 'bank_transaction_versions') ORDER BY relname
"""


def as_sent(pipeline: Pipeline, account: str, transaction: str) -> dict[str, Any]:
    """A row of the bank as Mono sends it now."""
    return next(dict(row) for row in pipeline.sandbox.truth(account)["copy"] if row["id"] == transaction)


@pytest.mark.parametrize("field", ["amount", "type", "date", "balance", "narration", "category"])
def test_a_change_of_any_field_supersedes_a_version(pipeline: Pipeline, field: str) -> None:
    """With the run that saw each of the two, by whom that was asked for, and both raw rows."""
    account = pipeline.link(transactions=30, days=5)
    first = pipeline.sync(account)
    row = sorted(pipeline.truth(account))[3]
    before = as_sent(pipeline, account, row)
    values = {
        "amount": before["amount"] + 1,
        "type": "debit" if before["type"] == "credit" else "credit",
        "date": f"{pipeline.today()}T01:00:00.000Z",
        "balance": before["balance"] + 1,
        "narration": "CORRECTED",
        "category": "corrected",
    }
    pipeline.sandbox.amend(account, transaction=row, changes={field: values[field]}, rerun_balances=False)
    after = as_sent(pipeline, account, row)

    pipeline.ask(account)

    old, new = pipeline.rows(HISTORY, id=row)
    assert before[field] != after[field]
    assert (old["raw"], new["raw"]) == (before, after)
    assert (old["version"], old["run_id"], old["seen_by"]) == (1, first.run.run_id, "test")
    assert (new["version"], new["run_id"], new["seen_by"]) == (2, last_run(pipeline), "api")
    assert (old["superseded_by"], old["superseded_at"]) == (new["run_id"], new["changed_at"])
    assert pipeline.rows("SELECT count(*) AS kept FROM bank_transaction_versions") == [{"kept": 1}]


def test_a_first_load_writes_each_row_once(pipeline: Pipeline) -> None:
    """Only superseded versions go into the history, so that what never changed is nowhere twice."""
    account = pipeline.link(transactions=230)

    pipeline.sync(account)

    pipeline.rows("SELECT pg_stat_force_next_flush()")
    assert pipeline.rows(WRITES) == [
        {"name": "bank_transaction_versions", "inserted": 0, "updated": 0, "deleted": 0},
        {"name": "bank_transactions", "inserted": 230, "updated": 0, "deleted": 0},
    ]


def test_a_row_that_was_gone_for_a_while_is_gone_in_that_while_alone(pipeline: Pipeline) -> None:
    """The table is rebuilt at each past instant: with the row, without it, and with it again."""
    account = pipeline.link(transactions=20, days=3)
    pipeline.sync(account)
    row = sorted(pipeline.truth(account))[3]
    instants = [now(pipeline)]
    put_back = pipeline.take_out(account, row)
    for _ in range(2):
        pipeline.sync(account, kind=RunKind.FULL)
        pipeline.let_pass(hours=25)
    instants.append(now(pipeline))
    put_back()
    pipeline.sync(account, kind=RunKind.FULL)
    instants.append(now(pipeline))

    there = [ids_at(pipeline, account, instant) for instant in instants]

    assert [row in ids for ids in there] == [True, False, True]
    assert [len(ids) for ids in there] == [20, 19, 20]


def last_run(pipeline: Pipeline) -> Any:
    """The id of the newest run."""
    return pipeline.rows("SELECT run_id FROM sync_runs ORDER BY requested_at DESC LIMIT 1")[0]["run_id"]


def now(pipeline: Pipeline) -> Any:
    """The database's time."""
    return pipeline.rows("SELECT pipeline_now() AS now")[0]["now"]


def ids_at(pipeline: Pipeline, account: str, instant: Any) -> set[str]:
    """The rows that the table had at an instant."""
    found = pipeline.rows(
        "SELECT mono_transaction_id AS id FROM bank_transactions_at(:account, :instant)",
        account=account,
        instant=instant,
    )
    return {each["id"] for each in found}
