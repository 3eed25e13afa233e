"""`python -m bench.front_door`: many webhooks and API calls at once on the embedded stack.

Through the gateway, so many clients at a time: every webhook that was answered 200 has to be in the inbox in the
end (accepted = durable), whatever the others were answered; then reads of a run over the API. The times are of the
whole stack on this machine. What the function itself costs is told by a pool of its environments beside a pool of an
empty handler's, both with the same clients at once. Writes `.local/bench-front-door.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import httpx

from bench.scale.stack_meter import StackMeter
from bench.webhook import EMPTY, OURS, arena, webhook_event
from local.lambda_pool import FunctionPool
from local.results import ResultRow, passed, write_results
from local.stack import EmbeddedStack
from local.stack_settings import SANDBOX_APP, WEBHOOK_SECRET
from local.supervisor import WEBHOOK_PATH

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bench.webhook import Contender

SYNC_PATH: Final = "/api/v1/banking/transactions/sync"
ENVIRONMENTS: Final = 4
PATIENCE: Final = 300.0


async def at_once(call: Callable[[int], Awaitable[int]], *, count: int, clients: int) -> tuple[list[float], list[int]]:
    """Make `count` calls, `clients` at a time: seconds and status of each, by its number."""
    numbers, seconds, codes = iter(range(count)), [0.0] * count, [0] * count

    async def client() -> None:
        for number in numbers:
            began = time.perf_counter()
            codes[number] = await call(number)
            seconds[number] = time.perf_counter() - began

    await asyncio.gather(*(client() for _ in range(clients)))
    return seconds, codes


def event_id(number: int) -> str:
    """Mono's id of an event of the load, in the form that such ids have."""
    return f"load-{number:016}"


def event_of(account: str, number: int) -> dict[str, Any]:
    """One event of the load; its id is its own."""
    return {
        "event": "mono.events.account_updated",
        "event_id": event_id(number),
        "data": {
            "app": SANDBOX_APP,
            "account": {"_id": account},
            "meta": {"data_status": "AVAILABLE", "sync_status": "SUCCESSFUL", "has_new_data": False},
        },
    }


async def knock(url: str, account: str, *, count: int, clients: int) -> tuple[list[float], list[int]]:
    """Webhooks through the gateway."""
    headers = {"mono-webhook-secret": WEBHOOK_SECRET, "content-type": "application/json"}
    async with httpx.AsyncClient(base_url=url, timeout=60.0, trust_env=False) as http:

        async def send(number: int) -> int:
            return (await http.post(WEBHOOK_PATH, json=event_of(account, number), headers=headers)).status_code

        return await at_once(send, count=count, clients=clients)


async def ask(url: str, run_id: str, *, count: int, clients: int) -> tuple[list[float], list[int]]:
    """Reads of one run through the gateway."""
    async with httpx.AsyncClient(base_url=url, timeout=60.0, trust_env=False) as http:

        async def read(_: int) -> int:
            return (await http.get(f"{SYNC_PATH}/{run_id}")).status_code

        return await at_once(read, count=count, clients=clients)


async def pooled(contender: Contender, log: Path, *, count: int, clients: int) -> list[float]:
    """Invocations of a pool of warm environments, without a gateway."""
    launch = partial(contender.launch, log)
    pool = FunctionPool(contender.function, launch=launch, limit=ENVIRONMENTS)
    payload = json.dumps(webhook_event()).encode()
    async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=None)) as http:

        async def invoke(_: int) -> int:
            outcome = await pool.invoke(payload, http=http)
            return int(outcome.json()["statusCode"])

        try:
            await at_once(invoke, count=20 * ENVIRONMENTS, clients=clients)  # warm
            seconds, codes = await at_once(invoke, count=count, clients=clients)
        finally:
            pool.stop()
    if set(codes) != {200}:
        raise RuntimeError(f"{contender.function.logical_id} answered {Counter(codes)}")
    return seconds


def lost(meter: StackMeter, accepted: set[str]) -> int:
    """Accepted events that are not in the inbox, after as long as it takes them to get there."""
    give_up = time.monotonic() + PATIENCE
    while True:
        told = meter.database.rows("SELECT event_key FROM webhook_inbox WHERE event_key LIKE 'event:load-%'")
        missing = accepted - {str(row["event_key"]).removeprefix("event:") for row in told}
        if not missing or time.monotonic() > give_up:
            return len(missing)
        time.sleep(0.2)


def through_the_gateway(folder: Path, *, count: int, clients: int) -> list[ResultRow]:
    """The load on the whole stack."""
    sandbox = {"accounts": "1", "transactions": "100"}
    with EmbeddedStack(folder, tick_seconds=3600.0, concurrency=ENVIRONMENTS, sandbox=sandbox) as stack:
        meter = StackMeter(stack)
        meter.begin()
        run = str(meter.database.rows("SELECT run_id FROM sync_runs LIMIT 1")[0]["run_id"])
        url = stack.record["http"]
        asyncio.run(ask(url, run, count=5 * ENVIRONMENTS, clients=clients))  # warm
        reading, codes = asyncio.run(ask(url, run, count=count, clients=clients))
        before = meter.database.rows("SELECT count(*) AS n FROM sync_runs")[0]["n"]
        knocking, answered = asyncio.run(knock(url, meter.accounts[0], count=count, clients=clients))
        accepted = {event_id(number) for number, code in enumerate(answered) if code == httpx.codes.OK}
        missing = lost(meter, accepted)
        runs = meter.database.rows("SELECT count(*) AS n FROM sync_runs")[0]["n"] - before
        meter.database.close()
    strange = Counter(code for code in answered if code not in (httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE))
    return [
        *_times("webhook", "a webhook through the gateway", knocking),
        ResultRow(id="webhook.accepted", what=f"of {count} webhooks accepted", value=len(accepted)),
        _none("webhook.lost", "accepted webhooks that are not in the inbox", missing),
        ResultRow(id="webhook.runs", what="runs that they asked for, all of one account", value=int(runs)),
        _none(
            "webhook.strange", f"answers that are neither 200 nor 503 {dict(strange) or ''}".rstrip(), strange.total()
        ),
        *_times("api", "a run read through the gateway", reading),
        _none("api.failed", "reads that were not answered 200", sum(code != httpx.codes.OK for code in codes)),
    ]


def beside_an_empty_handler(*, count: int, clients: int, rounds: int) -> list[ResultRow]:
    """Pools of the webhook function and of a handler that only answers, in turn."""
    times: dict[str, list[list[float]]] = {OURS: [], EMPTY: []}
    with arena() as (contenders, folder, _):
        for number in range(rounds):
            for name in (OURS, EMPTY) if number % 2 == 0 else (EMPTY, OURS):
                run = pooled(contenders[name], folder / f"{name}.log", count=count, clients=clients)
                times[name].append(asyncio.run(run))
    ratio = median(sum(ours) / sum(empty) for ours, empty in zip(times[OURS], times[EMPTY], strict=True))
    return [
        *_times("pool.webhook", "the webhook function, a pool of 4", list(chain(*times[OURS]))),
        *_times("pool.empty", "an empty handler, a pool of 4", list(chain(*times[EMPTY]))),
        ResultRow(id="pool.ratio", what="the webhook function, times an empty handler", value=round(ratio, 2)),
    ]


def _times(key: str, what: str, seconds: Sequence[float]) -> list[ResultRow]:
    cuts = quantiles(seconds, n=100)
    return [
        ResultRow(id=f"{key}.p50", what=f"{what}: p50", value=round(cuts[49] * 1000, 1), unit="ms"),
        ResultRow(id=f"{key}.p99", what=f"{what}: p99", value=round(cuts[98] * 1000, 1), unit="ms"),
    ]


def _none(key: str, what: str, found: int) -> ResultRow:
    return ResultRow(id=key, what=what, value=found, goal=0, ok=found == 0)


def main(arguments: Sequence[str]) -> int:
    """Load, wait, count, print; 0 when nothing was lost."""
    parser = argparse.ArgumentParser(prog="python -m bench.front_door", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=2_000, help="calls of each kind")
    parser.add_argument("--clients", type=int, default=32, help="at a time")
    parser.add_argument("--rounds", type=int, default=5, help="of the two pools")
    asked = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="bench-front-door-") as scratch:
        rows = through_the_gateway(Path(scratch) / "stack", count=asked.count, clients=asked.clients)
    rows += beside_an_empty_handler(count=asked.count, clients=asked.clients, rounds=asked.rounds)
    for row in rows:
        goal = "" if row.goal is None else f"   goal {row.goal} {'met' if row.ok else 'MISSED'}"
        print(f"{row.what:<58} {row.value:>8} {row.unit}{goal}")
    write_results("bench-front-door", rows)
    return 0 if passed(rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
