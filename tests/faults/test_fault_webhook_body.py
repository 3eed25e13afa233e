"""What comes with the right secret and is no event of ours, and what is sent past the route."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from functions.webhook import app
from local.gateway import Gateway
from local.template import Template
from mono_pipeline.adapters.queue import read_webhook_received
from mono_pipeline.http.webhook_call import LARGEST_BODY
from tests.webhook_door import BODY, PATH, SECRET, TOLD, WITH_SECRET, Door, rest_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.lambda_pool import LambdaService


def test_W06_base64(door: Door, seen: Callable[[str], None]) -> None:
    """The bytes count where the flag is right; where it is wrong nothing is guessed. 400 needs the secret."""
    encoded = base64.b64encode(BODY.encode()).decode()

    def ask(body: str, *, flag: Any, secret: str = SECRET) -> int:
        return door.call(rest_event(body, {"mono-webhook-secret": secret}, isBase64Encoded=flag)).status

    assert ask(encoded, flag=True) == 200
    assert [ask(BODY, flag=True), ask(encoded + "=", flag=True), ask("=", flag=True), ask("é", flag=True)] == [400] * 4
    assert [ask(encoded, flag=False), ask(encoded, flag=None), ask(encoded, flag="true")] == [400] * 3
    assert ask(BODY, flag=True, secret="x" * 40) == 401
    key = read_webhook_received(door.queue.bodies[0]).event.event_key
    assert key == f"body:{hashlib.sha256(BODY.encode()).hexdigest()}"
    seen("200 of the decoded bytes; 400 after the secret, 401 without it")


def padded(size: int) -> str:
    """A good body of so many bytes."""
    return BODY + " " * (size - len(BODY))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (None, 400),
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("null", 400),
        ("\ufeff{}", 400),
        ("\ud800", 400),
        ("[" * LARGEST_BODY, 400),
        ('{"a":' * (LARGEST_BODY // 5), 400),
        ('{"a":' + "9" * 5_000 + "}", 400),
        (padded(LARGEST_BODY), 200),
        (padded(LARGEST_BODY + 1), 413),
        ('"' + "é" * (LARGEST_BODY // 2) + '"', 413),
        ("x" * 1_000_000, 413),
        ("x" * 10_000_000, 413),
    ],
    ids=[
        "missing",
        "empty",
        "cut",
        "list",
        "null",
        "byte order mark",
        "surrogate",
        "deep lists",
        "deep objects",
        "long number",
        "20 kB",
        "20 kB and 1",
        "by bytes",
        "1 MB",
        "10 MB",
    ],
)
def test_W07_body(door: Door, seen: Callable[[str], None], body: str | None, status: int) -> None:
    """Too large before anything is looked at, also when it comes encoded; without sense only after the secret."""
    wrong = {"mono-webhook-secret": "x" * 40}
    encoded = base64.b64encode((body or "").encode("utf-8", "surrogatepass")).decode()

    assert door.call(rest_event(body, WITH_SECRET)).status == status
    assert door.call(rest_event(encoded, WITH_SECRET, isBase64Encoded=True)).status == status
    assert door.call(rest_event(body, wrong)).status == (413 if status == 413 else 401)
    if status == 413:
        assert door.ssm.calls == 0
    seen("413 before anything" if status == 413 else f"{status}")


@pytest.mark.usefixtures("door")
def test_W07_body_is_not_parsed_before_the_secret(seen: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser does not see what anybody on the internet sends."""
    parsed: list[Any] = []
    real = json.loads

    def spy(text: Any) -> Any:
        parsed.append(text)
        return real(text)

    monkeypatch.setattr(json, "loads", spy)

    event = rest_event(BODY, {"mono-webhook-secret": "x" * 40})
    assert app.handler(event, None)["statusCode"] == 401  # type: ignore[arg-type]
    assert parsed == []
    assert app.handler(rest_event(BODY, WITH_SECRET), None)["statusCode"] == 200  # type: ignore[arg-type]
    assert parsed == [BODY]
    seen("no parser without the secret")


def test_W08_what_concerns_nobody_here(
    monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    """Unknown events and other apps: 200, counted. The answer for an account we know is that for one we do not."""
    door = Door(monkeypatch, MONO_APP_ID="our-app")
    unknown = door.post({**TOLD, "event": "mono.events.new_transaction"})
    other = door.post({**TOLD, "data": {**TOLD["data"], "app": "another"}})
    known, stranger = door.post(), door.post({**TOLD, "data": {"account": "f" * 24}})

    assert [answer.status for answer in (unknown, other, known, stranger)] == [200] * 4
    assert unknown == other
    assert known == stranger
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["reason"] for line in lines] == ["unknown_event", "other_app", "updated", "updated"]
    assert lines[0]["event"] == "mono.events.new_transaction"
    assert len(door.queue.bodies) == 2
    seen("200, counted by name; the answers do not differ")


class NoFunction:
    """A Lambda service that must not be asked."""

    async def invoke(self, name: str, payload: bytes) -> Any:
        """Fail: the gateway let something through."""
        raise AssertionError(f"{name} was invoked with {len(payload)} bytes")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_W09_other_methods(seen: Callable[[str], None], method: str) -> None:
    """The API has a POST and nothing else there."""
    assert gateway_answers(method, PATH) == 403
    seen("API Gateway's own 403 for what is no route; the function is not invoked")


@pytest.mark.parametrize(
    "path",
    [
        PATH + "/",
        "/" + PATH,
        PATH.replace("/mono/", "//mono/"),
        PATH.replace("/webhook", "%2Fwebhook"),
        PATH + "/..",
        PATH.replace("webhook", "WEBHOOK"),
        PATH + "%00",
        PATH + ";a=b",
        "/api/v1/webhooks",
    ],
)
def test_W09_other_paths(seen: Callable[[str], None], path: str) -> None:
    """No spelling of the path but one is the path."""
    assert gateway_answers("POST", path) == 403
    seen("other paths the same")


def gateway_answers(method: str, path: str) -> int:
    """The embedded gateway's status code; it must not reach a function."""

    async def ask() -> int:
        async def tick() -> list[dict[str, Any]]:
            return []

        gateway = Gateway(Template.expand(), cast("LambdaService", NoFunction()), tick=tick, status=dict)
        transport = httpx.ASGITransport(gateway.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            url = httpx.URL("http://gateway").copy_with(raw_path=path.encode())
            return (await client.request(method, url, headers=WITH_SECRET)).status_code

    return asyncio.run(ask())
