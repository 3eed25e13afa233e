"""I31 behind the door: what webhooks and Mono's pages say of people comes out nowhere, whatever becomes of it."""

from __future__ import annotations

import json
import logging
from copy import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from local.sandbox.effects import Body, Status
from local.sandbox.faults import Fault
from mono_pipeline.adapters.telemetry import Telemetry
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.usecases.operations import Operations
from tests.canaries import leaves, planted
from tests.faults.invocation import WorkerFunction, record
from tests.told import Told, listening
from tests.webhook_door import Door

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

CANARIES: Final[dict[str, Any]] = {
    "name": "Canary Olamide Adeyemi",
    "account_number": "0987654321",
    "bvn": "22287654321",
    "narration": "TRF/CANARY/school fees",
}
NAMES: Final[tuple[Any, ...]] = (
    "account_connected",
    "account_updated",
    "account_reauthorized",
    "jobs_update",
    "reauthorisation_required",
    "sync_failed",
    "account_synced",
    "account_unlinked",
)


class House:
    """The door, the worker's own handler, the tick and the ops function; all that comes out of them is kept."""

    def __init__(self, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
        pipeline.worker = replace(pipeline.worker, observer=Telemetry())
        self.pipeline = pipeline
        self.door = Door(monkeypatch)
        self.worker = WorkerFunction(pipeline, monkeypatch)
        self.out: list[str] = []

    def knock(self, told: Any) -> None:
        """Mono sends a body; the worker serves what the door took of it."""
        self.out.append(json.dumps(self.door.post(told).body))
        bodies, self.door.queue.bodies = self.door.queue.bodies, []
        self.out += bodies
        for body in bodies:
            assert self.worker(record(body, sent_at=self.pipeline.now())) == []

    def work(self) -> None:
        """A tick, and workers for all that it and the events have asked for."""
        self.pipeline.round()
        for queue in (self.pipeline.daily, self.pipeline.backfill):
            self.out += [message.body() for message in queue.messages]
        self.pipeline.drain()
        self.out += [repr(letter) for letter in self.pipeline.dead_letters.letters]

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        """A person asks the ops function."""
        answer = Operations(self.pipeline.worker).perform({"action": action, **arguments}, Deadline.after(60))
        self.out.append(json.dumps(answer, default=str))
        return answer


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """What is written."""
    yield from listening(monkeypatch)


@pytest.fixture
def house(new_pipeline: Callable[..., Pipeline], monkeypatch: pytest.MonkeyPatch, told: Told) -> House:
    """One that tells of everything, as deployed functions do, and may pay for real-time calls."""
    assert told.lines == []
    return House(new_pipeline(realtime_monthly_cap_ngn=10_000), monkeypatch)


def personal(house: House) -> set[str]:
    """What the bank knows of people: holders, numbers, BVNs, customers, what they paid for."""
    bank = house.pipeline.sandbox
    known: set[str] = set()
    for link in bank.links.values():
        account, customer = link.bank_account, link.customer
        known |= {account.name, account.account_number, account.bvn, customer.name, customer.email}
        known |= {row["narration"] for row in bank.truth(link.id)["bank"]}
    return known


def linked(house: House, fields: dict[str, Any]) -> str:
    """An account that webhooks have brought in, with these on its page at Mono."""
    bank = house.pipeline.sandbox
    account = str(bank.link_account(transactions=5, ready=True)["id"])
    bank.link(account).fields.update(fields)
    for webhook in bank.webhooks()[-2:]:
        house.knock(webhook["body"])
    house.work()
    return account


def test_I31_nothing_personal_of_a_webhook_or_of_mono_s_pages_comes_out(  # noqa: N802 - the invariant's name
    house: House, told: Told, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A canary in each field of each event, and a life of links: signed in to, refreshed, linked anew, found, ended."""
    caplog.set_level(logging.DEBUG)
    bank = house.pipeline.sandbox
    account = linked(house, CANARIES)
    assert house.pipeline.account_row(account)["account_number"] == CANARIES["account_number"]
    for name in NAMES:
        body = {**bank.fire_webhook(event=name, account=account)[0]["body"], "narration": "x"}
        for path in leaves(body):
            for canary in (CANARIES["name"], CANARIES["bvn"]):
                house.knock(planted(body, [path], canary))
    house.work()
    other = linked(house, {"name": CANARIES["name"], "bvn": CANARIES["bvn"]})
    house.ask("realtime.policy", account_id=other, policy="on-demand")
    house.ask("realtime.refresh", account_id=other)
    house.ask("accounts.reauth_link", account_id=other)
    since = len(bank.webhooks())
    bank.relink(other)
    for webhook in bank.webhooks()[since:]:
        house.knock(webhook["body"])
    bank.create_account(transactions=5, fields=CANARIES)  # no webhook tells of it: a tick finds it on Mono's list
    house.pipeline.let_pass(hours=7)
    house.work()
    for action in ("accounts.list", "accounts.import"):
        house.ask(action)

    names = {line["message"] for line in told.events}
    assert {"mono.webhook.imported", "mono.webhook.changed", "mono.account.relinked", "mono.account.found"} <= names
    no_one_is_told_of(house, told, capfd, caplog)


@pytest.mark.parametrize("status", [200, 400, 401, 402, 403, 404, 429, 500])
def test_I31_what_mono_says_when_it_refuses_comes_out_nowhere(  # noqa: N802
    house: House, told: Told, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Its messages may quote anything: on a page, the list, a job, a real-time call, a link to sign in again."""
    caplog.set_level(logging.DEBUG)
    bank = house.pipeline.sandbox
    account = linked(house, CANARIES)
    house.ask("realtime.policy", account_id=account, policy="daily")
    quoting = {"status": "failed", "message": " ".join(CANARIES.values()), "data": {**CANARIES, "id": CANARIES["bvn"]}}
    effect = Status(status=status, body=quoting) if status != 200 else Body(document=quoting)
    stranger = str(bank.create_account(transactions=1)["id"])
    body = bank.fire_webhook(event="account_updated", account=stranger)[0]["body"]
    bank.inject(Fault(effect=effect, times=None))

    house.knock(body)
    house.pipeline.let_pass(hours=14)
    house.work()
    house.ask("realtime.refresh", account_id=account)
    house.ask("accounts.reauth_link", account_id=account)
    house.ask("accounts.import", account_ids=[stranger])

    assert bank.list_faults()[0]["struck"] > 0
    no_one_is_told_of(house, told, capfd, caplog)


def no_one_is_told_of(
    house: House, told: Told, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Assert that no line, metric, message, answer or row of the inbox has anything of a person."""
    captured = capfd.readouterr()
    inbox = house.pipeline.rows("SELECT to_jsonb(i)::text AS event FROM webhook_inbox i")
    assert inbox
    everything = "\n".join(
        (*house.out, told.stream.getvalue(), captured.out, captured.err, caplog.text, *(row["event"] for row in inbox))
    )
    assert "mono.webhook." in everything
    assert [secret for secret in personal(house) | set(CANARIES.values()) if secret in everything] == []
    assert "canary" not in everything.lower()
    assert house.pipeline.sandbox.secret_key not in everything
