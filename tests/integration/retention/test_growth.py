"""The table of docs/data-map.md on how fast the database grows: its bytes are measured, its sums are sums."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from local.template import ROOT
from mono_pipeline.core.run import RunKind
from tests.webhook_life import hear, told

if TYPE_CHECKING:
    from tests.harness import Pipeline

PAGE: Final = (ROOT / "docs" / "data-map.md").read_text().partition("## How fast it grows")[2]
ROW: Final = re.compile(
    r"^\| `(?P<table>\w+)` \| (?P<size>[\d,]+) \|\s*(?P<daily>[\d,]*)\s*\| (?P<kept>[^|]+) "
    r"\| (?P<millions>[\d.]+) million[^|]* \| (?P<gigabytes>[\d.]+) \|$",
    re.MULTILINE,
)
TABLES: Final = {found["table"]: found for found in ROW.finditer(PAGE)}
ACCOUNTS: Final = 100_000
DAYS_OF_TWO_YEARS: Final = 730


def number(text: str) -> float:
    """As it is written on the page."""
    return float(text.replace(",", ""))


def test_rows_and_gigabytes_are_what_the_columns_before_them_make() -> None:
    """Rows a day for as long as they are kept, times bytes; to the figures that are shown."""
    assert len(TABLES) == 6
    for name, row in TABLES.items():
        rows = number(row["millions"]) * 1_000_000
        if row["daily"]:
            days = DAYS_OF_TWO_YEARS if row["kept"] == "for good" else number(row["kept"])
            assert number(row["daily"]) * days == pytest.approx(rows, rel=0.03), name
        assert rows * number(row["size"]) / 1e9 == pytest.approx(number(row["gigabytes"]), rel=0.07), name


def test_rows_a_day_are_those_of_the_accounts_that_the_page_assumes() -> None:
    """Readings, webhooks and transactions of 100,000 accounts."""
    said = re.search(
        r"each read ([\d.]+) times a day, with (\w+) webhooks a day and (\d+) transactions a month, "
        r"of which one in a hundred",
        " ".join(PAGE.split()),
    )
    assert said
    reads, webhooks, transactions = float(said[1]), {"two": 2}[said[2]], int(said[3])
    daily = {name: number(row["daily"]) for name, row in TABLES.items() if row["daily"]}
    assert daily == pytest.approx(
        {
            "bank_transactions": ACCOUNTS * transactions / 30.4,
            "bank_transaction_versions": ACCOUNTS * transactions / 30.4 / 100,
            "sync_runs": ACCOUNTS * reads,
            "coverage_ledger": ACCOUNTS * reads,
            "webhook_inbox": ACCOUNTS * webhooks,
        },
        rel=0.01,
    )


@pytest.mark.integration
def test_a_row_takes_what_the_page_says(pipeline: Pipeline) -> None:
    """With every index, in a database with some thousands of rows; within three tenths."""
    accounts = [pipeline.link(transactions=400) for _ in range(12)]
    for account in accounts:
        pipeline.sync(account, kind=RunKind.FULL)
        for _ in range(20):
            pipeline.sync(account)
        pipeline.sandbox.fire_webhook(event="account_updated", account=account)
    for body in told(pipeline):
        hear(pipeline, body, read=False)
    # many of what would take long to happen: every row superseded once, each event 200 times
    pipeline.rows(
        """INSERT INTO bank_transaction_versions
             (account_id, mono_transaction_id, version, amount_minor, direction, currency, narration, category,
              balance_after_minor, occurred_at, booking_date, occurred_text, extra, disappeared_at, changed_at, run_id,
              superseded_at, superseded_by)
           SELECT account_id, mono_transaction_id, version, amount_minor, direction, currency, narration, category,
                  balance_after_minor, occurred_at, booking_date, occurred_text, extra, disappeared_at, changed_at,
                  run_id, pipeline_now(), run_id
             FROM bank_transactions"""
    )
    pipeline.rows(
        """INSERT INTO webhook_inbox
             (event_key, kind, name, mono_account_id, account_id, happened_at, received_at, sync_status, data_status,
              retrieved_data, has_new_data, job_id, job_status, mark, effect, run_id, correlation_id)
           SELECT event_key || '-' || number, kind, name, mono_account_id, account_id, happened_at, received_at,
                  sync_status, data_status, retrieved_data, has_new_data, job_id, job_status, mark, effect, run_id,
                  correlation_id
             FROM webhook_inbox, generate_series(1, 200) AS number WHERE event_key LIKE 'event:%'"""
    )

    measured = {
        row["name"]: row["size"] / row["rows"]
        for name in TABLES
        for row in pipeline.rows(
            f"SELECT '{name}' AS name, pg_total_relation_size('{name}')::bigint AS size, "  # noqa: S608 - of the page
            f"(SELECT count(*) FROM {name}) AS rows"
        )
    }

    assert measured == pytest.approx({name: number(row["size"]) for name, row in TABLES.items()}, rel=0.3)
