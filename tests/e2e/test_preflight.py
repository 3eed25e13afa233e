"""`monoctl preflight` and `sync --shadow` through the built artifacts on the embedded stack."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from local.build import ROOT
from monoctl.preflight.alert_lines import ALERTS, EXPORTERS, WATCHDOG
from monoctl.preflight.checks import CHECKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

    from local.stack import EmbeddedStack

type Aws = tuple[SSMClient, SQSClient]
type Monoctl = Callable[..., tuple[int, dict[str, Any]]]

WEBHOOK = "/api/v1/webhooks/mono/integrations/mono/webhook"


@pytest.fixture
def monoctl(stack: EmbeddedStack, tmp_path: Path) -> Monoctl:
    """The command line in a folder beside the stack: exit code and JSON document."""
    (tmp_path / ".local").symlink_to(stack.settings.state_dir)
    path = os.pathsep.join([str(ROOT), str(ROOT / "layers" / "common")])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "NO_COLOR": "1", "HOME": str(tmp_path)}

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        command = [sys.executable, "-m", "monoctl", "--json", *arguments]
        done = subprocess.run(  # noqa: S603 - our own program
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        return done.returncode, json.loads(done.stdout)

    return run


@pytest.fixture
def aws(ssm: SSMClient, sqs: SQSClient) -> Aws:
    """What somebody can put wrong."""
    return ssm, sqs


@pytest.fixture
def prometheus() -> Iterator[str]:
    """A Prometheus in which all is well: the real chain has tests of its own."""

    class Answers(BaseHTTPRequestHandler):
        """The two questions of a pre-flight."""

        def do_GET(self) -> None:
            """Answer."""
            data: dict[str, Any] = {
                "result": [{"metric": {"job": job}, "value": [0, "1"]} for job in EXPORTERS],
                "groups": [
                    {
                        "rules": [
                            {"name": name, "health": "ok", "state": "firing" if name == WATCHDOG else "inactive"}
                            for name in ALERTS
                        ]
                    }
                ],
            }
            body = json.dumps({"status": "success", "data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def failing(document: dict[str, Any]) -> dict[str, str]:
    """What did not pass, with what it says."""
    return {line["name"]: line["says"] for line in document["lines"] if line["state"] != "pass"}


def test_a_stack_in_order_passes_and_each_thing_put_wrong_is_found(
    monoctl: Monoctl, prometheus: str, aws: Aws, stack: EmbeddedStack, flag: Callable[[str], None]
) -> None:
    """The wake-up goes through door, queue and worker; then there are a dead letter, a bad flag and a bad secret."""
    ssm, sqs = aws
    url = f"{stack.record['http']}{WEBHOOK}"
    asked = ("preflight", "--prometheus", prometheus, "--confirm-webhook-url", url)
    dead = sqs.get_queue_url(QueueName="mono-pipeline-local-dead-letters")["QueueUrl"]
    sqs.purge_queue(QueueUrl=dead)

    code, document = monoctl(*asked, "--release", "preflight-e2e")
    assert (failing(document), code, document["passed"]) == ({}, 0, True)
    assert [line["name"] for line in document["lines"]] == list(CHECKS)
    assert document["recorded_in"] == "preflight-e2e"
    assert stack.record["mono_webhook_secret"] not in json.dumps(document)
    _, shown = monoctl("release", "show", "--release", "preflight-e2e")
    kinds = [event["kind"] for event in shown["events"]]
    assert kinds == ["preflight.checked", "webhook.confirmed"]

    sqs.send_message(QueueUrl=dead, MessageBody='{"type": "mono.fetch.requested"}')
    flag("flase")
    secret = "/mono-pipeline/local/MONO_WEBHOOK_SECRET"
    ssm.put_parameter(Name=secret, Value="too-short", Type="SecureString", Overwrite=True)
    try:
        code, document = monoctl("preflight", "--prometheus", prometheus)
    finally:
        kept = stack.record["mono_webhook_secret"]
        ssm.put_parameter(Name=secret, Value=kept, Type="SecureString", Overwrite=True)
        sqs.purge_queue(QueueUrl=dead)
    wrong = failing(document)
    assert code == 7
    assert {"MONO_WEBHOOK_SECRET", "flag", "dead letters", "webhook URL", "webhook arrives"} <= set(wrong)
    assert "9 characters" in wrong["MONO_WEBHOOK_SECRET"]
    assert "flase" in wrong["flag"]
    assert wrong["dead letters"] == "1 wait"
    assert url in wrong["webhook URL"]


def test_a_shadow_sync_reads_through_the_ops_function_with_the_flag_off(
    monoctl: Monoctl, new_account: Callable[..., str]
) -> None:
    """All would be inserted, and nothing is there afterwards."""
    account = new_account(transactions=130)
    assert monoctl("accounts", "import", account)[0] == 0

    code, document = monoctl("sync", account, "--shadow")

    assert (code, document["counts"]["inserted"], document["verdict"]["kind"]) == (0, 130, "verified")
    _, shown = monoctl("accounts", "show", account)
    assert shown["account"]["transactions"] == 0
