"""Rows L03 and L21: the functions as they are shipped, with too little memory, and where there is no database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from local.aws import AwsStandIn, sqs_client, ssm_client
from local.sandbox.server import SandboxServer
from local.sandbox.world import DEFAULT_KEY
from tests.faults.artifact import Artifact
from tests.faults.invocation import record, wake_up
from tests.invariants import broken
from tests.webhook_door import ACCOUNT, BODY, SECRET, WITH_SECRET, rest_event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mono_pipeline.adapters.postgres import DatabaseAddress
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

FLUSH: Final = 40
# what the process has when it begins to work, and so much more
LIMIT: Final = """
import resource
has = 1024 * int(next(line for line in open("/proc/self/status") if line.startswith("VmSize")).split()[1])
resource.setrlimit(resource.RLIMIT_AS, (has + {bytes}, has + {bytes}))
"""
# what it has when the second flush has written its rows, and not one byte more
NONE_LEFT: Final = """
import resource
from mono_pipeline.adapters import postgres
execute, flushes = postgres.Database._execute, []
def starved(self, statement, parameters):
    told = execute(self, statement, parameters)
    if "INSERT INTO bank_transactions" in statement:
        flushes.append(statement)
        if len(flushes) == 2:
            resource.setrlimit(resource.RLIMIT_AS, (1, 1))
            bytearray(1 << 26)
    return told
postgres.Database._execute = starved
"""
MEGABYTE: Final = 1024 * 1024
# whoever imports one of these has none of them
NOTHING_OF_THE_DATABASE: Final = """
import importlib.abc
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in {"pg8000", "httpx", "pydantic", "pydantic_core", "sqlalchemy", "alembic"}:
            raise ImportError(name + " cannot be loaded")
sys.meta_path.insert(0, Absent())
"""


def test_L03_out_of_memory(
    new_pipeline: Callable[..., Pipeline],
    address: DatabaseAddress,
    sqs_server: AwsStandIn,
    tmp_path: Path,
    seen: Callable[[str], None],
) -> None:
    """Whatever the process does not get when it wants it: its message comes back, and nothing is half written."""
    with SandboxServer(accounts=1, transactions=400) as mono:
        pipeline = new_pipeline(mono_base_url=mono.url)
        pipeline.worker = pipeline.new_worker(httpx.HTTPTransport())
        (listed,) = mono.control.accounts()
        pipeline.import_account(listed["id"])
        worker = Artifact(
            "SyncWorker",
            tmp_path,
            endpoint=sqs_server.url,
            address=address,
            mono_base_url=mono.url,
            FLUSH_ROWS=str(FLUSH),
            MONO_PAGE_LIMIT="20",
            MONO_SECRET_KEY=DEFAULT_KEY,
        )
        worker.create_resources(sqs_server.url)
        flag_on(sqs_server)
        event = {"Records": [record(wake_up(listed["id"]), sent_at=pipeline.now())]}
        outcomes = []
        for limit in (
            LIMIT.format(bytes=4 * MEGABYTE),
            NONE_LEFT,
            *(LIMIT.format(bytes=b * MEGABYTE) for b in (24, 48)),
        ):
            ended = worker.invoke(event, between=limit)
            outcomes.append(ended.failed(["m-1"]))
            assert broken(pipeline.worker.database) == []
            stored = len(pipeline.stored(listed["id"]))
            assert stored in {*range(0, 400, FLUSH), 400}
            (counted,) = pipeline.rows("SELECT coalesce(sum(rows_inserted), 0)::int AS rows FROM sync_runs")
            assert counted["rows"] == stored
            if limit is NONE_LEFT:
                assert (outcomes[-1], stored) == (True, FLUSH), ended.complained
            pipeline.let_pass(seconds=91)
        whole = worker.invoke(event)

        assert outcomes[0], "it was not killed"
        assert not whole.failed(["m-1"]), whole.complained
        truth = {row["id"]: row["amount"] for row in mono.control.truth(listed["id"])["bank"]}
        assert {key: row[0] for key, row in pipeline.stored(listed["id"]).items()} == truth
    seen(f"{sum(outcomes)} of 4 died, their message comes back; then 400 rows")


def flag_on(stand_in: AwsStandIn) -> None:
    """For everyone."""
    ssm_client(stand_in.url).put_parameter(
        Name="/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED", Value="true", Type="String", Overwrite=True
    )


def test_L21_a_webhook_needs_no_database(sqs_server: AwsStandIn, tmp_path: Path, seen: Callable[[str], None]) -> None:
    """A cold start where the database's, Mono's and the models' libraries cannot be loaded: 200, and it is in SQS."""
    webhook = Artifact("Webhook", tmp_path, endpoint=sqs_server.url, MONO_WEBHOOK_SECRET=SECRET)
    webhook.create_resources(sqs_server.url)
    sqs, daily = sqs_client(sqs_server.url), webhook.queue_url("-daily")
    sqs.purge_queue(QueueUrl=daily)

    ended = webhook.invoke(rest_event(BODY, WITH_SECRET), before=NOTHING_OF_THE_DATABASE)

    assert ended.answer is not None, ended.complained
    assert ended.answer["statusCode"] == 200
    (held,) = sqs.receive_message(QueueUrl=daily)["Messages"]
    assert ACCOUNT in held["Body"]
    seen("cold, without database and its libraries: 200, and in the queue")


@pytest.mark.parametrize("logical_id", ["SyncWorker", "SyncSchedule"])
def test_L21_a_cold_start_without_a_database_fails_and_says_so(
    sqs_server: AwsStandIn, tmp_path: Path, seen: Callable[[str], None], logical_id: str
) -> None:
    """The message comes back, and the tick is a failure that Lambda sends on: neither passes for work that was done."""
    function = Artifact(logical_id, tmp_path, endpoint=sqs_server.url, MONO_SECRET_KEY="test_sk_x")
    function.create_resources(sqs_server.url)
    flag_on(sqs_server)
    event: dict[str, Any] = {"Records": [record(wake_up(ACCOUNT))]} if logical_id == "SyncWorker" else {}

    ended = function.invoke(event)

    assert ended.failed(["m-1"])
    assert "DatabaseUnavailable" in ended.complained + "".join(ended.lines)
    seen(f"{logical_id}: fails, its work comes again")
