"""What each shipped function loads: at its init, and by the end of its first request. Sets of packages, not seconds.

Cold starts are paid for with imports, and what moves from init to the first request is paid for all the same. A package
that appears here is a decision: put it into the budget, or load it where it is needed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local.build import build
from local.lambda_runtime import function_environment, make_runtime_folder
from local.template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.integration

WATCHED = frozenset(
    {
        "alembic",
        "asn1crypto",
        "asyncio",
        "aws_lambda_powertools",
        "aws_xray_sdk",
        "boto3",
        "botocore",
        "certifi",
        "dateutil",
        "email_validator",
        "h11",
        "httpcore",
        "httpx",
        "idna",
        "jmespath",
        "mako",
        "msgspec",
        "pg8000",
        "pydantic",
        "pydantic_core",
        "requests",
        "scramp",
        "sqlalchemy",
        "urllib3",
    }
)
WORK = {
    "Records": [
        {
            "messageId": "1",
            "receiptHandle": "1",
            "body": json.dumps(
                {
                    "type": "mono.fetch.requested",
                    "account_id": "0" * 24,
                    "correlation_id": "c",
                    "requested_by": "measured",
                }
            ),
            "attributes": {"SentTimestamp": "1", "ApproximateReceiveCount": "1"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:af-south-1:000000000000:mono-pipeline-local-daily",
            "awsRegion": "af-south-1",
        }
    ]
}
HEALTH = {
    "httpMethod": "GET",
    "path": "/health",
    "resource": "/health",
    "headers": {},
    "multiValueHeaders": {},
    "queryStringParameters": None,
    "requestContext": {"requestId": "r", "stage": "local"},
    "body": None,
    "isBase64Encoded": False,
}
HANDLED = """
import importlib, json, os, sys
module, handler = sys.argv[1].split(".")
event, watched = json.loads(sys.argv[2]), set(json.loads(sys.argv[3]))
loaded = lambda: sorted({name.partition(".")[0] for name in sys.modules} & watched)
entry = getattr(importlib.import_module(module), handler)
at_init = loaded()
class Context:
    aws_request_id, function_name, memory_limit_in_mb, invoked_function_arn = "r", "f", 512, "a"
    get_remaining_time_in_millis = staticmethod(lambda: 20_000)
try:
    entry(event, Context())
except Exception as error:
    print(type(error).__name__, file=sys.stderr)
print(json.dumps([at_init, loaded()]))
"""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """Packages of `WATCHED` that a function may have loaded at init, and by the end of its first request."""

    event: Mapping[str, object]
    init: str
    request: str


SDK = "boto3 botocore certifi dateutil jmespath urllib3"
ENGINE = (
    "asn1crypto aws_lambda_powertools botocore certifi dateutil h11 httpcore httpx idna jmespath msgspec pg8000 scramp"
)
BUDGETS = {
    # msgspec is what its records are made of, and costs what making them as dataclasses did
    "Webhook": Budget(event={"headers": {}, "body": "{}"}, init="botocore msgspec", request=f"{SDK} msgspec"),
    "SyncApi": Budget(
        # asyncio comes with Powertools' event handler
        event=HEALTH,
        init=f"{ENGINE} asyncio pydantic pydantic_core",
        request=f"{ENGINE} asyncio pydantic pydantic_core",
    ),
    "SyncWorker": Budget(event=WORK, init=ENGINE, request=f"{ENGINE} {SDK}"),
    "SyncSchedule": Budget(event={}, init=ENGINE, request=f"{ENGINE} {SDK}"),
}


@pytest.fixture(scope="module")
def artifacts() -> Path:
    """Built once: a change of the sources meanwhile is another run's."""
    return build()


@pytest.mark.parametrize("name", BUDGETS)
def test_a_function_loads_no_more_than_its_budget(name: str, artifacts: Path, tmp_path: Path) -> None:
    """With nobody where AWS and the database should be: what was tried is loaded, and nothing is waited for."""
    function = Template.expand(parameters={"Environment": "local", "DatabaseHost": "127.0.0.1"}).functions[name]
    nobody = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "MONO_WEBHOOK_SECRET": "s" * 40, "MONO_SECRET_KEY": "k" * 20}
    environment = function_environment(
        function,
        build=artifacts,
        runtime=make_runtime_folder(tmp_path / "runtime"),
        shared={
            **nobody,
            "DATABASE_PASSWORD": "p",
            "DATABASE_PORT": "1",
            "AWS_DEFAULT_REGION": "af-south-1",
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
        },
    )
    interpreter = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    budget = BUDGETS[name]
    arguments = (function.handler, json.dumps(budget.event), json.dumps(sorted(WATCHED)))

    told = subprocess.run(  # noqa: S603 - our own interpreter
        [interpreter, "-S", "-c", HANDLED, *arguments],
        cwd=environment["LAMBDA_TASK_ROOT"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    init, request = json.loads(told.stdout.splitlines()[-1])
    assert set(init) - set(budget.init.split()) == set(), told.stderr[-500:]
    assert set(request) - set(budget.request.split()) == set(), told.stderr[-500:]
