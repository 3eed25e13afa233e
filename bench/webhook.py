"""`make bench-webhook`: the webhook function against a handler that does one SendMessage and answers 200.

Both run in the real runtime: the built artifacts under the runtime interface emulator, with the AWS stand-in for SQS
and SSM, each invocation one after the other as Lambda has it. An empty handler runs beside them, for the record.

* Cold: a new environment and its first request, all three in turn, `--colds` times; the ratio of the medians.
* Warm: one environment each, `--requests` a round, all three in turn, `--rounds` times; the median of their ratios.

Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import json
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from py_compile import PycInvalidationMode
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Final

import httpx
from rich import box
from rich.console import Console
from rich.table import Table

from local.aws import CREDENTIALS, AwsStandIn, create_resources, sqs_client, ssm_client
from local.build import ROOT, build
from local.lambda_runtime import ExecutionEnvironment, function_environment, make_runtime_folder
from local.ports import free_port
from local.results import ResultRow, passed, write_results
from local.stack_settings import WEBHOOK_SECRET
from local.template import Template
from monoctl.secret_writing import write_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from local.resources import Function

OURS, SEND_ONLY, EMPTY = "webhook", "send only", "empty"
PEERS: Final = Path(__file__).with_name("webhook_peers")
EVENT: Final = ROOT / "events" / "webhook_account_updated.json"
GOAL_THROUGHPUT: Final = 0.8  # of the one SendMessage
GOAL_COLD: Final = 1.3  # times its init and first request
WARM_UP: Final = 50


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A handler, and the whole environment of its process."""

    function: Function
    environment: Mapping[str, str]

    async def launch(self, log: Path) -> ExecutionEnvironment:
        """A new environment that has loaded nothing yet."""
        return await ExecutionEnvironment.launch(self.function, environment=self.environment, log=log)


@dataclass(kw_only=True)
class Times:
    """Of one contender: seconds to the first answer, requests a second by round, seconds of each warm request."""

    cold: list[float] = field(default_factory=list)
    throughput: list[float] = field(default_factory=list)
    requests: list[float] = field(default_factory=list)

    def percentile(self, part: int) -> float:
        """Milliseconds within which so many per cent of the warm requests were answered."""
        return quantiles(self.requests, n=100)[part - 1] * 1000


@contextmanager
def arena() -> Iterator[tuple[dict[str, Contender], Path, str]]:
    """The contenders by name, a folder for logs, and the URL of the AWS stand-in that they all talk to."""
    artifacts = build()
    with tempfile.TemporaryDirectory(prefix="bench-webhook-") as scratch:
        folder = Path(scratch)
        stand_in = AwsStandIn.start(port=free_port(), log=folder / "aws.log")
        try:
            template = Template.expand(parameters={"Environment": "local"}, aws_endpoint=stand_in.url)
            create_resources(template, endpoint=stand_in.url)
            secrets = {"MONO_WEBHOOK_SECRET": WEBHOOK_SECRET}
            write_secrets(ssm_client(stand_in.url), "local", secrets, description="made for a benchmark")
            yield _contenders(template, artifacts, folder, stand_in.url), folder, stand_in.url
        finally:
            stand_in.stop()


def _contenders(template: Template, artifacts: Path, folder: Path, endpoint: str) -> dict[str, Contender]:
    runtime = make_runtime_folder(folder / "runtime")
    shared = {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}
    ours = template.functions["Webhook"]
    environment = function_environment(ours, build=artifacts, runtime=runtime, shared=shared)
    found = {OURS: Contender(function=ours, environment=environment)}
    peers = folder / "peers"
    shutil.copytree(PEERS, peers, ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(peers, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    for name in (SEND_ONLY, EMPTY):
        peer = replace(ours, logical_id=name, artifact=name.replace(" ", "_"), handler="app.handler", layers=())
        environment = function_environment(peer, build=peers, runtime=runtime, shared=shared)
        found[name] = Contender(function=peer, environment=environment)
    return found


def webhook_event() -> dict[str, Any]:
    """The event that API Gateway makes of Mono's webhook, with the embedded stack's secret."""
    told: dict[str, Any] = json.loads(EVENT.read_text())
    told["headers"]["mono-webhook-secret"] = WEBHOOK_SECRET
    told["multiValueHeaders"]["mono-webhook-secret"] = [WEBHOOK_SECRET]
    return told


async def _request(environment: ExecutionEnvironment, payload: bytes, http: httpx.AsyncClient) -> float:
    began = time.perf_counter()
    outcome = await environment.invoke(payload, http=http)
    took = time.perf_counter() - began
    if outcome.failed or outcome.json()["statusCode"] != httpx.codes.OK:
        raise RuntimeError(f"not answered with 200: {outcome.payload.decode()[:400]}")
    return took


async def race(contenders: Mapping[str, Contender], folder: Path, endpoint: str, options: argparse.Namespace) -> Any:
    """Times by name."""
    times = {name: Times() for name in contenders}
    payload = json.dumps(webhook_event()).encode()
    async with httpx.AsyncClient(trust_env=False) as http:
        for number in range(options.colds):
            for name in _in_turn(contenders, number):
                environment = await contenders[name].launch(folder / f"{name}.log")
                try:
                    times[name].cold.append(await _request(environment, payload, http))
                finally:
                    environment.stop()
        warm = {name: await each.launch(folder / f"{name}.log") for name, each in contenders.items()}
        try:
            for environment in warm.values():
                for _ in range(WARM_UP):
                    await _request(environment, payload, http)
            for number in range(options.rounds):
                for name in _in_turn(contenders, number):
                    seconds = [await _request(warm[name], payload, http) for _ in range(options.requests)]
                    times[name].requests += seconds
                    times[name].throughput.append(len(seconds) / sum(seconds))
                _empty_queues(endpoint)
        finally:
            for environment in warm.values():
                environment.stop()
    return times


def _in_turn(names: Mapping[str, Contender], number: int) -> Sequence[str]:
    """Another one goes first each time."""
    order = list(names)
    shift = number % len(order)
    return order[shift:] + order[:shift]


def _empty_queues(endpoint: str) -> None:
    """A queue that grows slows the stand-in down."""
    sqs = sqs_client(endpoint)
    for url in sqs.list_queues().get("QueueUrls", []):
        sqs.purge_queue(QueueUrl=url)


def results(times: Mapping[str, Times]) -> list[ResultRow]:
    """Each figure as a row; the two ratios have goals."""
    ours, peer = times[OURS], times[SEND_ONLY]
    throughput = median(mine / theirs for mine, theirs in zip(ours.throughput, peer.throughput, strict=True))
    cold = median(ours.cold) / median(peer.cold)
    rows = [
        ResultRow(
            id="throughput_ratio",
            what="requests a second, of one SendMessage",
            value=round(throughput, 3),
            goal=GOAL_THROUGHPUT,
            ok=throughput >= GOAL_THROUGHPUT,
        ),
        ResultRow(
            id="cold_ratio",
            what="init and first request, of one SendMessage",
            value=round(cold, 3),
            goal=GOAL_COLD,
            ok=cold <= GOAL_COLD,
        ),
    ]
    for name, seen in times.items():
        key = name.replace(" ", "_")
        for figure, what, value, unit in (
            ("requests", "requests a second, one environment", median(seen.throughput), "1/s"),
            ("p50", "warm request, p50", seen.percentile(50), "ms"),
            ("p99", "warm request, p99", seen.percentile(99), "ms"),
            ("cold", "init and first request, median", median(seen.cold) * 1000, "ms"),
        ):
            rows.append(ResultRow(id=f"{key}_{figure}", what=f"{name}: {what}", value=round(value, 2), unit=unit))
    return rows


def _print(times: Mapping[str, Times], rows: Sequence[ResultRow]) -> None:
    console = Console(width=80)
    table = Table(title="The webhook function in the real runtime", box=box.SIMPLE)
    for heading in ("", "requests/s", "p50 ms", "p99 ms", "cold ms"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, seen in times.items():
        figures = (median(seen.throughput), seen.percentile(50), seen.percentile(99), median(seen.cold) * 1000)
        table.add_row(name, *(f"{figure:.1f}" for figure in figures))
    console.print(table)
    for row in rows:
        if row.goal is not None:
            mark = "ok" if row.ok else "MISSED"
            console.print(f"{row.what}: {row.value} (goal {row.goal}) {mark}")


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write `.local/bench-webhook.json`; 0 when both goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--colds", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--requests", type=int, default=250)
    options = parser.parse_args(arguments)
    with arena() as (contenders, folder, endpoint):
        times = asyncio.run(race(contenders, folder, endpoint, options))
    rows = results(times)
    _print(times, rows)
    write_results("bench-webhook", rows)
    return 0 if passed(rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
