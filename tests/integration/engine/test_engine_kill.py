"""A worker killed with SIGKILL in the middle of a run: the next run finishes, nothing is lost or doubled."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from local.sandbox.effects.deliveries import Hang
from local.sandbox.faults import Fault
from local.sandbox.server import SandboxServer
from mono_pipeline.core.run import RunStatus
from mono_pipeline.core.verdict import VERIFIED
from mono_pipeline.usecases.account_sync import AccountSync

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.postgres import DatabaseAddress
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
FLUSH_ROWS = 40
# The killed worker: the engine over real sockets, told by its command line where everything is.
WORKER = """
import sys
from mono_pipeline.adapters.postgres import DatabaseAddress
from tests.harness import Pipeline
from local.sandbox.sandbox import Sandbox
import httpx
port, database, url, account = sys.argv[1:]
address = DatabaseAddress(host="127.0.0.1", port=int(port), database=database, user="postgres")
pipeline = Pipeline(address, Sandbox(), mono_base_url=url, flush_rows=40, pages_in_flight=1)
worker = pipeline.new_worker(httpx.HTTPTransport())
print("working", flush=True)
pipeline.wake(account, worker=worker)
"""


def test_a_killed_workers_run_is_finished_by_the_next(
    new_pipeline: Callable[..., Pipeline], address: DatabaseAddress
) -> None:
    """Pages 1 to 4 were flushed and are not asked for again; page 5 was read for nothing; page 6 never came."""
    with SandboxServer(accounts=1, transactions=200) as mono:
        pipeline = new_pipeline(mono_base_url=mono.url, flush_rows=FLUSH_ROWS, pages_in_flight=1)
        pipeline.worker = pipeline.new_worker(httpx.HTTPTransport())
        (listed,) = mono.control.accounts()
        account = listed["id"]
        pipeline.import_account(account)
        mono.control.inject(Fault(effect=Hang(seconds=15), path="*/transactions", page=6, times=1))
        _kill_once_page_6_is_asked_for(mono, address, account)
        killed = pipeline.runs(account)
        assert [(run["status"], run["rows_inserted"]) for run in killed] == [("running", 80)]
        mono.control.clear_requests()
        mono.control.clear_faults()
        pipeline.let_pass(seconds=91)

        leased = pipeline.worker.runs.claim(pipeline.account_row(account)["id"], flag_reason="DEFAULT")
        assert leased is not None
        end = AccountSync(pipeline.worker).run(leased, pipeline.soon())

        assert (end.run.run_id, end.status, end.verdict) == (killed[0]["run_id"], RunStatus.COMPLETED, VERIFIED)
        truth = {row["id"]: row["amount"] for row in mono.control.truth(account)["bank"]}
        assert {key: row[0] for key, row in pipeline.stored(account).items()} == truth
        assert pipeline.run_row(end)["rows_inserted"] == 200
        asked = [query["query"]["page"] for query in mono.control.requests() if "page" in query["query"]]
        assert asked == [str(page) for page in range(5, 11)]


def _kill_once_page_6_is_asked_for(mono: SandboxServer, address: DatabaseAddress, account: str) -> None:
    path = f"{ROOT}:{ROOT / 'layers' / 'common'}"
    command = [sys.executable, "-c", WORKER, str(address.port), address.database, mono.url, account]
    child = subprocess.Popen(command, cwd=ROOT, env={"PYTHONPATH": path}, stdout=subprocess.PIPE)  # noqa: S603 - ours
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == b"working\n"
        while mono.control.list_faults()[0]["struck"] == 0:
            assert child.poll() is None
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
