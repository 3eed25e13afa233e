"""What holds of the webhook's door whatever is sent: nobody in without the secret, nothing lost, nothing told."""

from __future__ import annotations

import json
import logging
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from functions.webhook import app
from local.sandbox.sandbox import Sandbox
from local.sandbox.webhooks import Event, webhook_body
from mono_pipeline.adapters.webhook_settings import KEPT_SECONDS, RETRY_SECONDS
from mono_pipeline.core.webhook_outcome import WebhookConclusion, WebhookReason
from mono_pipeline.http.webhook_call import answer
from tests.canaries import leaves, planted
from tests.faults.webhook_fuzz import calls
from tests.webhook_door import BODY, OLD_SECRET, SECRET, TOLD, WITH_SECRET, Door, http_event, rest_event

if TYPE_CHECKING:
    from collections.abc import Iterator

FUZZED = 25_000
SEEDS = 5
KINDS = (
    "account_connected",
    "account_updated",
    "account_reauthorized",
    "jobs_update",
    "account_unlinked",
    "reauthorisation_required",
    "sync_failed",
    "account_synced",
    "account_income",
    "account_credit_worthiness",
    "transaction_categorisation",
    "transaction_metadata",
    "statement_insights",
)
CANARIES: dict[str, Any] = {
    "name": "Canary Olamide Adeyemi",
    "account number": "0987654321",
    "BVN": "22287654321",
    "balance": 98765432101,
    "narration": "TRF/CANARY/school fees",
    "line": 'canary"}\n{"_aws": "canary"}',
    "e-mail": "canary@example.com",
}
# what may be told: the answers' wording, without the id that each has of its own
WORDINGS = {
    json.dumps({**json.loads(answer(WebhookConclusion(reason=reason), "")["body"])}): reason for reason in WebhookReason
}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_I26_nothing_is_done_for_who_has_no_secret(
    rotating: Door, capfd: pytest.CaptureFixture[str], seed: int
) -> None:
    """Of 25,000 fuzzed calls none without the secret is accepted or has an effect, and none at all fails."""
    statuses: dict[tuple[bool, int], int] = {}
    for number, call in enumerate(calls(Random(seed), FUZZED // SEEDS)):  # noqa: S311 - a replayable seed
        before = len(rotating.queue.bodies)
        told = rotating.call(call.event)
        where = f"seed {seed}, call {number}: {json.dumps(call.event)[:2000]}"
        assert json.dumps({**told.body, "correlation_id": ""}) in WORDINGS, where
        if call.has_secret:
            assert told.status in (200, 400, 413), where
            assert len(rotating.queue.bodies) - before == (told.body["status"] == "accepted"), where
        else:
            assert told.status in (401, 413), where
            assert len(rotating.queue.bodies) == before, where
        key = (call.has_secret, told.status)
        statuses[key] = statuses.get(key, 0) + 1

    # each kind of answer was really reached
    assert set(statuses) == {(True, 200), (True, 400), (True, 413), (False, 401), (False, 413)}
    assert min(statuses.values()) > 50
    assert rotating.queue.bodies
    assert rotating.ssm.calls == 1
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert all(line["service"] == "mono-pipeline" for line in lines)


def test_I27_accepted_means_durable(door: Door) -> None:
    """SQS takes one and fails one, at random: 200 for exactly those that it has, 503 for all others."""
    random = Random(27)  # noqa: S311 - a replayable seed
    for _ in range(500):
        door.queue.down = random.random() < 0.5
        before = len(door.queue.bodies)
        status = door.post().status
        assert (status, len(door.queue.bodies) - before) == ((503, 0) if door.queue.down else (200, 1))


def test_I28_a_secret_that_cannot_be_read_lets_nobody_in(door: Door) -> None:
    """SSM comes and goes, its secret is good, short, empty, in clear or not there: 200 only by a good one."""
    random = Random(28)  # noqa: S311 - a replayable seed
    good_until = unread_until = door.now
    seen = set()
    for _ in range(3_000):
        door.now += random.choice((0.5, 3.0, 20.0))
        door.ssm.down = random.random() < 0.3
        door.ssm.kind = random.choice(("SecureString", "SecureString", "SecureString", "String"))
        value = random.choice((SECRET, SECRET, SECRET, "", " " * 40, "x" * 31, None))
        door.ssm.secrets = {} if value is None else {"MONO_WEBHOOK_SECRET": value}
        asked = door.now >= max(good_until, unread_until)
        calls_before = door.ssm.calls
        statuses = [
            door.call(rest_event(BODY, {"mono-webhook-secret": presented})).status
            for presented in (SECRET, "", value or "", "x" * 40)
        ]
        assert door.ssm.calls - calls_before == asked
        if asked:
            good = not door.ssm.down and door.ssm.kind == "SecureString" and value == SECRET
            good_until, unread_until = (
                (door.now + KEPT_SECONDS, door.now) if good else (door.now, door.now + RETRY_SECONDS)
            )
        if door.now < good_until:
            assert (statuses[0], statuses[1], statuses[3]) == (200, 401, 401)
        else:
            assert statuses == [503] * 4
        seen.add(statuses[0])
    assert seen == {200, 503}


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """A body of each kind of event, with its fields as Mono fills them, and some more."""
    sandbox = Sandbox(seed="canaries")
    link = sandbox.link(str(sandbox.create_account(transactions=1)["id"]))
    for name in KINDS:
        event = Event(
            name=name,  # type: ignore[arg-type]
            link=link,
            at=sandbox.clock.now(),
            number=1,
            app=sandbox.app,
            business="68ca0000000000000000aaaa",
            job_id="68c9928e2f51b0693d5fffeb",
            sync_status="SUCCESSFUL",
            has_new_data=True,
        )
        yield name, {**webhook_body(event), "narration": "x", "transactions": [{"narration": "x", "amount": 1}]}


@pytest.mark.parametrize("canary", CANARIES.values(), ids=CANARIES)
def test_I31_nothing_personal_leaves_the_door(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    canary: Any,
) -> None:
    """In each field alone and in all at once, of each event, with and without the secret, with SQS and without.

    Looked at is everything that comes out: answers, messages, standard output and error, and Python's own log.
    """
    caplog.set_level(logging.DEBUG)
    door = Door(monkeypatch, MONO_APP_ID="our-app")
    app_less = Door(monkeypatch)
    out: list[str] = []
    count = 0
    for delivery in (door, app_less):
        monkeypatch.setattr(app, "_delivery", lambda delivery=delivery: delivery.delivery)
        for name, told in documents():
            paths = list(leaves(told))
            for places in (*([path] for path in paths), paths):
                for delivery.queue.down in (False, True):
                    body = json.dumps(planted(told, places, canary))
                    for event in (
                        rest_event(body, WITH_SECRET),
                        rest_event(body, {"mono-webhook-secret": str(canary)}),
                    ):
                        out.append(json.dumps(app.handler(event, None)))  # type: ignore[arg-type]
                        count += 1
            assert count, name
        out += delivery.queue.bodies
    everywhere = {"path": str(canary), "requestContext": {"requestId": str(canary)}, "rawQueryString": str(canary)}
    for form in (rest_event, http_event):
        odd = form(f"not JSON: {canary}", {**WITH_SECRET, "user-agent": str(canary), "x-a": str(canary)})
        out.append(json.dumps(app.handler({**odd, **everywhere}, None)))  # type: ignore[arg-type]

    captured = capfd.readouterr()
    everything = "\n".join((*out, captured.out, captured.err, caplog.text))
    assert "mono.webhook.accepted" in everything
    assert "mono.webhook.received" in everything
    assert str(canary) not in everything
    assert "canary" not in everything.lower()
    for secret in (SECRET, OLD_SECRET, SECRET[:12]):
        assert secret not in everything


def test_I31_a_defect_of_ours_does_not_quote_the_body(
    door: Door, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An exception that nobody foresaw reaches Lambda's own log by its traceback, which has no values of ours."""
    canary = CANARIES["BVN"]

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(door.queue, "send", fail)
    told = {**TOLD, "data": {**TOLD["data"], "bvn": canary}}
    with pytest.raises(ZeroDivisionError) as failure:
        door.post(told)
    assert canary not in str(failure.value)
    assert canary not in capfd.readouterr().out
