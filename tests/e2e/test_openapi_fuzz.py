"""schemathesis over the committed OpenAPI description, against the gateway and the built artifacts.

All of its checks are on but these:

* `unsupported_method`, `allow_header_conformance`: API Gateway answers 403 for what is no route, and so does ours.
* What concerns the signature of IAM (`ignored_auth` and the like): the embedded gateway does not enforce it, so the
  routes are tried as open ones. On the webhook, whose secret the function checks, it is on.
* `positive_data_acceptance`: JSON Schema cannot say that `start` is not after `end`, nor that an account exists; on the
  webhook it is on.
* The stateful phase: no answer holds a link into another operation.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from local.openapi import DOCUMENT

if TYPE_CHECKING:
    import httpx

    from local.stack import EmbeddedStack

EXAMPLES: Final = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "150"))  # of each operation
SLOWEST_SECONDS: Final = "2"  # of a warm function on a machine that does much else
NOT_OURS: Final = ("unsupported_method", "allow_header_conformance")
PROGRAM: Final = Path(sys.executable).with_name("schemathesis")
# one request each, so that no example meets a cold start
WARM_UP: Final[dict[str, tuple[str, str, Any]]] = {
    "sync_banking_transactions": ("POST", "/api/v1/banking/transactions/sync", {"account_id": "0" * 24}),
    "show_run": ("GET", "/api/v1/banking/transactions/sync/00000000-0000-0000-0000-000000000000", None),
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


def fuzz(operation: str, http: httpx.Client, folder: Path, *options: str, examples: int = EXAMPLES) -> None:
    """Run schemathesis over one operation; its report is the failure's message."""
    method, path, body = WARM_UP[operation]
    http.request(method, path, json=body)
    description = folder / "openapi.json"
    description.write_text(json.dumps(without_iam(json.loads(DOCUMENT.read_text()))))
    arguments = [
        *("run", str(description), "--url", str(http.base_url).rstrip("/"), "--include-operation-id", operation),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", str(examples), "--seed", "5", "--workers", "1"),
        *("--max-response-time", SLOWEST_SECONDS, "--warnings", "off", "--continue-on-failure", *options),
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


def test_the_webhook_keeps_to_its_description(http: httpx.Client, stack: EmbeddedStack, tmp_path: Path) -> None:
    """With the secret and without it: nothing but what is described, and nobody in who has none."""
    secret = f"mono-webhook-secret: {stack.record['mono_webhook_secret']}"
    fuzz("mono_webhook", http, tmp_path, "--header", secret, "--exclude-checks", ",".join(NOT_OURS))


@pytest.mark.parametrize("operation", ["sync_banking_transactions", "show_run", "dead_letters", "health"])
def test_the_rest_of_the_interface_keeps_to_its_description(http: httpx.Client, tmp_path: Path, operation: str) -> None:
    """Every status, header and body is a described one; what is not of its form is refused; nothing fails."""
    off = (*NOT_OURS, "positive_data_acceptance")
    # each looks into SQS and takes its time
    examples = EXAMPLES // 5 if operation == "dead_letters" else EXAMPLES
    fuzz(operation, http, tmp_path, "--exclude-checks", ",".join(off), examples=examples)
