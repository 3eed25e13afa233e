"""Responses that Mono's sandbox really gave, kept beside the repository."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pytest

from mono_pipeline.core.booking import booking_date
from mono_pipeline.core.wire import parse_account, parse_transactions
from tests.unit.wire.wire_pages import ACCOUNT, landed

CAPTURED = Path(__file__).parents[3].parent / "shared" / "mono" / "captured"

pytestmark = pytest.mark.skipif(not CAPTURED.is_dir(), reason="the captured responses are not beside this checkout")


def test_every_captured_row_lands_exactly() -> None:
    """20 rows of 278, unsorted, in kobo, categories null, instants to the millisecond."""
    body = (CAPTURED / "transactions_page1.json").read_bytes()
    page = parse_transactions(body, account_id=ACCOUNT, page=1, today=date(2025, 6, 30))
    assert (page.seen, page.row_count, page.rejected) == (20, 20, ())
    assert (page.total, page.has_next, page.not_ready) == (278, True, False)
    assert landed(page) == [{**fields, "extra": None} for fields in json.loads(body)["data"]]


def test_captured_instants_have_their_lagos_days() -> None:
    """The row of 23:22 UTC on the 29th of June is the next day's, if there is one; none is a day off."""
    body = (CAPTURED / "transactions_page1.json").read_bytes()
    instants = [datetime.fromisoformat(fields["date"]) for fields in json.loads(body)["data"]]
    assert all((booking_date(at) - at.date()).days == (1 if at.hour == 23 else 0) for at in instants)


def test_the_captured_account_is_read() -> None:
    """Before `retrieved_data` and `ref` existed."""
    found = parse_account((CAPTURED / "account.json").read_bytes(), ACCOUNT)
    assert (found.currency, found.balance_minor, found.data_status) == ("NGN", 10_000_000, "AVAILABLE")
    assert (found.bank_code, found.retrieved_data, found.ref) == ("068", (), None)
    assert found.transactions_ready
