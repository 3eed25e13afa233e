"""schemathesis over the committed OpenAPI description, against the gateway and the built artifacts.

Every check is on that looks at one answer. What is not checked, and why:

* What concerns the signature of IAM (`ignored_auth`): the embedded gateway does not enforce it, so that the routes are
  tried as open ones. On the webhook, whose secret the function checks, it is on.
* `positive_data_acceptance` of `sync_banking_transactions` and `dead_letters`: JSON Schema cannot say that `start` is
  not after `end`, nor which filter goes with which action.
* `unsupported_method` of `health`: API Gateway answers 403 for what is no route, and to no open one 405. That no other
  method of any route reaches a function is a test of its own here.
* The stateful phase, with `use_after_free`, `ensure_resource_availability` and `object_level_authorization`: no answer
  holds a link into another operation, nothing can be deleted, and there is one caller.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from local.openapi import DOCUMENT

if TYPE_CHECKING:
    import httpx

    from local.stack import EmbeddedStack

EXAMPLES: Final = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "150"))  # of each operation
SLOWEST_SECONDS: Final = os.environ.get(
    "SCHEMATHESIS_SLOWEST_SECONDS", "2"
)  # of a warm function on a machine that does much else
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
RUN: Final = "00000000-0000-0000-0000-000000000000"
PROGRAM: Final = Path(sys.executable).with_name("schemathesis")
# one request each, so that no example meets a cold start
WARM_UP: Final[dict[str, tuple[str, str, Any]]] = {
    "sync_banking_transactions": ("POST", "/api/v1/banking/transactions/sync", {"account_id": "0" * 24}),
    "show_run": ("GET", f"/api/v1/banking/transactions/sync/{RUN}", None),
    "mono_webhook": ("POST", "/api/v1/webhooks/mono/integrations/mono/webhook", {}),
    "dead_letters": ("POST", "/api/v1/ops/dead-letters", {"action": "inspect"}),
    "health": ("GET", "/health", None),
}


def without_iam(document: dict[str, Any]) -> dict[str, Any]:
    """The description of an interface that is guarded by the webhook's secret alone."""
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["security"] = [each for each in operation["security"] if "iam" not in each]
    return document


def described() -> dict[str, Any]:
    """The committed description."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_text())
    return document


def run(operation: str, document: dict[str, Any], http: httpx.Client, folder: Path, *options: str) -> None:
    """Run schemathesis over one operation; its report is the failure's message."""
    method, path, body = WARM_UP[operation]
    http.request(method, path, json=body)
    description = folder / "openapi.json"
    description.write_text(json.dumps(document))
    arguments = [
        *("run", str(description), "--url", str(http.base_url).rstrip("/"), "--include-operation-id", operation),
        *("--seed", "5", "--workers", "1", "--warnings", "off", "--continue-on-failure", *options),
    ]
    told = subprocess.run(  # noqa: S603 - a development tool of this environment
        [PROGRAM, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "NO_COLOR": "1", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout[-8000:] + told.stderr[-2000:]
    assert "No issues found" in told.stdout, told.stdout


def fuzz(operation: str, http: httpx.Client, folder: Path, *options: str, examples: int = EXAMPLES) -> None:
    """Let it loose, with all checks that are not left out."""
    limits = ("--max-examples", str(examples), "--max-response-time", SLOWEST_SECONDS)
    run(operation, without_iam(described()), http, folder, "--phases", "examples,coverage,fuzzing", *limits, *options)


def without(*checks: str) -> tuple[str, ...]:
    """The option that leaves checks out."""
    return ("--exclude-checks", ",".join(checks)) if checks else ()


def test_the_webhook_keeps_to_its_description(http: httpx.Client, stack: EmbeddedStack, tmp_path: Path) -> None:
    """With the secret and without it: nothing but what is described, and nobody in who has none."""
    secret = f"mono-webhook-secret: {stack.record['mono_webhook_secret']}"
    fuzz("mono_webhook", http, tmp_path, "--header", secret)


@pytest.mark.parametrize(
    ("operation", "left_out"),
    [
        ("sync_banking_transactions", ["unsupported_method", "positive_data_acceptance"]),
        ("show_run", ["unsupported_method"]),
        ("dead_letters", ["unsupported_method", "positive_data_acceptance"]),
        ("health", ["unsupported_method"]),
    ],
)
def test_the_rest_of_the_interface_keeps_to_its_description(
    http: httpx.Client, tmp_path: Path, operation: str, left_out: list[str]
) -> None:
    """Every status, header and body is a described one; what is not of its form is refused; nothing fails."""
    # each looks into SQS and takes its time
    examples = EXAMPLES // 5 if operation == "dead_letters" else EXAMPLES
    fuzz(operation, http, tmp_path, *without(*left_out), examples=examples)


@pytest.mark.parametrize("operation", ["sync_banking_transactions", "show_run", "dead_letters"])
def test_a_method_that_is_not_described_is_refused_as_who_has_no_rights_is(
    http: httpx.Client, tmp_path: Path, operation: str
) -> None:
    """By the description as it stands, with IAM: API Gateway refuses before it looks at the method."""
    checks = ("--checks", "unsupported_method,allow_header_conformance,not_a_server_error")
    run(operation, described(), http, tmp_path, "--phases", "coverage", *checks)


@pytest.mark.parametrize("path", described()["paths"])
def test_no_other_method_reaches_a_function(http: httpx.Client, stack: EmbeddedStack, path: str) -> None:
    """API Gateway's own 403, with its own header; nothing is written to any function's log."""
    logs = Path(stack.record["logs"])
    before = {log.name: log.read_text().count("START RequestId") for log in logs.glob("[A-Z]*.log")}
    for method in set(METHODS) - {method.upper() for method in described()["paths"][path]}:
        answer = http.request(method, path.replace("{run_id}", RUN), json={})
        assert answer.status_code == HTTPStatus.FORBIDDEN, method
        assert answer.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
    busy = {"SyncSchedule.log", "SyncWorker.log", "BackfillWorker.log"}  # what ticks and queues start by themselves
    after = {log.name: log.read_text().count("START RequestId") for log in logs.glob("[A-Z]*.log")}
    assert {name: count for name, count in after.items() if name not in busy} == {
        name: count for name, count in before.items() if name not in busy
    }
