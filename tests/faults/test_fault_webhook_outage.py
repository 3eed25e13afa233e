"""A door that cannot tell who knocks, or has nowhere to put what it takes; and what a flood costs."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest

from functions.webhook import app
from mono_pipeline.adapters import aws
from mono_pipeline.adapters.webhook_settings import load_webhook_settings
from tests.webhook_door import BODY, OLD_SECRET, SECRET, WITH_SECRET, Door, rest_event

if TYPE_CHECKING:
    from collections.abc import Callable


FLOOD = 10_000
# As promised: the settings have constants of their own.
KEPT_SECONDS: Final = 60.0
RETRY_SECONDS: Final = 5.0


SHORT = "x" * 31


UNUSABLE: dict[str, dict[str, str]] = {
    "unset": {},
    "empty": {"MONO_WEBHOOK_SECRET": ""},
    "white space": {"MONO_WEBHOOK_SECRET": " " * 40},
    "white space around": {"MONO_WEBHOOK_SECRET": f" {SECRET}\n"},
    "short": {"MONO_WEBHOOK_SECRET": SHORT},
    "placeholder": {"MONO_WEBHOOK_SECRET": "changeme-" * 5},
    "the one before short": {"MONO_WEBHOOK_SECRET": SECRET, "MONO_WEBHOOK_SECRET_PREVIOUS": SHORT},
}


@pytest.mark.parametrize("secrets", UNUSABLE.values(), ids=UNUSABLE)
def test_W05_unusable_configuration(
    door: Door, seen: Callable[[str], None], capfd: pytest.CaptureFixture[str], secrets: dict[str, str]
) -> None:
    """Whatever is presented, the unusable secret itself and nothing at all among it: 503, an error is counted."""
    door.ssm.secrets = secrets
    presented = [{}, {"mono-webhook-secret": ""}, WITH_SECRET, *({"mono-webhook-secret": s} for s in secrets.values())]

    answers = [door.call(rest_event(BODY, headers)) for headers in presented]

    assert {answer.status for answer in answers} == {503}
    assert door.queue.connections == 0
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert {(line["level"], line["reason"], line["stage"]) for line in lines} == {
        ("ERROR", "not_configured", "webhook")
    }
    assert all("monoctl" in line["detail"] for line in lines)
    assert not any(text in line["detail"] for line in lines for text in secrets.values() if text.strip())
    seen("503, counted, says which setting")


def test_W05_secret_where_many_can_read_it(monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None]) -> None:
    """Stored in clear, or in the function's environment outside local: 503."""
    in_clear = Door(monkeypatch)
    in_clear.ssm.kind = "String"
    assert in_clear.post().status == 503
    in_environment = Door(monkeypatch, ENVIRONMENT="prod", MONO_WEBHOOK_SECRET=SECRET)
    assert in_environment.post().status == 503
    seen("in clear: 503")


def test_W12_flood(rotating: Door, seen: Callable[[str], None], capfd: pytest.CaptureFixture[str]) -> None:
    """Ten thousand wrong secrets within twenty minutes: SSM is asked once a minute, SQS never, the log stays short."""
    for number in range(FLOOD):
        rotating.now += 1200 / FLOOD
        assert rotating.call(rest_event(BODY, {"mono-webhook-secret": f"guess-{number}-{'x' * 40}"})).status == 401
    rotating.now += 1
    rotating.call(rest_event(BODY, {"mono-webhook-secret": "the last one"}))

    written = capfd.readouterr().out
    lines = [json.loads(line) for line in written.splitlines()]
    assert (rotating.queue.connections, rotating.queue.calls) == (0, 0)
    assert rotating.ssm.calls <= 1200 / KEPT_SECONDS + 1
    assert sum(line["taxpoynt_mono_pipeline_webhooks_total"] for line in lines) == FLOOD + 1
    assert {line["reason"] for line in lines} == {"wrong_secret"}
    assert "guess" not in written
    seen(f"{rotating.ssm.calls} calls to SSM in 20 min, 0 to SQS; {FLOOD + 1} counted")


def test_W12_flood_within_a_second(door: Door, seen: Callable[[str], None], capfd: pytest.CaptureFixture[str]) -> None:
    """Ten lines of it, and what they do not tell is told by the next."""
    for _ in range(FLOOD):
        door.post(mono_webhook_secret="x" * 40)
    door.now += 1
    door.post(mono_webhook_secret="x" * 40)

    counts = [json.loads(line)["taxpoynt_mono_pipeline_webhooks_total"] for line in capfd.readouterr().out.splitlines()]
    assert counts == [1] * 10 + [FLOOD - 10 + 1]
    seen(f"{FLOOD} within a second: {len(counts)} lines")


def test_W12_ssm_that_is_down_is_not_asked_by_everybody(door: Door, seen: Callable[[str], None]) -> None:
    """Anybody can make the function look for its secret: every five seconds, not with each call."""
    door.ssm.down = True
    for _ in range(FLOOD):
        door.now += 60 / FLOOD
        assert door.post(mono_webhook_secret="x" * 40).status == 503
    calls = door.ssm.calls
    assert calls <= 60 / RETRY_SECONDS + 1
    while door.ssm.calls == calls:  # until one has just failed: longer than from then on nobody is refused
        door.now += 1
        door.post()
    door.ssm.down = False
    door.now += RETRY_SECONDS
    assert door.post().status == 200
    seen(f"with SSM down {calls} calls in a minute, 200 within {RETRY_SECONDS:.0f} s of its return")


def test_W12_secret_rotated_during_traffic(door: Door, seen: Callable[[str], None]) -> None:
    """In the overlap nobody is refused; what was removed is refused within the age of the cache (row L14)."""

    def statuses() -> list[int]:
        return [door.post(mono_webhook_secret=secret).status for secret in (OLD_SECRET, SECRET)]

    door.ssm.secrets = {"MONO_WEBHOOK_SECRET": OLD_SECRET}
    assert statuses() == [200, 401]
    door.ssm.secrets = {"MONO_WEBHOOK_SECRET": SECRET, "MONO_WEBHOOK_SECRET_PREVIOUS": OLD_SECRET}
    door.now += KEPT_SECONDS
    for _ in range(100):
        door.now += KEPT_SECONDS / 7
        assert statuses() == [200, 200]
    door.ssm.secrets = {"MONO_WEBHOOK_SECRET": SECRET}
    door.now += KEPT_SECONDS
    assert statuses() == [401, 200]
    seen(f"rotation: 0 refused in the overlap, the old one after {KEPT_SECONDS:.0f} s")


@pytest.fixture
def _real_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function as it builds itself, with the secret in the environment as only the embedded stack allows."""
    for name, text in {
        "ENVIRONMENT": "local",
        "MONO_WEBHOOK_SECRET": SECRET,
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }.items():
        monkeypatch.setenv(name, text)
    app._delivery.cache_clear()
    app._queue.cache_clear()


@pytest.mark.integration
@pytest.mark.usefixtures("_real_clients")
@pytest.mark.parametrize("hangs", [False, True], ids=["refuses", "hangs"])
def test_W01_durable_or_503(monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None], *, hangs: bool) -> None:
    """AWS refuses connections, or takes them and never answers: 503 within two seconds, and a client to be made."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        if not hangs:
            listener.close()
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("QUEUE_URL", f"{url}/000000000000/daily")
        event = rest_event(BODY, WITH_SECRET)
        aws.aws_client("sqs", connect_seconds=1, read_seconds=1, attempts=1)  # loads what a warm function has loaded
        began = time.monotonic()
        parameters_down = app.handler(event, None)  # type: ignore[arg-type]
        took = time.monotonic() - began
        app._delivery()._settings = lambda: load_webhook_settings(os.environ, _NoParameters())
        began = time.monotonic()
        queue_down = app.handler(event, None)  # type: ignore[arg-type]
        took = max(took, time.monotonic() - began)

    assert (parameters_down["statusCode"], queue_down["statusCode"]) == (503, 503)
    assert took < 2.5
    seen(f"SSM or SQS {'hangs' if hangs else 'refuses'}: 503")


class _NoParameters:
    """An SSM without parameters."""

    def get_many(self, names: object) -> dict[str, Any]:
        """None of them."""
        del names
        return {}
