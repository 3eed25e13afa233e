"""The main job through the front door: HTTP, queues, schedule and webhook of the built artifacts."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.sandbox.effects import Hang
from local.sandbox.faults import Fault
from mono_pipeline.adapters.postgres import Database, DatabaseAddress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_lambda import LambdaClient

    from local.sandbox.client import SandboxClient
    from local.stack import EmbeddedStack

SYNC = "/api/v1/banking/transactions/sync"
WEBHOOK = "/api/v1/webhooks/mono/integrations/mono/webhook"
FLUSH_PAGES, PAGES_IN_FLIGHT = 10, 4
_VERSIONS = """
SELECT array_agg(DISTINCT t.version) AS versions,
       (SELECT count(*) FROM bank_transaction_versions v WHERE v.account_id = a.id)::int AS superseded
FROM bank_transactions t JOIN bank_accounts a ON a.id = t.account_id WHERE a.mono_account_id = :id GROUP BY a.id"""
SLOW_PAGE = Fault(effect=Hang(seconds=4), path="*/transactions", times=None)


@pytest.fixture
def database(stack: EmbeddedStack) -> Iterator[Database]:
    """A look into the stack's database."""
    url = httpx.URL(stack.record["database_url"])
    opened = Database(DatabaseAddress(host=url.host, port=url.port or 0, database=url.path[1:], user=url.username))
    yield opened
    opened.close()


@pytest.fixture
def imported(functions: LambdaClient, new_account: Callable[..., str]) -> Callable[..., str]:
    """Opens an account at the bank and imports it through the ops function."""

    def make(**options: Any) -> str:
        account = new_account(**options)
        payload = httpx.Response(200, json={"action": "accounts.import", "account_ids": [account]}).content
        answer = functions.invoke(FunctionName="mono-pipeline-local-ops", Payload=payload)
        assert httpx.Response(200, content=answer["Payload"].read()).json()["imported"] == [account]
        return account

    return make


@pytest.fixture
def on(flag: Callable[[str], None], http: httpx.Client, imported: Callable[..., str]) -> Callable[..., str]:
    """Turns the flag on for everyone, waits until the API and a worker have noticed, and makes accounts."""
    flag("true")
    probe = imported(transactions=1)
    # the first history goes through the queue, and a worker that still reads "off" lays it aside
    until(lambda: http.post(SYNC, json={"account_id": probe}).json()["status"] == "completed", seconds=40)
    return imported


def until(holds: Callable[[], Any], *, seconds: float = 30.0) -> Any:
    """Ask until the answer is true; fail when it never is."""
    give_up = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.05)
    return answer


def ended(http: httpx.Client, run_id: str) -> dict[str, Any]:
    """The run once it has ended."""

    def asked() -> dict[str, Any] | None:
        answer = http.get(f"{SYNC}/{run_id}").json()
        return answer if answer["status"] not in {"accepted", "running"} else None

    return dict(until(asked))


def first_sync(http: httpx.Client, account: str) -> dict[str, Any]:
    """A first history, through the backfill queue, to its end."""
    answer = http.post(SYNC, json={"account_id": account})
    assert answer.status_code == 202
    return ended(http, answer.json()["run"]["run_id"])


def stored(database: Database, account: str) -> set[tuple[str, int]]:
    """(transaction id, minor units) of every live row."""
    rows = database.rows(
        """SELECT t.mono_transaction_id, t.amount_minor FROM bank_transactions t
           JOIN bank_accounts a ON a.id = t.account_id WHERE a.mono_account_id = :id AND disappeared_at IS NULL""",
        id=account,
    )
    return {(row["mono_transaction_id"], row["amount_minor"]) for row in rows}


def at_the_bank(sandbox: SandboxClient, account: str) -> set[tuple[str, int]]:
    """The same of the bank's truth."""
    return {(row["id"], row["amount"]) for row in sandbox.truth(account)["bank"]}


def test_health_says_the_version_and_nothing_else(http: httpx.Client) -> None:
    """It is open, so it tells nothing."""
    assert list(http.get("/health").json()) == ["version"]


def test_a_first_history_goes_through_the_queue_and_ends_verified(
    on: Callable[..., str], http: httpx.Client, sandbox: SandboxClient, database: Database
) -> None:
    """202 with a run that can be followed; then every row is what the bank has."""
    account = on(transactions=350)

    run = first_sync(http, account)

    assert (run["status"], run["run"]["verdict"]["kind"]) == ("completed", "verified")
    assert run["run"]["counts"]["inserted"] == 350
    assert stored(database, account) == at_the_bank(sandbox, account)


def test_a_later_sync_is_answered_at_once_and_lands_what_is_new(
    on: Callable[..., str], http: httpx.Client, sandbox: SandboxClient, database: Database
) -> None:
    """200 with the result in the answer itself."""
    account = on(transactions=40)
    first_sync(http, account)
    sandbox.add(account, count=2)

    answer = http.post(SYNC, json={"account_id": account})

    assert answer.status_code == 200
    assert answer.json()["run"]["counts"]["inserted"] == 2
    assert stored(database, account) == at_the_bank(sandbox, account)


def test_bad_calls_are_told_what_is_wrong(on: Callable[..., str], http: httpx.Client) -> None:
    """422 names the field, 404 the account or run; nothing reaches Mono or SQL."""
    on(transactions=1)

    assert http.post(SYNC, content="{").status_code == 422
    assert http.post(SYNC, json={"account_id": "'; DROP TABLE x"}).json()["field"] == "account_id"
    assert http.post(SYNC, json={"account_id": "0" * 24, "start": "tomorrow"}).json()["field"] == "start"
    assert http.post(SYNC, json={"account_id": "0" * 24, "limit": 3}).json()["field"] == "limit"
    assert http.post(SYNC, json={"account_id": "0" * 24}).status_code == 404
    assert http.get(f"{SYNC}/00000000-0000-0000-0000-000000000000").status_code == 404
    assert http.get(f"{SYNC}/none").status_code == 422


def test_of_two_callers_at_once_one_works_and_the_other_is_told_which_run(
    on: Callable[..., str], http: httpx.Client, sandbox: SandboxClient, database: Database
) -> None:
    """409 `already_running` names the run that holds the account."""
    account = on(transactions=10)
    first_sync(http, account)
    sandbox.inject(SLOW_PAGE.model_copy(update={"account": account}))

    with ThreadPoolExecutor() as callers:
        first = callers.submit(http.post, SYNC, json={"account_id": account})
        leased = "SELECT 1 FROM bank_accounts WHERE mono_account_id = :id AND lease_run_id IS NOT NULL"
        until(lambda: database.rows(leased, id=account))
        second = http.post(SYNC, json={"account_id": account})
        worked = first.result()

    assert (worked.status_code, second.status_code) == (200, 409)
    assert second.json()["status"] == "already_running"
    assert second.json()["run_id"] == worked.json()["run"]["run_id"]


def test_a_webhook_with_the_secret_wakes_the_account_and_one_without_does_not(
    on: Callable[..., str], http: httpx.Client, stack: EmbeddedStack, sandbox: SandboxClient, database: Database
) -> None:
    """The body's rows are never used: what lands comes from our own fetch."""
    account = on(transactions=20)
    first_sync(http, account)
    sandbox.add(account)
    event = {"event": "mono.events.account_updated", "data": {"account": {"_id": account}}}

    refused = http.post(WEBHOOK, json=event, headers={"mono-webhook-secret": "x" * 40})
    accepted = http.post(WEBHOOK, json=event, headers={"Mono-Webhook-Secret": stack.record["mono_webhook_secret"]})

    assert (refused.status_code, accepted.status_code) == (401, 200)
    until(lambda: stored(database, account) == at_the_bank(sandbox, account))


def test_a_tick_syncs_what_is_due(
    on: Callable[..., str], http: httpx.Client, sandbox: SandboxClient, database: Database
) -> None:
    """An imported account is due at once; nobody has to ask for it."""
    account = on(transactions=30)

    def ticked() -> bool:
        http.post("/_stack/tick")
        return stored(database, account) == at_the_bank(sandbox, account)

    until(ticked)


def test_a_worker_killed_in_the_middle_costs_at_most_a_flush(
    on: Callable[..., str], http: httpx.Client, sandbox: SandboxClient, database: Database
) -> None:
    """SIGKILL of the real worker: the next one goes on, nothing is lost or doubled, at most one flush is read again."""
    account = on(transactions=4_000)
    sandbox.clear_requests()
    sandbox.inject(Fault(effect=Hang(seconds=0.1), path="*/transactions", account=account, times=None))
    run_id = http.post(SYNC, json={"account_id": account}).json()["run"]["run_id"]
    until(lambda: http.get(f"{SYNC}/{run_id}").json()["run"]["counts"]["seen"] >= 1_000)

    for environment in http.get("/_stack/status").json()["functions"]["BackfillWorker"]:
        for pid in environment["function"]:
            os.kill(pid, signal.SIGKILL)
    killed = http.get(f"{SYNC}/{run_id}").json()
    flushed = killed["run"]["counts"]["seen"] // 100
    before = pages_asked_for(sandbox, account)
    sandbox.clear_requests()
    until(lambda: http.post(SYNC, json={"account_id": account}).status_code != 409, seconds=30)

    run = ended(http, run_id)
    # the call that found the account free may have asked for a reading of its own, which begins when this one has ended
    after = list(takewhile(lambda page: page != 1, pages_asked_for(sandbox, account)))
    assert killed["status"] == "running"
    assert 10 <= flushed < 40
    assert (run["status"], run["run"]["verdict"]["kind"]) == ("completed", "verified")
    assert stored(database, account) == at_the_bank(sandbox, account)
    assert run["run"]["counts"] == {"seen": 4_000, "inserted": 4_000, "updated": 0, "unchanged": 0, "quarantined": 0}
    assert database.rows(_VERSIONS, id=account) == [{"versions": [1], "superseded": 0}]
    assert min(after) > flushed
    assert set(before) | set(after) == set(range(1, 41))
    assert 0 < len(set(before) & set(after)) <= FLUSH_PAGES + PAGES_IN_FLIGHT  # it died with pages in its hands
    assert len(after) == len(set(after))


def pages_asked_for(sandbox: SandboxClient, account: str) -> list[int]:
    """The numbers of an account's pages that Mono was asked for, in order."""
    path = f"/accounts/{account}/transactions"
    return [int(asked["query"]["page"]) for asked in sandbox.requests() if asked["path"].endswith(path)]


def test_the_artifact_carries_the_migrations(functions: LambdaClient) -> None:
    """The ops function finds the database at the newest schema, with the files in its own zip."""
    answer = functions.invoke(FunctionName="mono-pipeline-local-ops", Payload=b'{"action": "migrate"}')

    assert answer["Payload"].read() == b'{"applied": []}'
