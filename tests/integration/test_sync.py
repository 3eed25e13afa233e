"""The main job: what the bank has is what the tables have, and nothing is written twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VERIFIED

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def test_a_first_sync_lands_the_whole_history_and_verifies_it(pipeline: Pipeline) -> None:
    """Every row of the bank is stored exactly, and the run says so."""
    account = pipeline.link(transactions=257)

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == (RunStatus.COMPLETED, VERIFIED)
    assert pipeline.stored(account) == pipeline.truth(account)
    assert len(pipeline.stored(account)) == 257


def test_a_second_sync_writes_nothing(pipeline: Pipeline) -> None:
    """With nothing changed at the bank no row of transactions or history is touched."""
    account = pipeline.link(transactions=120)
    pipeline.sync(account)
    before = _writes(pipeline)

    end = pipeline.sync(account, kind=RunKind.FULL)

    assert end.verdict == VERIFIED
    assert _writes(pipeline) == before
    assert pipeline.run_row(end)["rows_unchanged"] == 120


def test_only_what_changed_lands(pipeline: Pipeline) -> None:
    """A new, a late and an amended row land in one run; the amended one keeps its superseded version."""
    account = pipeline.link(transactions=60, days=5)
    pipeline.sync(account)
    pipeline.sandbox.add(account, rerun_balances=False)
    pipeline.sandbox.late(account, days_ago=2, rerun_balances=False)
    pipeline.sandbox.amend(account, changes={"amount": 4_242}, rerun_balances=False)

    end = pipeline.sync(account)

    run = pipeline.run_row(end)
    assert (run["rows_inserted"], run["rows_updated"]) == (2, 1)
    assert pipeline.stored(account) == pipeline.truth(account)
    versions = pipeline.rows("SELECT version, superseded_by FROM bank_transaction_versions")
    assert versions == [{"version": 1, "superseded_by": end.run.run_id}]


def _writes(pipeline: Pipeline) -> list[dict[str, object]]:
    pipeline.rows("SELECT pg_stat_force_next_flush()")
    return pipeline.rows(
        """SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables
           WHERE relname IN ('bank_transactions', 'bank_transaction_versions') ORDER BY relname"""
    )
