"""An embedded stack that is measured: wake-ups at once, seconds until all are served, and whose processor it took."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import boto3
import httpx
import psutil

from local.aws import CREDENTIALS, sqs_client, ssm_client
from local.sam import REGION
from local.sandbox.client import SandboxClient
from local.stack import EmbeddedStack
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.adapters.queue import FetchRequested

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FLAG: Final = "/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED"
_OPS: Final = "mono-pipeline-local-ops"
_DAILY: Final = "mono-pipeline-local-daily"
_PATIENCE: Final = 300.0


@dataclass(frozen=True, kw_only=True)
class Batch:
    """So many syncs at once: seconds until the last had ended, and processor seconds by whose they were."""

    syncs: int
    seconds: float
    functions: float
    database: float
    others: float

    @property
    def processor(self) -> float:
        """Processor seconds of one sync, all parts of the stack together."""
        return (self.functions + self.database + self.others) / self.syncs


class StackMeter:
    """The stack with its flag on and every account's first history read."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self._record = stack.record
        self._sqs = sqs_client(self._record["aws_endpoint_url"])
        url = httpx.URL(self._record["database_url"])
        self.database = Database(
            DatabaseAddress(host=url.host, port=url.port or 0, database=url.path[1:], user=url.username)
        )
        self.accounts: list[str] = []

    def begin(self) -> None:
        """Turn the flag on, import every account of the sandbox, and wait until each has been read whole."""
        flag = ssm_client(self._record["aws_endpoint_url"])
        flag.put_parameter(Name=_FLAG, Value="true", Type="String", Description="measured", Overwrite=True)
        self._import()
        self._send(self.accounts)
        self._wait(len(self.accounts))

    def first_histories(self, accounts: int, *, transactions: int) -> Batch:
        """Open more accounts at the bank, and have all of each read for the first time."""
        bank = SandboxClient(self._record["sandbox"])
        opened = [bank.create_account(transactions=transactions)["id"] for _ in range(accounts)]
        bank.close()
        self._import(opened)
        return self._measured(opened)

    def batch(self, syncs: int) -> Batch:
        """Wake `syncs` accounts at once (of those there are) and wait until all are served."""
        return self._measured(self.accounts[:syncs])

    def _measured(self, accounts: list[str]) -> Batch:
        ended, before = self._ended(), self._processors()
        began = time.monotonic()
        self._send(accounts)
        self._wait(ended + len(accounts))
        seconds = time.monotonic() - began
        after = self._processors()
        return Batch(syncs=len(accounts), seconds=seconds, **{name: after[name] - before[name] for name in after})

    def _import(self, accounts: list[str] | None = None) -> None:
        functions = boto3.client(
            "lambda",
            endpoint_url=self._record["lambda_endpoint_url"],
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        asked = {"action": "accounts.import", **({"account_ids": accounts} if accounts else {})}
        answer = functions.invoke(FunctionName=_OPS, Payload=json.dumps(asked))
        self.accounts += json.loads(answer["Payload"].read())["imported"]

    def row_bytes(self) -> float:
        """What a transaction occupies, with its indexes and the rest of its account's state."""
        row = self.database.rows(
            """SELECT pg_total_relation_size('bank_transactions') AS bytes, count(*) AS n FROM bank_transactions"""
        )[0]
        return float(row["bytes"]) / float(row["n"])

    def _send(self, accounts: list[str]) -> None:
        url = self._sqs.get_queue_url(QueueName=_DAILY)["QueueUrl"]
        asked = [
            FetchRequested(account_id=each, correlation_id=str(uuid4()), requested_by="measured") for each in accounts
        ]
        for some in batched(asked, 10, strict=False):
            entries = [{"Id": str(number), "MessageBody": each.body()} for number, each in enumerate(some)]
            refused = self._sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed", [])  # type: ignore[arg-type]
            if refused:
                raise RuntimeError(f"the queue did not take {len(refused)} wake-ups")

    def _ended(self) -> int:
        row = self.database.rows("SELECT count(*) AS n FROM sync_runs WHERE finished_at IS NOT NULL")[0]
        return int(row["n"])

    def _wait(self, ended: int) -> None:
        give_up = time.monotonic() + _PATIENCE
        while self._ended() < ended:
            if time.monotonic() > give_up:
                raise RuntimeError(f"{self._ended()} runs of {ended} have ended after {_PATIENCE:.0f} s")
            time.sleep(0.02)

    def _processors(self) -> dict[str, float]:
        """Processor seconds so far: the functions', the database's, everybody else's, ours among them."""
        pids = {name: told["pid"] for name, told in self._record["processes"].items()}
        spent = {name: _family(pid) for name, pid in pids.items()}
        database, others = spent["postgres"], spent["aws"] + spent["sandbox"]
        supervisor = psutil.Process(pids["supervisor"])
        own = sum(supervisor.cpu_times()[:2])
        watching = sum(psutil.Process().cpu_times()[:2])  # it shares the machine's processors with what it watches
        return {
            "database": database,
            "others": others + own + watching,
            "functions": _family(pids["supervisor"]) - database - others - own,
        }


def _family(pid: int) -> float:
    """Processor seconds of a process, its living descendants, and those that it has buried."""
    process = psutil.Process(pid)
    spent = sum(process.cpu_times()[:4])
    for descendant in process.children(recursive=True):
        try:
            spent += sum(descendant.cpu_times()[:4])
        except psutil.NoSuchProcess:  # its parent counts it now
            continue
    return spent


@contextmanager
def measured_stack(folder: Path, **settings: Any) -> Iterator[StackMeter]:
    """A stack of its own, ready to be measured; `settings` are those of `EmbeddedStack`."""
    with EmbeddedStack(folder, tick_seconds=3600.0, **settings) as stack:
        meter = StackMeter(stack)
        try:
            meter.begin()
            yield meter
        finally:
            meter.database.close()
