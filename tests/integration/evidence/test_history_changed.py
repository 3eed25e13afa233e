"""What changed behind the window: balances tell it, however a bank stamps its rows and Mono cuts its days."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.run import RunKind
from mono_pipeline.core.verdict import VERIFIED, VerdictReason, unverifiable

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("dates_cut", ["utc", "lagos"])
@pytest.mark.parametrize("stamp", ["instant", "midnight"])
@pytest.mark.parametrize("change", ["a late row", "an amended one", "a removed one"])
def test_a_change_behind_the_window_is_told(pipeline: Pipeline, dates_cut: str, stamp: str, change: str) -> None:
    """The day before the covered ones is read again too, and its new balances agree with theirs: look behind it."""
    pipeline.sandbox.set_switches(dates_cut=dates_cut)
    account = pipeline.link(transactions=300, days=60, stamp=stamp)
    assert pipeline.sync(account).verdict == VERIFIED
    old = _row(pipeline, account, days_ago=30)
    match change:
        case "a late row":
            pipeline.sandbox.late(account, days_ago=20)
        case "an amended one":
            pipeline.sandbox.amend(account, transaction=old["id"], changes={"amount": old["amount"] + 500})
        case _:
            pipeline.sandbox.remove(account, transactions=[old["id"]])

    assert pipeline.sync(account).verdict == unverifiable(VerdictReason.HISTORY_CHANGED)
    deep = pipeline.rows("SELECT deep_read_due_at <= pipeline_now() AS due FROM bank_accounts")
    assert deep == [{"due": True}]


@pytest.mark.parametrize("stamp", ["instant", "midnight"])
def test_an_untouched_history_is_never_called_changed(pipeline: Pipeline, stamp: str) -> None:
    """Whatever is read again, and whichever days are asked for."""
    account = pipeline.link(transactions=300, days=60, stamp=stamp)
    pipeline.sync(account)
    pipeline.sandbox.add(account)

    assert pipeline.sync(account).verdict == VERIFIED
    assert pipeline.sync(account, kind=RunKind.FULL).verdict == VERIFIED


def _row(pipeline: Pipeline, account: str, *, days_ago: int) -> dict[str, Any]:
    """The bank's row nearest to a day."""
    about = datetime.now(UTC) - timedelta(days=days_ago)
    rows: list[dict[str, Any]] = pipeline.sandbox.truth(account)["bank"]
    return min(rows, key=lambda row: abs(datetime.fromisoformat(row["date"]) - about))
