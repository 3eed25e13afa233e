"""What Mono is answered: 200 only for what is on a queue, so that everything else is sent again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.adapters.emf import WEBHOOKS
from mono_pipeline.adapters.queue import read_webhook_received
from mono_pipeline.core.webhook_event import WebhookKind
from tests.webhook_door import ACCOUNT, SECRET, TOLD, Door, rest_event

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
SLOW_TO_LOAD = ("pydantic", "httpx", "pg8000", "boto3", "aws_lambda_powertools")


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Door:
    """A door whose app is `our-app`."""
    return Door(monkeypatch, MONO_APP_ID="our-app")


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Reads what was written to standard output since it was last asked."""
    return lambda: [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_an_event_is_on_the_queue_when_mono_is_answered(door: Door) -> None:
    """One message: ids and closed words, with API Gateway's id for the logs that follow."""
    answer = door.post()

    (body,) = door.queue.bodies
    message = read_webhook_received(body)
    assert (answer.status, answer.body["status"]) == (200, "accepted")
    assert (message.account_id, message.event.kind) == (ACCOUNT, WebhookKind.UPDATED)
    assert message.correlation_id == answer.body["correlation_id"] == "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"


def test_an_event_that_no_queue_took_is_not_acknowledged(door: Door) -> None:
    """503, so that Mono sends it again, and it is accepted once SQS is back."""
    door.queue.down = True
    refused = door.post()
    door.queue.down = False

    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    assert door.post().status == 200


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({**TOLD, "data": {**TOLD["data"], "app": "another"}}, "other_app"),
        ({**TOLD, "data": {**TOLD["data"], "app": ["our-app"]}}, "other_app"),
        ({**TOLD, "data": {}}, "no_account"),
        ({**TOLD, "event": "mono.events.account_income"}, "ignored_event"),
        ({**TOLD, "event": "mono.events.new_transaction"}, "unknown_event"),
        ({**TOLD, "event": 7}, "unknown_event"),
        ({}, "unknown_event"),
    ],
)
def test_what_is_not_ours_is_acknowledged_counted_and_dropped(
    door: Door, lines: Callable[[], list[dict[str, Any]]], told: dict[str, Any], reason: str
) -> None:
    """200 all the same: sending it again would change nothing. The event's name is in the log, not in the metric."""
    answer = door.post(told)

    assert (answer.status, answer.body["status"], door.queue.calls) == (200, "ignored", 0)
    (line,) = lines()
    assert (line["outcome"], line["reason"]) == ("ignored", reason)
    assert line["event"] == (told.get("event") if isinstance(told.get("event"), str) else None)
    assert "event" not in line["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0]


def test_unknown_events_are_counted_by_their_names(door: Door, lines: Callable[[], list[dict[str, Any]]]) -> None:
    """The query of docs/webhooks.md over the lines: the metric's value, added up by the name beside it."""
    names = ["mono.events.new_thing", "mono.events.other_thing", "mono.events.new_thing"]
    for name in names:
        door.post({**TOLD, "event": name})

    counted: Counter[str] = Counter()
    for line in lines():
        if line["reason"] == "unknown_event":
            counted[line["event"]] += line[WEBHOOKS.name]
    assert counted == Counter(names)
    query = f'filter reason = "unknown_event" | stats sum({WEBHOOKS.name}) by event'
    assert query in (ROOT / "docs" / "webhooks.md").read_text()


def test_our_own_app_and_an_event_without_an_app_are_accepted(door: Door) -> None:
    """Events of before 2025 name none."""
    assert door.post({**TOLD, "data": {**TOLD["data"], "app": "our-app"}}).body["status"] == "accepted"
    assert door.post().body["status"] == "accepted"


def test_every_line_is_a_log_event_and_a_metric_at_once(door: Door, lines: Callable[[], list[dict[str, Any]]]) -> None:
    """EMF: each dimension and metric is a member of the line; an outage of ours counts as an error of its stage too."""
    door.post()
    door.post(mono_webhook_secret="x" * 40)
    door.queue.down = True
    door.post()

    accepted, refused, unavailable = lines()
    assert [line["message"] for line in (accepted, refused, unavailable)] == [
        "mono.webhook.accepted",
        "mono.webhook.refused",
        "mono.webhook.unavailable",
    ]
    assert [line["level"] for line in (accepted, refused, unavailable)] == ["INFO", "WARNING", "ERROR"]
    assert (accepted["account_id"], accepted["event"]) == (ACCOUNT, TOLD["event"])
    for line in (accepted, refused, unavailable):
        assert line["service"] == "mono-pipeline"
        for directive in line["_aws"]["CloudWatchMetrics"]:
            assert directive["Namespace"] == "TaxPoynt"
            assert all(isinstance(line[name], str) for name in directive["Dimensions"][0])
            assert [line[metric["Name"]] for metric in directive["Metrics"]] == [1]
    metrics = [each["Metrics"][0]["Name"] for each in unavailable["_aws"]["CloudWatchMetrics"]]
    assert metrics == ["taxpoynt_mono_pipeline_webhooks_total", "taxpoynt_mono_pipeline_errors_total"]
    assert (unavailable["stage"], unavailable["reason"]) == ("webhook", "queue_unavailable")
    assert len(accepted["_aws"]["CloudWatchMetrics"]) == 1


def test_no_answer_is_kept_by_a_cache_on_its_way(door: Door) -> None:
    """Whatever it says."""
    answers = [door.post(), door.post({}), door.post(mono_webhook_secret="wrong")]

    assert {answer.headers["Cache-Control"] for answer in answers} == {"no-store"}
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/json"}


@pytest.mark.parametrize(
    "request_id", [None, 7, "", "a b cdefgh", "x" * 65, "\n{}", "é" * 9, "22287654321", SECRET[:7]]
)
def test_an_id_of_another_form_reaches_neither_log_nor_answer(door: Door, request_id: Any) -> None:
    """API Gateway makes it, and the function trusts nobody's word for that."""
    event = rest_event("{}", {"mono-webhook-secret": SECRET}, requestContext={"requestId": request_id})

    assert door.call(event).body["correlation_id"] == ""


def test_the_function_loads_nothing_that_it_does_not_need() -> None:
    """Neither the database's nor Mono's libraries, at import or ever; boto3 when the first call to AWS is made.

    msgspec it loads, of which its records are made: 12 ms that making them as dataclasses costs as well.
    """
    program = (
        "import sys; import functions.webhook.app as app;"
        "from mono_pipeline.http.webhook_call import read_webhook_call;"
        "from mono_pipeline.usecases.webhook_delivery import WebhookDelivery;"
        f"print(sorted(set({SLOW_TO_LOAD!r}) & set(sys.modules)))"
    )
    told = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'layers' / 'common'}", "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.strip() == "[]"
