"""The flag that cannot be read, and the one that says nonsense, on the built artifacts.

The functions' monotonic clock jumps: five minutes of an SSM that is away pass in a moment.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Self

import boto3
import httpx
import pytest

from local.aws import CREDENTIALS, ssm_client
from local.bridge import Bridge
from local.runtime_boot import AHEAD_FILE
from local.sam import REGION
from local.sandbox.client import SandboxClient
from local.stack import EmbeddedStack
from local.stack_settings import Ports
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from tests.e2e.conftest import FLAG
from tests.e2e.daily_queue import DailyQueue
from tests.e2e.test_main_job import SYNC, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Linux answers on all of 127/8: at this address nobody listens but the road that a test opens.
ROAD: Final = "127.0.0.2"
_QUICK: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# What is promised, not what the code says of itself.
CACHE_SECONDS: Final = 10.0
LAST_GOOD_SECONDS: Final = 300.0
DONE: Final = ("completed", None)
OFF: Final = ("deferred", "ERROR")
LATENCY: Final = 20.0  # seconds that two syncs take on a busy machine


class JumpingClock:
    """The functions' monotonic clock, ahead of everybody's by what was added to it."""

    def __init__(self, path: Path) -> None:
        path.touch()
        self.path = path

    def jump(self, seconds: float) -> None:
        """Let at least so many seconds pass."""
        os.truncate(self.path, self.path.stat().st_size + int(seconds) + 1)


class World:
    """A stack with one account whose history was read, one environment of each function, and a road to SSM."""

    def __init__(self, stack: EmbeddedStack, clock: JumpingClock) -> None:
        self.stack, self.clock = stack, clock
        self.http = httpx.Client(base_url=stack.record["http"], timeout=60, trust_env=False)
        self.sandbox = SandboxClient(stack.record["sandbox"])
        self.queue = DailyQueue(stack)
        url = httpx.URL(stack.record["database_url"])
        self.database = Database(
            DatabaseAddress(host=url.host, port=url.port or 0, database=url.path[1:], user=url.username)
        )
        self._ssm = ssm_client(stack.record["aws_endpoint_url"])
        self._road = ExitStack()
        self.account = ""

    def __enter__(self) -> Self:
        self.open_road()
        self.set_flag("true")
        self.account = str(self.sandbox.create_account(transactions=20)["id"])
        self._import()
        until(lambda: self.ask() == DONE, seconds=60)
        return self

    def __exit__(self, *_: object) -> None:
        self.close_road()
        self.database.close()
        self.sandbox.close()
        self.http.close()

    def open_road(self) -> None:
        """SSM can be reached by the functions."""
        self._road.enter_context(Bridge(ROAD, [self.stack.settings.ports.aws]))

    def close_road(self) -> None:
        """It refuses every connection, and those that are open are cut."""
        self._road.close()

    def set_flag(self, text: str) -> None:
        """Write the parameter, past the road."""
        self._ssm.put_parameter(Name=FLAG, Value=text, Type="String", Description="a test", Overwrite=True)

    def ask(self) -> tuple[str, str | None]:
        """A sync over the API: what came of it, and by which reason of the flag it was deferred."""
        answer = self.http.post(SYNC, json={"account_id": self.account}).json()
        return answer["status"], answer.get("guidance", {}).get("reason")

    def work(self) -> int:
        """A sync over the queue: how many runs have begun of it."""
        before = self.runs()
        self.queue.ask_for([self.account])
        self.queue.wait_until_empty()
        return self.runs() - before

    def runs(self) -> int:
        """How many have begun at all."""
        return int(self.database.rows("SELECT count(*) AS n FROM sync_runs WHERE started_at IS NOT NULL")[0]["n"])

    def reasons(self, function: str) -> list[str]:
        """Why a function has decided as it did, each of its decisions in their order."""
        log = (self.stack.settings.logs / f"{function}.log").read_text()
        told = [json.loads(line) for line in log.splitlines() if '"mono.flag.decided"' in line]
        return [each["flag_reason"] for each in told]

    def _import(self) -> None:
        ops = boto3.client(
            "lambda",
            endpoint_url=self.stack.record["lambda_endpoint_url"],
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        asked = json.dumps({"action": "accounts.import", "account_ids": [self.account]})
        answer = ops.invoke(FunctionName="mono-pipeline-local-ops", Payload=asked.encode())
        assert json.loads(answer["Payload"].read())["imported"] == [self.account]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A stack of its own, for its functions reach SSM by the road alone."""
    folder = tmp_path_factory.mktemp("flag")
    clock = JumpingClock(folder / "ahead")
    ports = Ports.free()
    with (
        EmbeddedStack(
            folder / "stack",
            ports=ports,
            postgres=_QUICK,
            visibility_seconds=2,
            concurrency=1,
            variables={"MONO_RATE_LIMIT_PER_MINUTE": "60000", "LEASE_SECONDS": "6"},
            sandbox={"accounts": "0"},
            platform={"AWS_ENDPOINT_URL_SSM": f"http://{ROAD}:{ports.aws}", AHEAD_FILE: str(clock.path)},
        ) as stack,
        World(stack, clock) as running,
    ):
        yield running


def test_ssm_down_is_the_last_good_flag_for_300_seconds_and_then_off(world: World) -> None:
    """From when it was read, for the API and for the worker; then nobody is synced, until SSM is there again."""
    world.clock.jump(CACHE_SECONDS)
    earliest = time.monotonic()  # of the two readings of the flag
    before = (world.ask(), world.work())
    latest = time.monotonic()
    world.close_road()

    world.clock.jump(LAST_GOOD_SECONDS - LATENCY - (latest - earliest))
    kept = (world.ask(), world.work())
    api, worker = world.reasons("SyncApi"), world.reasons("SyncWorker")
    within = time.monotonic() - latest
    world.clock.jump(LATENCY + (latest - earliest))
    world.sandbox.clear_requests()
    off = world.ask()
    not_worked = world.work()
    asked = world.sandbox.requests()
    world.open_road()
    world.clock.jump(CACHE_SECONDS)
    again = (world.ask(), world.work())

    assert before == (DONE, 1)
    assert within < LATENCY, "the machine was too slow for this to say anything"
    assert (kept, api[-1], worker[-1]) == ((DONE, 1), "STALE", "STALE")
    assert (off, not_worked, asked) == (OFF, 0, [])
    assert again == (DONE, 1)


def test_garbage_in_the_flag_is_off_at_once_and_a_good_value_brings_it_back(world: World) -> None:
    """Within the cache's age, with a good value before it: no run begins and Mono is not asked."""
    world.clock.jump(CACHE_SECONDS)
    before = (world.ask(), world.work())
    world.set_flag("flase")
    world.clock.jump(CACHE_SECONDS)
    world.sandbox.clear_requests()

    off = [world.ask() for _ in range(3)]
    not_worked = world.work()
    asked = world.sandbox.requests()
    world.set_flag("true")
    world.clock.jump(CACHE_SECONDS)
    again = (world.ask(), world.work())

    assert before == (DONE, 1)
    assert (off, not_worked, asked) == ([OFF] * 3, 0, [])
    assert again == (DONE, 1)
