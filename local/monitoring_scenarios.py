"""What is done to the bank, and to the pipeline through its API, so that metrics come of it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import boto3
import httpx

from local.aws import CREDENTIALS, ssm_client
from local.sam import REGION
from local.sandbox.client import SandboxClient
from local.sandbox.effects import Hang, Status
from local.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNTS: Final = 6
SLOW_SECONDS: Final = 2.6  # a page of the slow bank; the SLA is 2 s
_FLAG: Final = "/mono-pipeline/local/MONO_TRANSACTIONS_ENABLED"
_SYNC: Final = "/api/v1/banking/transactions/sync"
_ENDED: Final = frozenset({"completed", "incomplete", "failed", "stopped"})
_PATIENCE: Final = 60.0


class Unexpected(Exception):
    """The pipeline answered otherwise than the scenario needs."""


class Scenes:
    """The sandbox's bank and the pipeline of one embedded stack."""

    def __init__(self, record: Mapping[str, Any]) -> None:
        self._api = httpx.Client(base_url=record["http"], timeout=60, trust_env=False)
        self._bank = SandboxClient(record["sandbox"])
        self._ops = boto3.client(
            "lambda",
            endpoint_url=record["lambda_endpoint_url"],
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        ssm_client(record["aws_endpoint_url"]).put_parameter(
            Name=_FLAG, Value="true", Type="String", Description="monitoring", Overwrite=True
        )
        self.accounts: list[str] = []

    def close(self) -> None:
        """Close the connections."""
        self._api.close()
        self._bank.close()

    def healthy(self, *, rounds: int = 2) -> None:
        """Accounts are linked, read whole, and synced a few times more."""
        if not self.accounts:
            self.accounts = self._linked([60] * ACCOUNTS)
            self._all("completed")
        for _ in range(rounds):
            self._all("completed")

    def failures(self) -> None:
        """Mono refuses what is asked, for every account; at 500s all work would pause after a few (`outage`)."""
        self._bank.inject(Fault(effect=Status(status=422), path="*/transactions", times=None))
        self._all("failed")
        self._bank.clear_faults()

    def slow(self) -> None:
        """Mono answers, but takes longer than the SLA allows."""
        self._bank.inject(Fault(effect=Hang(seconds=SLOW_SECONDS), path="*/transactions", times=None))
        self._all("completed")
        self._bank.clear_faults()

    def empty(self) -> None:
        """An account of which the bank has no transaction."""
        for account in self._linked([0]):
            self._sync(account, "completed")

    def outage(self) -> None:
        """Mono answers 500 to everything, until the circuit opens; it stays so."""
        self._bank.inject(Fault(effect=Status(status=500), times=None))
        give_up = time.monotonic() + _PATIENCE
        answered: set[str] = set()
        while "paused" not in answered:
            if time.monotonic() > give_up:
                raise Unexpected(f"nobody was told that all work is paused: {answered}")
            with ThreadPoolExecutor(ACCOUNTS) as pool:
                answered |= set(pool.map(self._status, self.accounts))

    def _status(self, account: str) -> str:
        return str(self._api.post(_SYNC, json={"account_id": account}).json()["status"])

    def _linked(self, transactions: list[int]) -> list[str]:
        ids = [str(self._bank.create_account(transactions=count)["id"]) for count in transactions]
        payload = json.dumps({"action": "accounts.import", "account_ids": ids}).encode()
        answer = json.loads(self._ops.invoke(FunctionName="mono-pipeline-local-ops", Payload=payload)["Payload"].read())
        if sorted(answer.get("imported", ())) != sorted(ids):
            raise Unexpected(f"accounts.import: {answer}")
        return ids

    def _all(self, expected: str) -> None:
        with ThreadPoolExecutor(ACCOUNTS) as pool:
            list(pool.map(lambda account: self._sync(account, expected), self.accounts))

    def _sync(self, account: str, expected: str) -> None:
        give_up = time.monotonic() + _PATIENCE
        answer = self._api.post(_SYNC, json={"account_id": account}).json()
        while answer["status"] not in _ENDED:
            if time.monotonic() > give_up:
                raise Unexpected(f"a sync did not end: {answer}")
            time.sleep(0.2)
            run_id = answer.get("run", {}).get("run_id")
            answer = (
                self._api.get(f"{_SYNC}/{run_id}").json()
                if run_id
                else self._api.post(_SYNC, json={"account_id": account}).json()  # the flag's cache is up to 15 s old
            )
        if answer["status"] != expected:
            raise Unexpected(f"a sync ended {answer['status']}, not {expected}: {answer}")
