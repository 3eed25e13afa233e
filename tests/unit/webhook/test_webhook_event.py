"""What an event of Mono's is, in every shape that it has had (Mono contract 5.3)."""

from __future__ import annotations

import hashlib
import json
from copy import replace
from typing import Any

import pytest

from local.sandbox.sandbox import Sandbox
from local.sandbox.webhooks import Event, webhook_body
from mono_pipeline.adapters.queue import WebhookReceived, message_type, read_webhook_received
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.webhook_event import WebhookEvent, WebhookKind, read_webhook_event

ACCOUNT = "697926f050b9c321c1451dda"
JOB = "68c9928e2f51b0693d5fffeb"
KINDS = {
    "account_connected": WebhookKind.CONNECTED,
    "account_updated": WebhookKind.UPDATED,
    "account_reauthorized": WebhookKind.REAUTHORISED,
    "jobs_update": WebhookKind.JOB_UPDATED,
    "account_unlinked": WebhookKind.UNLINKED,
    "reauthorisation_required": WebhookKind.REAUTHORISATION_REQUIRED,
    "sync_failed": WebhookKind.SYNC_FAILED,
    "account_synced": WebhookKind.SYNCED,
    "account_income": WebhookKind.IGNORED,
    "account_credit_worthiness": WebhookKind.IGNORED,
    "transaction_categorisation": WebhookKind.IGNORED,
    "transaction_metadata": WebhookKind.IGNORED,
    "statement_insights": WebhookKind.IGNORED,
}


def read(told: Any) -> WebhookEvent:
    """The event in a body."""
    return read_webhook_event(json.dumps(told).encode())


def about(**data: Any) -> WebhookEvent:
    """An account_updated with this for `data`."""
    return read({"event": "mono.events.account_updated", "data": data})


@pytest.mark.parametrize("shape", ["current", "2025", "2024", "_id", "id", "string"])
@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_event_in_every_shape_is_read(name: str, shape: str) -> None:
    """Its kind and its account, whichever way the account is named; an event id where Mono gives one."""
    sandbox = Sandbox(seed="webhook shapes")
    link = sandbox.link(str(sandbox.create_account(transactions=1)["id"]))
    told = webhook_body(
        Event(
            name=name,  # type: ignore[arg-type]
            link=link,
            at=sandbox.clock.now(),
            number=1,
            app=sandbox.app,
            business="68ca",
            shape=shape,  # type: ignore[arg-type]
            job_id=JOB,
        )
    )

    event = read(told)

    assert (event.kind, event.account_id) == (KINDS[name], link.id)
    assert event.has_event_id == ("event_id" in told)
    assert (event.happened_at is not None) == ("timestamp" in told)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("mono.events.account_reauthorised", WebhookKind.REAUTHORISED),
        ("mono.events.reauthorization_required", WebhookKind.REAUTHORISATION_REQUIRED),
        ("mono.accounts.account_updated", WebhookKind.UPDATED),
        ("mono.events.new_transaction", WebhookKind.UNKNOWN),
        (None, WebhookKind.UNKNOWN),
        (["mono.events.account_updated"], WebhookKind.UNKNOWN),
    ],
)
def test_spellings_and_prefixes_that_are_mixed_up_mean_the_same(name: Any, kind: WebhookKind) -> None:
    """British or American, `mono.events.` or `mono.accounts.`; what nobody documents is unknown."""
    assert read({"event": name, "data": {"account": ACCOUNT}}).kind is kind


def test_the_sample_of_the_documents_is_read_whole() -> None:
    """Every field that the pipeline may act on, and none that tells of a person."""
    sample = {
        "event": "mono.events.account_updated",
        "event_id": "tDZCfxixom09P6eX2arBA3AmeiPyYalMk4WPd",
        "timestamp": "2026-01-27T22:00:38.856+01:00",
        "data": {
            "account": {"_id": ACCOUNT, "name": "Samuel Olamide", "accountNumber": "0131883461", "bvn": "22212345678"},
            "meta": {
                "data_status": "AVAILABLE",
                "retrieved_data": ["transactions", "identity", "Samuel"],
                "sync_status": "SUCCESSFUL",
                "job_id": JOB,
                "has_new_data": True,
            },
            "app": "68cb0000000000000000abcd",
        },
    }

    assert read(sample) == WebhookEvent(
        name="mono.events.account_updated",
        kind=WebhookKind.UPDATED,
        account_id=ACCOUNT,
        event_key="event:tDZCfxixom09P6eX2arBA3AmeiPyYalMk4WPd",
        has_event_id=True,
        happened_at="2026-01-27T21:00:38.856000+00:00",
        sync_status="SUCCESSFUL",
        data_status="AVAILABLE",
        retrieved_data=("identity", "transactions"),
        has_new_data=True,
        job_id=JOB,
        job_status=None,
        app="68cb0000000000000000abcd",
    )


def test_camel_case_is_read_like_snake_case() -> None:
    """Mono mixes both in one payload."""
    meta = {
        "dataStatus": "PARTIAL",
        "retrievedData": ["transactions"],
        "syncStatus": "FAILED",
        "jobId": JOB,
        "hasNewData": True,
    }
    event = about(account={"_id": ACCOUNT}, meta=meta)

    assert (event.data_status, event.sync_status, event.job_id) == ("PARTIAL", "FAILED", JOB)
    assert (event.retrieved_data, event.has_new_data) == (("transactions",), True)


def test_a_job_is_not_taken_for_an_account() -> None:
    """`data.id` of a job's event is the job; its status is read with it."""
    told = {"event": "mono.accounts.jobs.update", "data": {"account": ACCOUNT, "id": JOB, "status": "finished"}}

    event = read(told)
    assert (event.account_id, event.job_id, event.job_status) == (ACCOUNT, JOB, "FINISHED")
    assert read({**told, "data": {"id": JOB}}).account_id is None


def test_without_an_event_id_the_body_is_the_key() -> None:
    """Mono's second delivery is the same to the byte."""
    body = json.dumps({"event": "mono.events.account_unlinked", "data": {"account": {"id": ACCOUNT}}}).encode()

    assert read_webhook_event(body).event_key == f"body:{hashlib.sha256(body).hexdigest()}"
    assert read_webhook_event(body + b" ").event_key != read_webhook_event(body).event_key


def test_what_is_absent_and_what_is_unheard_of_differ() -> None:
    """A status that Mono invents tomorrow must not pass for one that it left out: success is an allow-list."""
    assert about(meta={}).sync_status is None
    assert about(meta={"sync_status": "PARTLY"}).sync_status == "UNKNOWN"
    assert about(meta={"sync_status": 1, "data_status": []}).data_status == "UNKNOWN"
    assert about(meta={"sync_status": "Successful"}).sync_status == "SUCCESSFUL"
    assert about(app=7).app == "UNKNOWN"
    assert about().app is None


@pytest.mark.parametrize(
    "free", ["Samuel Olamide", "0131883461", "22212345678", "5399831234567890", "mono.Samuel", "", 7, None, {}, ["x"]]
)
def test_what_tells_of_a_person_fits_no_field(free: Any) -> None:
    """A name, an account number, a BVN or a card number, wherever it is put, is not taken over."""
    everywhere = {
        "event": free,
        "event_id": free,
        "timestamp": free,
        "data": {
            "account": {"_id": free, "id": free, "name": free},
            "id": free,
            "status": free,
            "meta": dict.fromkeys(("data_status", "sync_status", "job_id", "has_new_data", "retrieved_data"), free),
        },
    }
    for told in (everywhere, {**everywhere, "event": "mono.accounts.jobs.update"}):
        event = read(told)
        assert (event.account_id, event.job_id, event.happened_at) == (None, None, None)
        assert event.event_key.startswith("body:")
        assert str(free) not in {event.name, event.sync_status, event.data_status, event.job_status} or free is None


@pytest.mark.parametrize(
    "moment", ["2026-01-27", "2026-01-27T21:00:38", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "x" * 5000, 5]
)
def test_a_moment_without_sense_is_none(moment: Any) -> None:
    """No zone, an epoch of zero, the end of time."""
    assert read({"event": "mono.events.account_updated", "timestamp": moment, "data": {}}).happened_at is None


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 20_000, b"9" * 5_000, b"\xef\xbb\xbf{}", b"{} {}"],
    ids=["empty", "cut", "list", "null", "text", "no UTF-8", "deep", "long number", "byte order mark", "two"],
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    """In words of ours, which repeat nothing of it."""
    with pytest.raises(InvalidInput) as refused:
        read_webhook_event(body)
    assert str(refused.value) in {"body: is not JSON", "body: is not an object"}


@pytest.mark.parametrize("data", [None, 5, [], "x", {"account": []}, {"meta": "x", "account": {"_id": None}}])
def test_an_object_of_any_form_is_an_event_about_nobody(data: Any) -> None:
    """Nothing of its inside is trusted to be there."""
    assert read({"event": "mono.events.account_updated", "data": data}).account_id is None


def test_the_message_that_carries_an_event_says_all_of_it_but_the_app() -> None:
    """There and back, small, and with its type."""
    event = about(
        account={"_id": ACCOUNT}, app="our-app", meta={"sync_status": "FAILED", "retrieved_data": ["balance"]}
    )
    sent = WebhookReceived(event=event, account_id=ACCOUNT, correlation_id="c-1")

    came = read_webhook_received(sent.body())

    assert came.event == replace(event, app=None)
    assert (came.account_id, came.correlation_id) == (ACCOUNT, "c-1")
    assert message_type(sent.body()) == "mono.webhook.received"
    assert len(sent.body()) < 2048


@pytest.mark.parametrize(
    "change",
    [
        {"type": "mono.fetch.requested"},
        {"account_id": "x"},
        {"correlation_id": None},
        {"event_key": None},
        {"event_key": "a b"},
        {"kind": "exploded"},
        {"sync_status": "GOOD"},
        {"job_id": "../x"},
    ],
)
def test_a_message_of_another_form_is_refused_by_the_field(change: dict[str, Any]) -> None:
    """It names the field, and such a message is never served."""
    sent = WebhookReceived(event=about(account=ACCOUNT), account_id=ACCOUNT, correlation_id="c-1")

    with pytest.raises(InvalidInput) as refused:
        read_webhook_received(json.dumps({**json.loads(sent.body()), **change}))
    assert refused.value.field == next(iter(change))


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"type": 5}'])
def test_a_message_that_does_not_say_its_type_has_none(body: str) -> None:
    """And reading it as an event is refused."""
    assert message_type(body) is None
    with pytest.raises(InvalidInput):
        read_webhook_received(body)
