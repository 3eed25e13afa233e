"""A deployment asks for the schema's change once, waits as long as it may take, and says what came of it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest
from samtranslator.yaml_helper import yaml_parse

from local import deploy
from local.aws import CREDENTIALS
from local.deploy import DeployRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

APPLIED: Final = {"applied": ["0019_pre_more"]}


class Lambda(ThreadingHTTPServer):
    """Answers as Lambda does, and notes what it was asked for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body: Any = APPLIED
        self.asked: list[tuple[str, Any]] = []


class Asked(BaseHTTPRequestHandler):
    """One invocation."""

    server: Lambda

    def do_POST(self) -> None:
        """Note it, and answer what the test says."""
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, json.loads(sent)))
        body = json.dumps(self.server.body).encode()
        self.send_response(self.server.status)
        for name, text in {**self.server.headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        """Say nothing."""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lambda]:
    """Where boto3 finds Lambda."""
    with Lambda() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        for name, text in {**CREDENTIALS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}.items():
            monkeypatch.setenv(name, text)
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("phase", ["pre", "all"])
def test_what_was_applied_is_told(aws: Lambda, phase: str) -> None:
    """By the function of the environment."""
    assert deploy.migrate("prod", phase) == APPLIED["applied"]
    assert aws.asked == [("/2015-03-31/functions/mono-pipeline-prod-migrate/invocations", {"phase": phase})]


def test_a_change_that_fails_is_told_with_its_reason(aws: Lambda) -> None:
    """Lambda answers 200 and says in a header that the function failed."""
    aws.headers = {"X-Amz-Function-Error": "Unhandled"}
    aws.body = {"errorMessage": "canceling statement due to lock timeout"}

    with pytest.raises(DeployRefused, match="lock timeout"):
        deploy.migrate("prod", "pre")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(503, "ServiceException"), (429, "TooManyRequestsException")],
    ids=["outage", "at work already"],
)
def test_who_gets_no_answer_does_not_ask_again_and_says_so(aws: Lambda, status: int, kind: str) -> None:
    """A second function would meet the first, which holds the schema; and a traceback helps nobody."""
    aws.status, aws.body = status, {"message": "no"}
    aws.headers = {"x-amzn-ErrorType": kind}

    with pytest.raises(DeployRefused, match="mono-pipeline-prod-migrate did not answer"):
        deploy.migrate("prod", "pre")

    assert len(aws.asked) == 1


def test_a_long_change_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 by itself gives up after a minute, and asks again."""
    stack = yaml_parse(deploy.MIGRATIONS_TEMPLATE.read_text())
    may_take = stack["Resources"]["Migrate"]["Properties"]["Timeout"]
    waits: list[Any] = []

    def refuse(_service: str, **options: Any) -> None:
        waits.append(options["config"].read_timeout)
        raise DeployRefused("asked")

    monkeypatch.setattr(deploy.boto3, "client", refuse)
    with pytest.raises(DeployRefused, match="asked"):
        deploy.migrate("prod", "pre")

    assert waits[0] > may_take
