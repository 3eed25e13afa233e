"""The events for `sam local invoke` are what the template's sources really send."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.proxy_event import Routes
from local.template import ROOT, Template

PREFIXES = {
    "SyncApi": ("sync_api", "health"),
    "SyncSchedule": ("sync_schedule",),
    "SyncWorker": ("sync_worker",),
    "BackfillWorker": ("backfill_worker",),
    "Webhook": ("webhook",),
    "DlqReplay": ("dlq_replay",),
    "Ops": ("ops",),
    "PreTrafficHook": ("pre_traffic_hook",),
}
EVENTS = sorted((ROOT / "events").glob("*.json"))


@pytest.fixture(scope="module")
def template() -> Template:
    """The template of the environment that the events name."""
    return Template.expand()


def receiver(template: Template, event: dict[str, Any]) -> str:
    """The function that would get this event."""
    if "httpMethod" in event:
        found = Routes(template.routes).match(event["httpMethod"], event["path"])
        assert found is not None
        assert (found[0].path, found[1] or None) == (event["resource"], event["pathParameters"])
        return found[0].function
    if "Records" in event:
        arns = {record["eventSourceARN"] for record in event["Records"]}
        (function,) = (source.function for source in template.event_sources if source.queue_arn in arns)
        return function
    if event.get("source") == "aws.scheduler":
        (schedule,) = (s for s in template.schedules if event["resources"][0].endswith(f"/{s.name}"))
        return schedule.function
    if "LifecycleEventHookExecutionId" in event:
        return "PreTrafficHook"
    assert "action" in event
    return "Ops"


@pytest.mark.parametrize("path", EVENTS, ids=lambda path: path.stem)
def test_an_event_goes_where_its_name_says(template: Template, path: Any) -> None:
    """`sync_worker.json` is a record of the daily queue, and so on."""
    assert path.stem.startswith(PREFIXES[receiver(template, json.loads(path.read_text()))])


def test_every_function_has_a_sample(template: Template) -> None:
    """Whoever tries one by hand finds something to send."""
    assert {receiver(template, json.loads(path.read_text())) for path in EVENTS} == set(template.functions)


def test_every_route_queue_and_schedule_has_a_sample(template: Template) -> None:
    """Each as its source really sends it: a route by its method and path, a schedule by its own input."""
    events = [json.loads(path.read_text()) for path in EVENTS]
    assert {(e["httpMethod"], e["resource"]) for e in events if "httpMethod" in e} == {
        (route.method, route.path) for route in template.routes
    }
    sources = {record["eventSourceARN"] for event in events for record in event.get("Records", [])}
    assert sources == {source.queue_arn for source in template.event_sources}
    for schedule in template.schedules:
        if schedule.payload is None:
            assert any(schedule.name in "".join(event.get("resources", [])) for event in events), schedule.name
        else:
            assert json.loads(schedule.payload) in events, schedule.name
