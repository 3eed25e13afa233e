"""One id from the call to the queue, the run, its lines, its metrics and its row: of the built artifacts."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx
import pytest

from mono_pipeline.adapters.postgres import Database, DatabaseAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.stack import EmbeddedStack

SYNC = "/api/v1/banking/transactions/sync"
PREFIX = "taxpoynt_mono_pipeline_"


@pytest.fixture
def database(stack: EmbeddedStack) -> Iterator[Database]:
    """A look into the stack's database."""
    url = httpx.URL(stack.record["database_url"])
    opened = Database(DatabaseAddress(host=url.host, port=url.port or 0, database=url.path[1:], user=url.username))
    yield opened
    opened.close()


@pytest.fixture
def unread(http: httpx.Client, database: Database, new_account: Callable[..., str], flag: Callable[[str], None]) -> str:
    """An account that is known and was never read, and that no tick asks for; the flag is on, and that is noticed."""
    flag("true")
    probe, account = (known(database, new_account(transactions=5)) for _ in range(2))
    give_up = time.monotonic() + 60
    # the first history goes through the queue, and a worker that still reads "off" lays it aside
    while http.post(SYNC, json={"account_id": probe}).json()["status"] != "completed":
        assert time.monotonic() < give_up, "the flag is not noticed"
        time.sleep(0.1)
    return account


def known(database: Database, account: str) -> str:
    """The account, in the table without a wake-up."""
    database.rows(
        """INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency, next_attempt_at)
           VALUES (:account, :account, 'NGN', now() + interval '1 day')""",
        account=account,
    )
    return account


def ended_row(database: Database, run_id: str) -> dict[str, Any]:
    """The run's row, once a worker has ended it."""
    give_up = time.monotonic() + 60
    while True:
        (row,) = database.rows("SELECT status, correlation_id FROM sync_runs WHERE run_id = :run_id", run_id=run_id)
        if row["status"] != "running":
            return row
        assert time.monotonic() < give_up, row
        time.sleep(0.1)


def lines_of(stack: EmbeddedStack, function: str, run_id: str) -> list[dict[str, Any]]:
    """What a function wrote of a run; the canonical line is the last but its metrics."""
    give_up = time.monotonic() + 30
    while True:
        text = (Path(stack.record["logs"]) / f"{function}.log").read_text()
        found = [json.loads(line) for line in text.splitlines() if line.startswith("{") and run_id in line]
        if any(f"{PREFIX}runs_total" in line for line in found):
            return found
        assert time.monotonic() < give_up, "the run's lines do not come"
        time.sleep(0.1)


def test_one_id_leads_from_the_call_through_the_queue_to_every_line_metric_and_row(
    stack: EmbeddedStack, http: httpx.Client, database: Database, unread: str
) -> None:
    """A first history is not done by the function that was asked: its id comes to the worker in the message."""
    mine = f"Release_09.00-{uuid4().hex[:8]}"

    told = http.post(SYNC, json={"account_id": unread}, headers={"X-Correlation-Id": mine}).json()
    run_id = told["run"]["run_id"]
    row = ended_row(database, run_id)
    lines = lines_of(stack, "BackfillWorker", run_id)

    assert (told["status"], told["correlation_id"]) == ("accepted", mine)
    assert (row["status"], row["correlation_id"]) == ("completed", mine)
    assert {line.get("correlation_id") for line in lines} == {mine}
    events = {line["message"] for line in lines if "message" in line}
    assert {"mono.fetch.started", "mono.fetch.completed", "mono.pipeline.completed"} <= events
    metrics = [line for line in lines if "_aws" in line]
    assert {"stage_seconds", "runs_total", "verdicts_total"} <= {
        name.removeprefix(PREFIX) for line in metrics for name in line if name.startswith(PREFIX)
    }
    sets = [names for line in metrics for each in line["_aws"]["CloudWatchMetrics"] for names in each["Dimensions"]]
    assert not any("correlation_id" in names for names in sets)


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, '{"_aws":{}}', "one,two", "id;x"])
def test_an_id_that_could_be_more_than_an_id_is_not_taken(http: httpx.Client, given: str) -> None:
    """The request's own stands in for it: API Gateway's, a UUID."""
    answer = http.post(SYNC, json={"account_id": "nobody"}, headers={"X-Correlation-Id": given}).json()
    assert answer["correlation_id"] == str(UUID(answer["correlation_id"])) != given
