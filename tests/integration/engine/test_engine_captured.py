"""A page that Mono's own sandbox sent in 2025 lands exactly, and is not taken for the whole history."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.sandbox import Sandbox
from mono_pipeline.core.run import RunStatus
from mono_pipeline.core.verdict import VerdictReason, unverifiable

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

CAPTURED = Path(__file__).parents[4] / "shared" / "mono" / "captured"
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not CAPTURED.is_dir(), reason="the captured responses are not on this machine"),
]


def test_the_captured_page_lands_exactly_and_is_reported_incomplete(new_pipeline: Callable[..., Pipeline]) -> None:
    """Twenty rows of 278: amounts in kobo, instants, Lagos booking days and null categories; no watermark."""
    captured = json.loads((CAPTURED / "transactions_page1.json").read_bytes())
    account = str(json.loads((CAPTURED / "account.json").read_bytes())["data"]["account"]["id"])
    pipeline = new_pipeline(sandbox=Sandbox(seed="captured", replay=CAPTURED))
    pipeline.import_account(account)

    end = pipeline.sync(account)

    stored = pipeline.rows("SELECT * FROM bank_transactions ORDER BY mono_transaction_id")
    assert [_facts(row) for row in stored] == sorted(_expected(row) for row in captured["data"])
    assert len(stored) == 20
    assert all(row["category"] is None for row in stored)
    assert (end.status, end.verdict) == (RunStatus.INCOMPLETE, unverifiable(VerdictReason.TOTAL_DIFFERS))
    run = pipeline.run_row(end)
    assert (run["rows_seen"], run["rows_inserted"], run["rows_quarantined"], run["mono_total"]) == (20, 20, 0, 278)
    assert pipeline.watermark(account) is None
    assert pipeline.account_row(account)["last_success_at"] is None


def _facts(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["mono_transaction_id"],
        row["amount_minor"],
        row["direction"],
        row["currency"],
        row["narration"],
        row["balance_after_minor"],
        row["occurred_at"],
        row["booking_date"],
    )


def _expected(row: dict[str, Any]) -> tuple[Any, ...]:
    """By other means than the engine's: Nigeria is one hour ahead of UTC, all year."""
    instant = datetime.strptime(row["date"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    day = (instant + timedelta(hours=1)).date()
    return (
        row["id"],
        row["amount"],
        row["type"],
        row["currency"],
        row["narration"],
        row["balance"],
        instant,
        day,
    )
