"""Rows L: SSM or SQS that is down, slow, throttled or says nonsense, and a secret that is rotated in mid-traffic."""

from __future__ import annotations

import os
import time
from copy import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from functions.webhook import app
from mono_pipeline.adapters import aws
from mono_pipeline.adapters.dead_letter_queue import DeadLetterQueue, SentBack
from mono_pipeline.adapters.flag_reader import FlagReader
from mono_pipeline.adapters.parameters import ParameterStore
from mono_pipeline.adapters.webhook_settings import KeptSettings, load_webhook_settings
from mono_pipeline.core.dead_letter import FetchFailed, QueuedMessage
from mono_pipeline.core.errors import QueueUnavailable
from mono_pipeline.core.flag import decide
from mono_pipeline.usecases.wake_up import Served
from mono_pipeline.usecases.webhook_delivery import WebhookDelivery
from tests.faults.hostile_aws import BROKEN, HANGS, THROTTLED, HostileAws, Reply, parameter, refusal
from tests.webhook_door import BODY, OLD_SECRET, SECRET, WITH_SECRET, Door, rest_event

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.webhook_settings import WebhookSettings
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

FLAG: Final = "/mono-pipeline/dev/MONO_TRANSACTIONS_ENABLED"
SECRET_NAME: Final = "/mono-pipeline/dev/MONO_WEBHOOK_SECRET"
LAST_GOOD: Final = 300  # seconds, as promised: the reader has a constant of its own
KEPT_SECONDS: Final = 60.0  # a secret's, likewise
BOUND: Final = 2.5  # two seconds, and what a busy machine adds
CIPHERTEXT: Final = "AQICAHhOtSomebodyForgotToDecryptThisSecureString0123456789abcdefghijklmnopqrstuvwxyz=="
ANSWERS: Final = {
    "hangs": HANGS,
    "throttled": THROTTLED,
    "broken": BROKEN,
    "missing": refusal("ParameterNotFound"),
    "empty": parameter(""),
    "blank": parameter(" \n\t "),
    "ciphertext": parameter(CIPHERTEXT, kind="SecureString"),
    "wrong JSON": parameter('{"enabled": true, "percentage": '),
    "nonsense": Reply(told={"Parameter": None, "Parameters": []}, status=503),
}


@pytest.fixture
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function's environment on AWS: nothing but names and credentials."""
    for name, text in {
        "ENVIRONMENT": "dev",
        "QUEUE_URL": "http://127.0.0.1:1/000000000000/daily",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }.items():
        monkeypatch.setenv(name, text)
    aws.aws_client("ssm", connect_seconds=1, read_seconds=1, attempts=1)  # loads what a warm function has loaded


@pytest.mark.usefixtures("_credentials")
@pytest.mark.parametrize("how", ANSWERS)
def test_L13_no_flag_is_off(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None], how: str
) -> None:
    """Whatever SSM says or does not say: off within two seconds, and Mono is not called."""
    account = pipeline.link(transactions=5)
    pipeline.sandbox.clear_requests()
    with HostileAws(ANSWERS[how]) as hostile:
        monkeypatch.setenv("AWS_ENDPOINT_URL", hostile.url)
        flag = FlagReader(ParameterStore(), FLAG)
        began = time.monotonic()
        decision = decide(flag.read())
        took = time.monotonic() - began
        served = pipeline.wake(account, worker=replace(pipeline.worker, flag=flag))

    assert (decision.enabled, served) == (False, Served.DEFERRED)
    assert pipeline.sandbox.requests() == []
    assert hostile.calls > 0
    assert took < BOUND
    seen(f"{how}: off")


@pytest.mark.usefixtures("_credentials")
@pytest.mark.parametrize("how", ANSWERS)
def test_L13_no_secret_is_no_entry(monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None], how: str) -> None:
    """The right secret itself is refused within two seconds: 503, so that Mono comes again, and never 200."""
    with HostileAws(replace(ANSWERS[how], told=_named(ANSWERS[how].told))) as hostile:
        monkeypatch.setenv("AWS_ENDPOINT_URL", hostile.url)
        monkeypatch.setattr(app, "_delivery", _delivery)
        began = time.monotonic()
        answer = app.handler(rest_event(BODY, WITH_SECRET), None)  # type: ignore[arg-type]
        took = time.monotonic() - began

    # a ciphertext is a text like another: it is nobody's secret, and whoever sends it finds no queue at this address
    assert answer["statusCode"] == (401 if how == "ciphertext" else 503)
    assert hostile.calls > 0
    assert took < BOUND
    seen(f"secret {how}: {answer['statusCode']}")


def _named(told: Any) -> Any:
    """SSM's answer under the secret's own name, and as the SecureString that it must be."""
    if not isinstance(told, dict) or not told.get("Parameter"):
        return told
    found = {**told["Parameter"], "Name": SECRET_NAME, "Type": "SecureString"}
    return {"Parameter": found, "Parameters": [found], "InvalidParameters": []}


def _delivery(*, monotonic: Callable[[], float] = time.monotonic) -> WebhookDelivery:
    """The door as the function builds it, with a queue that nobody reaches."""
    load = partial(load_webhook_settings, os.environ, ParameterStore())
    return WebhookDelivery(
        settings=KeptSettings(load, monotonic=monotonic), connect=lambda _url: _NoQueue(), clock=time.time
    )


class _NoQueue:
    """Takes nothing."""

    def send(self, message: object, *, group: str) -> None:
        """Nobody comes so far."""
        raise AssertionError(f"{message} of {group} was let in")


@pytest.mark.usefixtures("_credentials")
def test_L13_the_last_flag_is_good_for_300_seconds(
    monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None]
) -> None:
    """From when it was read, while SSM does not answer; one that says nonsense ends it at once."""
    now = [0.0]
    with HostileAws(parameter("true")) as hostile:
        monkeypatch.setenv("AWS_ENDPOINT_URL", hostile.url)
        flag = FlagReader(ParameterStore(), FLAG, monotonic=lambda: now[0])
        on = [decide(flag.read()).enabled]
        hostile.reply = BROKEN
        for at in (LAST_GOOD - 1, LAST_GOOD + 1):
            now[0] = at
            on.append(decide(flag.read()).enabled)
        hostile.reply = parameter("true")
        now[0] += 60
        on.append(decide(flag.read()).enabled)
        hostile.reply = parameter("flase")
        now[0] += 60
        on.append(decide(flag.read()).enabled)

    assert on == [True, True, False, True, False]
    seen(f"the last flag counts for {LAST_GOOD} s, not beside a malformed one")


@pytest.mark.parametrize("step", [1, 7, 59], ids="asked every {} s".format)
def test_L14_rotated_during_traffic(door: Door, seen: Callable[[str], None], step: int) -> None:
    """Old, both, new: whoever uses the one that is Mono's at that time is never refused; the old one is, in the end.

    Mono is told the new secret once every environment has heard of it, a cache's age after it was written.
    """
    answers: dict[str, set[int]] = {"Mono's": set(), "old, in the end": set()}
    began = door.now
    door.ssm.secrets = {"MONO_WEBHOOK_SECRET": OLD_SECRET}

    def play(until: float, secret: str, group: str) -> None:
        while door.now - began < until:
            answers[group].add(door.post(mono_webhook_secret=secret).status)
            door.now += step

    play(70, OLD_SECRET, "Mono's")
    door.ssm.secrets = {"MONO_WEBHOOK_SECRET": SECRET, "MONO_WEBHOOK_SECRET_PREVIOUS": OLD_SECRET}
    play(70 + KEPT_SECONDS, OLD_SECRET, "Mono's")
    play(400, SECRET, "Mono's")
    door.ssm.secrets = {"MONO_WEBHOOK_SECRET": SECRET}
    play(400 + KEPT_SECONDS, SECRET, "Mono's")
    play(600, OLD_SECRET, "old, in the end")
    play(700, SECRET, "Mono's")

    assert answers == {"Mono's": {200}, "old, in the end": {401}}
    seen(f"0 refused of those that are Mono's; the old one refused {KEPT_SECONDS:.0f} s after its end")


@pytest.mark.parametrize("how", ["hangs", "throttled", "broken", "refuses"])
def test_L10_the_queue_takes_nothing(
    monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None], capfd: pytest.CaptureFixture[str], how: str
) -> None:
    """503 within two seconds, so that Mono sends it again; nothing says that it was accepted."""
    for name, text in {"ENVIRONMENT": "local", "MONO_WEBHOOK_SECRET": SECRET}.items():
        monkeypatch.setenv(name, text)
    for name in ("AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "eu-west-1")
    app._queue.cache_clear()
    aws.aws_client("sqs", connect_seconds=1, read_seconds=1, attempts=1)
    settings = _settings_without_ssm
    with HostileAws(ANSWERS.get(how, BROKEN)) as hostile:
        url = hostile.url if how != "refuses" else "http://127.0.0.1:1"
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        monkeypatch.setenv("QUEUE_URL", f"{url}/000000000000/daily")
        delivery = WebhookDelivery(settings=settings, connect=app._queue, clock=time.time)
        monkeypatch.setattr(app, "_delivery", lambda: delivery)
        began = time.monotonic()
        answer = app.handler(rest_event(BODY, WITH_SECRET), None)  # type: ignore[arg-type]
        took = time.monotonic() - began

    written = capfd.readouterr().out
    assert answer["statusCode"] == 503
    assert '"accepted"' not in written
    assert "queue" in written
    assert took < BOUND
    seen(f"SQS {how}: 503")


def _settings_without_ssm() -> WebhookSettings:
    class Nothing:
        def get_many(self, names: object) -> dict[str, Any]:
            """No parameter: the secret is in the environment, as the embedded stack may have it."""
            del names
            return {}

    return load_webhook_settings(os.environ, Nothing())


MESSAGE: Final = QueuedMessage(
    message_id="m-1", receipt="r-1", body="{}", sent_at=datetime(2026, 11, 24, tzinfo=UTC), receives=1
)
LETTER: Final = FetchFailed(account_id="a" * 24, correlation_id="c", run_id="r", error_code="e", streak=5)
ASKED: Final[dict[str, Callable[[DeadLetterQueue], object]]] = {
    "count": DeadLetterQueue.count,
    "receive": DeadLetterQueue.receive,
    "send": lambda queue: queue.send(LETTER),
    "send back": lambda queue: queue.send_back(
        [SentBack(key="k", queue_url="http://127.0.0.1:1/0/daily", body="{}", group="g", replays=1)]
    ),
    "delete": lambda queue: queue.delete([MESSAGE]),
    "release": lambda queue: queue.release([MESSAGE]),
}


@pytest.mark.usefixtures("_credentials")
@pytest.mark.parametrize("call", ASKED)
@pytest.mark.parametrize("how", ["throttled", "broken", "refuses"])
def test_L09_no_answer_of_the_dead_letter_queue_is_an_empty_one(
    monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None], how: str, call: str
) -> None:
    """Over the wire, at each of its calls: an outage, and neither "none left" nor "all taken"."""
    with HostileAws(ANSWERS.get(how, BROKEN)) as hostile:
        url = hostile.url if how != "refuses" else "http://127.0.0.1:1"
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        client = aws.aws_client("sqs", connect_seconds=1, read_seconds=1, attempts=1)
        queue = DeadLetterQueue(f"{url}/000000000000/dead", client, look_seconds=0)

        with pytest.raises(QueueUnavailable):
            ASKED[call](queue)
    seen("SQS throttles, breaks or refuses: an outage at each call")
