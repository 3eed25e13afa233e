"""`python -m bench.cold_start`: what a new environment costs, from nothing to the end of its first request.

The built artifacts, bytecode included, under the runtime interface emulator on the embedded stack. The first request
is a real one: a webhook that lands in the queue, a wake-up whose account is read and verified, a tick with nothing due.
Beside them a bare handler, and the same application written the usual way. All in turn, `--colds` times; ratios of
medians, and each environment's memory after its request. Writes `.local/cold-start.json`; exit code 1 on a missed goal.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import json
import shutil
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from py_compile import PycInvalidationMode
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import httpx
import psutil

from bench.scale.measure import PLENTY
from bench.scale.stack_meter import StackMeter
from bench.waivers import judgement, waive, waivers
from bench.webhook import webhook_event
from local.aws import CREDENTIALS
from local.build import build
from local.lambda_runtime import ExecutionEnvironment, function_environment, make_runtime_folder
from local.ports import LOOPBACK
from local.results import ResultRow, passed, write_results
from local.stack import EmbeddedStack
from local.stack_settings import SANDBOX_APP
from local.template import Template, parameters_by_variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local.resources import Function

PEERS: Final = Path(__file__).with_name("cold_peers")
BARE: Final = "bare"
GOALS: Final = {"Webhook": (1.1, 0.75), "SyncWorker": (1.5, 0.75), "SyncSchedule": (None, None)}  # of bare, of usual
_MIB: Final = 1024 * 1024
_PATIENCE_SECONDS: Final = 120  # a machine that does other things as well must not fail what is only slow


@dataclass(kw_only=True)
class Entrant:
    """A handler with its first request, and what became of it: seconds and MiB, one a cold start."""

    function: Function
    environment: Mapping[str, str]
    event: Mapping[str, Any]
    seconds: list[float] = field(default_factory=list)
    mebibytes: list[float] = field(default_factory=list)

    async def start_cold(self, http: httpx.AsyncClient, log: Path) -> None:
        """A new environment and its first request."""
        environment = await ExecutionEnvironment.launch(self.function, environment=self.environment, log=log)
        try:
            began = time.perf_counter()
            outcome = await environment.invoke(json.dumps(self.event).encode(), http=http)
            self.seconds.append(time.perf_counter() - began)
            if outcome.failed or (outcome.json() or {}).get("batchItemFailures"):
                raise RuntimeError(f"{self.function.logical_id}: {outcome.payload.decode()[:500]}")
            resident = [psutil.Process(pid).memory_info().rss for pid in environment.function_pids]
            self.mebibytes.append(sum(resident) / _MIB)
        finally:
            environment.stop()


def entrants(stack: EmbeddedStack, account: str, folder: Path) -> dict[str, Entrant]:
    """The functions as shipped, the usual way of each, and the bare one."""
    artifacts, runtime = build(), make_runtime_folder(folder / "runtime")
    template = _template(stack)
    shared = {**CREDENTIALS, "AWS_ENDPOINT_URL": stack.record["aws_endpoint_url"]}
    copies = folder / "copies"
    found = {}
    for name, event in _events(account).items():
        function = replace(template.functions[name], timeout=_PATIENCE_SECONDS)
        environment = function_environment(function, build=artifacts, runtime=runtime, shared=shared)
        found[name] = Entrant(function=function, environment=environment, event=event)
        shutil.copytree(artifacts / function.artifact, copies / name)
        shutil.copy(PEERS / "usual.py", copies / name)
        entry = {"USUAL_ENTRY": function.handler.partition(".")[0]}
        usual = replace(function, artifact=name, handler="usual.handler", layers=())
        environment = function_environment(usual, build=copies, runtime=runtime, shared=shared | entry)
        environment["PYTHONPATH"] = _with_layers(environment["PYTHONPATH"], function, artifacts)
        found[f"{name}, usual way"] = Entrant(function=usual, environment=environment, event=event)
    shutil.copytree(PEERS / BARE, copies / BARE, ignore=shutil.ignore_patterns("__pycache__"))
    bare = replace(found["Webhook"].function, logical_id=BARE, artifact=BARE, handler="app.handler", layers=())
    environment = function_environment(bare, build=copies, runtime=runtime, shared=shared)
    environment["PYTHONPATH"] = _with_layers(environment["PYTHONPATH"], template.functions["Webhook"], artifacts)
    found[BARE] = Entrant(function=bare, environment=environment, event={})
    compileall.compile_dir(copies, quiet=1, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    return found


def _with_layers(path: str, function: Function, artifacts: Path) -> str:
    """A copy's path with the layers of the original between its own folder and the runtime's."""
    own, _, runtime = path.partition(":")
    return ":".join((own, *(str(artifacts / layer / "python") for layer in function.layers), runtime))


def _template(stack: EmbeddedStack) -> Template:
    """The functions as this stack has them."""
    ports, record = stack.settings.ports, stack.record
    named = parameters_by_variable()
    parameters = {
        "Environment": "local",
        "DatabaseHost": LOOPBACK,
        "DatabasePort": str(ports.postgres),
        "DatabaseSslMode": "disable",
        "MonoBaseUrl": record["mono_base_url"],
        "MonoAppId": SANDBOX_APP,
        **{named[name]: value for name, value in stack.settings.variables.items()},
    }
    return Template.expand(parameters=parameters, aws_endpoint=record["aws_endpoint_url"])


def _events(account: str) -> dict[str, dict[str, Any]]:
    body = {"type": "mono.fetch.requested", "account_id": account, "correlation_id": "cold", "requested_by": "measured"}
    record = {
        "messageId": "1",
        "receiptHandle": "1",
        "body": json.dumps({**body, "hop": 0}),
        # in the future, so that every wake-up is newer than the run before it and is served by one of its own
        "attributes": {"SentTimestamp": str(int((time.time() + 86_400) * 1000)), "ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:af-south-1:000000000000:mono-pipeline-local-daily",
        "awsRegion": "af-south-1",
    }
    return {"Webhook": webhook_event(), "SyncWorker": {"Records": [record]}, "SyncSchedule": {}}


async def race(found: Mapping[str, Entrant], folder: Path, *, colds: int) -> None:
    """All in turn, so many times, another one first each time; one round before that to fill the page cache."""
    names = list(found)
    async with httpx.AsyncClient(trust_env=False) as http:
        for number in range(colds + 1):
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                await found[name].start_cold(http, folder / f"{name}.log")
    for entrant in found.values():
        del entrant.seconds[0], entrant.mebibytes[0]


def result_rows(found: Mapping[str, Entrant]) -> list[ResultRow]:
    """Medians, and the ratios that have goals."""
    rows, bare = [], median(found[BARE].seconds)
    for name, entrant in found.items():
        milliseconds = round(median(entrant.seconds) * 1000, 1)
        rows += [
            ResultRow(id=_key(name, "cold"), what=f"{name}: init and first request", value=milliseconds, unit="ms"),
            ResultRow(
                id=_key(name, "memory"), what=f"{name}: memory", value=round(median(entrant.mebibytes), 1), unit="MiB"
            ),
        ]
    for name, (of_bare, of_usual) in GOALS.items():
        ours = median(found[name].seconds)
        rows.append(_ratio(name, "bare", ours / bare, of_bare))
        rows.append(_ratio(name, "usual", ours / median(found[f"{name}, usual way"].seconds), of_usual))
    return rows


def _ratio(name: str, peer: str, value: float, goal: float | None) -> ResultRow:
    told = None if goal is None else f"<= {goal}"
    ok = goal is None or value <= goal
    return ResultRow(id=_key(name, f"of_{peer}"), what=f"{name}: of {peer}", value=round(value, 3), goal=told, ok=ok)


def _key(name: str, figure: str) -> str:
    return f"{name}.{figure}".lower().replace(", ", "_").replace(" ", "_")


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m bench.cold_start", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--colds", type=int, default=15)
    asked = parser.parse_args(arguments)
    with TemporaryDirectory(prefix="bench-cold-") as scratch:
        folder = Path(scratch)
        variables = {"MONO_RATE_LIMIT_PER_MINUTE": PLENTY}
        sandbox = {"accounts": "1", "transactions": "100"}
        with EmbeddedStack(folder / "stack", tick_seconds=3600.0, sandbox=sandbox, variables=variables) as stack:
            meter = StackMeter(stack)
            meter.begin()
            found = entrants(stack, meter.accounts[0], folder)
            asyncio.run(race(found, folder, colds=asked.colds))
            meter.database.close()
    rows = waive(result_rows(found), waivers("cold-start"))
    for row in rows:
        goal = "" if row.goal is None else f"   goal {row.goal} {judgement(row)}"
        print(f"{row.what:<50} {row.value:>8} {row.unit}{goal}")
    write_results("cold-start", rows)
    return 0 if passed(rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
