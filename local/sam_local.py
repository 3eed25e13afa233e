"""`make sam-local`: built functions in Lambda's container image, under `sam local start-api`, on the embedded stack.

Containers reach PostgreSQL, the AWS stand-ins and the sandbox at 127.0.0.1, where the settings of environment `local`
want them: a layer that is never shipped carries those ports from inside a container to the Docker bridge, and this
program carries them on to the stack. Needs Docker and the image of Lambda's Python.

`--measure` syncs one account through it, cold and warm, and writes `.local/sam-local.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import httpx

from local import child
from local.aws import CREDENTIALS, ssm_client
from local.bridge import Bridge, docker_gateway
from local.build import ARTIFACTS
from local.ports import LOOPBACK, free_port
from local.results import ResultRow, passed, write_results
from local.sam import REGION, sam_environment
from local.sandbox.client import SandboxClient
from local.stack import EmbeddedStack
from local.template import Template
from mono_pipeline.core.flag import FLAG_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PORT: Final = 3001
INSIDE: Final = Path(__file__).parent / "inside_container"  # a layer: python/sitecustomize.py
_START_SECONDS: Final = 180.0
_HISTORY_SECONDS: Final = 120.0
_TRANSACTIONS: Final = 300
_WARM_SYNCS: Final = 5
_SYNC: Final = "/api/v1/banking/transactions/sync"


def ports_of(record: Mapping[str, Any]) -> list[int]:
    """The stack's ports that functions talk to."""
    urls = (record["database_url"], record["aws_endpoint_url"], record["mono_base_url"])
    return [port for url in urls if (port := httpx.URL(url).port)]


def local_template(record: Mapping[str, Any], gateway: str) -> dict[str, Any]:
    """A SAM template of the built functions, with every setting put in as it is on this stack."""
    database = httpx.URL(record["database_url"])
    parameters = {
        "Environment": "local",
        "DatabaseHost": LOOPBACK,
        "DatabasePort": str(database.port),
        "DatabaseName": database.path.strip("/"),
        "DatabaseSslMode": "disable",
        "MonoBaseUrl": record["mono_base_url"],
        "MonoAppId": record["mono_app_id"] or "",
    }
    template = Template.expand(parameters=parameters, aws_endpoint=record["aws_endpoint_url"])
    shared = {
        "AWS_ENDPOINT_URL": record["aws_endpoint_url"],
        "BRIDGE_GATEWAY": gateway,
        "BRIDGE_PORTS": " ".join(map(str, ports_of(record))),
        "PYTHONPATH": "/opt/python",
    }
    layers = {"CommonLayer": ARTIFACTS / "CommonLayer", "BridgeLayer": INSIDE}
    resources: dict[str, Any] = {
        name: {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": str(folder)}}
        for name, folder in layers.items()
    }
    for name, function in template.functions.items():
        routes = {
            f"Route{number}": {"Type": "Api", "Properties": {"Path": route.path, "Method": route.method}}
            for number, route in enumerate(route for route in template.routes if route.function == name)
        }
        resources[name] = {
            "Type": "AWS::Serverless::Function",
            "Properties": {
                "CodeUri": str(ARTIFACTS / function.artifact),
                "Handler": function.handler,
                "Runtime": "python3.13",
                "Architectures": ["x86_64"],
                "Timeout": function.timeout,
                "MemorySize": function.memory,
                "Layers": [{"Ref": layer} for layer in layers],
                "Environment": {"Variables": {**function.environment, **shared}},
                **({"Events": routes} if routes else {}),
            },
        }
    return {"Transform": "AWS::Serverless-2016-10-31", "Resources": resources}


@contextmanager
def serving(record: Mapping[str, Any], *, folder: Path, port: int) -> Iterator[str]:
    """`sam local start-api` beside a stack; yields its address once it answers.

    Raises:
        RuntimeError: it ended, or did not come up in time; the end of its log is in the message.
    """
    gateway = docker_gateway()
    written, log = folder / "template.json", folder / "sam-local.log"
    written.write_text(json.dumps(local_template(record, gateway), indent=1))
    command = [str(Path(sys.prefix) / "bin" / "sam"), "local", "start-api", "--template", str(written)]
    command += ["--skip-pull-image", "--warm-containers", "LAZY", "--host", LOOPBACK, "--port", str(port)]
    command += ["--region", REGION, "--layer-cache-basedir", str(folder / "layers")]
    with Bridge(gateway, ports_of(record)), log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**sam_environment(), **CREDENTIALS}, stdout=output, stderr=output, start_new_session=True
        )
        try:
            _wait_until_listening(process, port, log)
            yield f"http://{LOOPBACK}:{port}"
        finally:
            child.stop(process, signals=[signal.SIGINT, signal.SIGTERM], patience=20)


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            httpx.get(f"http://{LOOPBACK}:{port}/no-such-route", timeout=5, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.5)
        else:
            return
    raise RuntimeError(f"sam local did not come up:\n{child.tail(log)}")


def measure(record: Mapping[str, Any], address: str) -> list[ResultRow]:
    """Sync one account, as each day does, through SAM local: the first call starts a container, others find it warm.

    Its first history is read by the embedded stack, whose queue SAM local has no consumer for.

    Raises:
        TimeoutError: the first history was not read in time.
    """
    name = f"/mono-pipeline/local/{FLAG_NAME}"
    ssm_client(record["aws_endpoint_url"]).put_parameter(Name=name, Value="true", Type="String", Overwrite=True)
    with closing(SandboxClient(record["sandbox"])) as bank:
        account = str(bank.create_account(transactions=_TRANSACTIONS)["id"])
    _bring_in(record, account)
    with httpx.Client(base_url=address, timeout=600, trust_env=False) as http:
        began = time.monotonic()
        health = _first_answer(http)
        rows = [ResultRow(id="health", what="GET /health", value=health.status_code, goal=200, ok=health.is_success)]
        what = "until the first answer: an image with the layers, where there is none yet, and a container"
        rows.append(ResultRow(id="start", what=what, value=round(time.monotonic() - began, 2), unit="s"))
        seconds: list[float] = []
        for _ in range(1 + _WARM_SYNCS):
            began = time.monotonic()
            answer = http.post(_SYNC, json={"account_id": account})
            seconds.append(time.monotonic() - began)
            told = answer.json()
            run = told.get("run") or {}
            whole = answer.status_code == httpx.codes.OK and run["counts"]["seen"] == run["mono_total"] > 0
            if not whole or run["verdict"]["kind"] != "verified":
                what = f"a sync that completes: {answer.status_code} {told}"
                return [*rows, ResultRow(id="sync", what=what, value=answer.status_code, goal=200, ok=False)]
    rows.append(_time("first", "the first sync in a container", seconds[0]))
    rows.append(_time("warm", f"a warm sync, the median of {_WARM_SYNCS}", median(seconds[1:])))
    rows.append(_time("warm-slowest", f"the slowest of {_WARM_SYNCS} warm ones", max(seconds[1:])))
    return rows


def _time(name: str, what: str, seconds: float) -> ResultRow:
    return ResultRow(id=name, what=f"{what}: completed, verified", value=round(seconds, 2), unit="s")


def _first_answer(http: httpx.Client, *, tries: int = 5) -> httpx.Response:
    """`/health`, once there is a container: SAM builds an image first, and gives up on a Docker that takes a minute."""
    answer = http.get("/health")
    for _ in range(tries - 1):
        if answer.is_success:
            break
        answer = http.get("/health")
    return answer


def _bring_in(record: Mapping[str, Any], account: str) -> None:
    """Import the account and read its first history, by the embedded stack's own functions."""
    url = f"{record['lambda_endpoint_url']}/2015-03-31/functions/mono-pipeline-local-ops/invocations"
    event = {"action": "accounts.import", "account_ids": [account]}
    httpx.post(url, json=event, timeout=60, trust_env=False).raise_for_status()
    end = time.monotonic() + _HISTORY_SECONDS
    with httpx.Client(base_url=record["http"], timeout=60, trust_env=False) as http:
        while time.monotonic() < end:
            answer = http.post(_SYNC, json={"account_id": account})
            if answer.status_code == httpx.codes.OK:
                return
            time.sleep(0.5)
    raise TimeoutError(f"the first history was not read: {answer.status_code} {answer.text}")


def main(argv: list[str]) -> int:
    """Serve until Ctrl-C, or measure and end."""
    parser = argparse.ArgumentParser(prog="python -m local.sam_local", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="sync one account, write .local/sam-local.json and end")
    given = parser.parse_args(argv)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="sam-local-")))
        running = stack.enter_context(EmbeddedStack(folder / "stack", sandbox={"accounts": "3"}))
        port = free_port() if given.measure else PORT
        address = stack.enter_context(serving(running.record, folder=folder, port=port))
        if not given.measure:
            print(f"sam local: {address} (Ctrl-C ends it)")
            try:
                signal.pause()
            except KeyboardInterrupt:
                return 0
        rows = measure(running.record, address)
    for row in rows:
        print(f"{row.what}: {row.value} {row.unit}")
    write_results("sam-local", rows)
    return 0 if passed(rows) else 1


if __name__ == "__main__":
    os.environ.setdefault("SAM_CLI_TELEMETRY", "0")
    sys.exit(main(sys.argv[1:]))
