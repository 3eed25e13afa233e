"""The shipped function, warm: what one invocation tells holds nothing of the one before it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects import Status
from local.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from mypy_boto3_lambda import LambdaClient

    from local.sandbox.client import SandboxClient
    from local.stack import EmbeddedStack

SYNC = "/api/v1/banking/transactions/sync"
ROUNDS = 3
ENDED = {"completed", "failed"}


class ApiLog:
    """What the function SyncApi has written since."""

    def __init__(self, stack: EmbeddedStack) -> None:
        self._path = Path(stack.record["logs"]) / "SyncApi.log"
        self._start = self._path.stat().st_size

    def lines(self, invocations: int) -> list[dict[str, Any]]:
        """The JSON lines, once so many invocations have ended."""
        give_up = time.monotonic() + 30
        while (text := self._since()).count("\nEND RequestId") < invocations:
            assert time.monotonic() < give_up, "the log does not end"
            time.sleep(0.05)
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def _since(self) -> str:
        with self._path.open("rb") as stream:
            stream.seek(self._start)
            return stream.read().decode()


@pytest.fixture
def read_once(
    http: httpx.Client, functions: LambdaClient, new_account: Callable[..., str], flag: Callable[[str], None]
) -> Callable[[], str]:
    """Makes accounts that are imported and read whole, with the flag on for everyone."""
    flag("true")

    def make() -> str:
        account = new_account(transactions=5)
        payload = json.dumps({"action": "accounts.import", "account_ids": [account]})
        functions.invoke(FunctionName="mono-pipeline-local-ops", Payload=payload.encode())
        give_up = time.monotonic() + 120
        while http.post(SYNC, json={"account_id": account}).json()["status"] not in ENDED:
            assert time.monotonic() < give_up, "the first history does not end"
            time.sleep(0.5)
        return account

    return make


def dimensions(line: dict[str, Any]) -> set[str]:
    """Every dimension of a metric's line."""
    directives = line.get("_aws", {}).get("CloudWatchMetrics", [])
    return {name for directive in directives for each in directive["Dimensions"] for name in each}


def test_an_invocation_tells_nothing_of_the_one_before_it(
    http: httpx.Client, stack: EmbeddedStack, sandbox: SandboxClient, read_once: Callable[[], str]
) -> None:
    """Two accounts and nobody in turn, one of them failing: ids, dimensions and errors are each call's own."""
    whole, failing = read_once(), read_once()
    sandbox.inject(Fault(effect=Status(status=422), account=failing, path="*/transactions", times=None))
    log = ApiLog(stack)
    owner: dict[str, str | None] = {}
    runs: dict[str, str] = {}
    statuses = []
    for _ in range(ROUNDS):
        for account in (whole, failing, None):
            answer = http.post(SYNC, json={"account_id": account or "nobody"}).json()
            owner[answer["correlation_id"]] = account
            if account is not None:
                runs[answer["run"]["run_id"]] = account
                statuses.append(answer["status"])

    lines = log.lines(len(owner))

    assert len(owner) == 3 * ROUNDS
    assert statuses == ["completed", "failed"] * ROUNDS
    assert {line["correlation_id"] for line in lines} == owner.keys()
    for line in lines:
        account = owner[line["correlation_id"]]
        assert line.get("account_id") in {account, None}, line
        assert "run_id" not in line or runs.get(line["run_id"]) == account, line
        assert "account_id" not in dimensions(line) or line["account_id"] == account, line
        assert account is not None or not {"account_id", "run_id"} & line.keys(), line
    errors = [line for line in lines if "taxpoynt_mono_pipeline_errors_total" in line]
    assert [owner[line["correlation_id"]] for line in errors] == [failing] * ROUNDS
    assert any("account_id" in dimensions(line) for line in lines)
