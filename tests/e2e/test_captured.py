"""Mono's own captured responses through the front door: the built artifacts, against a sandbox that replays them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.stack import EmbeddedStack
from mono_pipeline.adapters.postgres import Database, DatabaseAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

CAPTURED = Path(__file__).parents[3] / "shared" / "mono" / "captured"
SYNC = "/api/v1/banking/transactions/sync"
MONOCTL = Path(sys.prefix) / "bin" / "monoctl"
pytestmark = pytest.mark.skipif(not CAPTURED.is_dir(), reason="the captured responses are not on this machine")


@pytest.fixture(scope="module")
def replaying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """A stack whose Mono is the captured folder, in a folder where monoctl finds it."""
    with EmbeddedStack(
        tmp_path_factory.mktemp("replaying") / ".local",
        postgres={"fsync": "off"},
        variables={"MONO_RATE_LIMIT_PER_MINUTE": "60000"},
        sandbox={"accounts": "0", "replay": str(CAPTURED)},
        tick_seconds=3600.0,
    ) as running:
        yield running


def test_the_captured_page_lands_exactly_and_is_reported_incomplete(replaying: EmbeddedStack) -> None:
    """20 of 278 rows: amounts, instants, Lagos days, null categories; no watermark, and the answer says incomplete."""
    captured = json.loads((CAPTURED / "transactions_page1.json").read_bytes())
    account = str(json.loads((CAPTURED / "account.json").read_bytes())["data"]["account"]["id"])
    url = httpx.URL(replaying.record["database_url"])
    database = Database(DatabaseAddress(host=url.host, port=url.port or 0, database=url.path[1:], user=url.username))
    assert monoctl(replaying, "accounts", "import")["imported"] == [account]
    monoctl(replaying, "flag", "set", "true", "--reason", "a test")
    with httpx.Client(base_url=replaying.record["http"], timeout=60, trust_env=False) as http:
        run = _synced(http, account)
    stored = database.rows("SELECT * FROM bank_transactions ORDER BY mono_transaction_id")
    assert all(row["category"] is None for row in stored)
    known = database.rows("SELECT mono_account_id, watermark, last_success_at FROM bank_accounts")
    database.close()

    assert [_facts(row) for row in stored] == sorted(_expected(row) for row in captured["data"])
    assert len(stored) == 20
    assert run["status"] == "incomplete"
    assert run["run"]["verdict"] == {"kind": "unverifiable", "reason": "total_differs", "first_bad_day": None}
    assert run["run"]["counts"] == {"seen": 20, "inserted": 20, "updated": 0, "unchanged": 0, "quarantined": 0}
    assert run["run"]["mono_total"] == 278
    assert known == [{"mono_account_id": account, "watermark": None, "last_success_at": None}]


def monoctl(stack: EmbeddedStack, *words: str) -> dict[str, Any]:
    """What the operator's command line tells machines, once it went well."""
    done = subprocess.run(  # noqa: S603 - our own program
        [MONOCTL, "--env", "local", "--json", *words],
        cwd=stack.settings.state_dir.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def _synced(http: httpx.Client, account: str) -> dict[str, Any]:
    """The run that a first sync asked for, once it has ended."""
    give_up = time.monotonic() + 60
    answer = http.post(SYNC, json={"account_id": account}).json()
    while answer["status"] in {"deferred", "accepted", "running", "already_running"}:
        assert time.monotonic() < give_up, answer
        time.sleep(0.1)
        run = answer.get("run", {}).get("run_id") or answer.get("run_id")
        answer = (http.get(f"{SYNC}/{run}") if run else http.post(SYNC, json={"account_id": account})).json()
    return dict(answer)


def _facts(row: dict[str, Any]) -> tuple[Any, ...]:
    columns = "mono_transaction_id amount_minor direction currency narration balance_after_minor category"
    return (*(row[name] for name in columns.split()), row["occurred_at"], row["booking_date"])


def _expected(row: dict[str, Any]) -> tuple[Any, ...]:
    """By other means than the engine's: Nigeria is one hour ahead of UTC, all year."""
    fields = (row[name] for name in ("id", "amount", "type", "currency", "narration", "balance", "category"))
    instant = datetime.strptime(row["date"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return (*fields, instant, (instant + timedelta(hours=1)).date())
