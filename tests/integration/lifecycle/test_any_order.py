"""Late, repeated, out of order, lost and found: the same tables in the end, whatever the order (W8, W10, W11, W13)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import permutations
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.sandbox import Sandbox
from local.sandbox.transport import SandboxTransport
from tests.invariants import broken
from tests.link_lives import LIVES, a_working_link, an_ended_link
from tests.webhook_life import drain, hear, told

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

FORGET = """
SET session_replication_role = replica;
TRUNCATE bank_accounts, bank_transactions CASCADE;
SET session_replication_role = origin
"""
CLEAR = """
DELETE FROM webhook_inbox; DELETE FROM account_aliases; DELETE FROM sync_runs; DELETE FROM bank_accounts
"""
FINAL = """
SELECT a.mono_account_id, a.first_mono_account_id, a.link_status, a.fresh_as_of, a.reauth_required_at, a.link_proven_at,
       a.reference,
       (SELECT count(*) FROM webhook_inbox) AS events,
       (SELECT array_agg(x.mono_account_id) FROM account_aliases x) AS aliases
FROM bank_accounts a ORDER BY a.id
"""


@pytest.mark.parametrize(("life", "status"), LIVES)
def test_W11_six_events_end_in_the_same_tables_whatever_their_order(  # noqa: N802 - the row's name
    new_pipeline: Callable[..., Pipeline], life: Callable[[Sandbox], list[dict[str, Any]]], status: str
) -> None:
    """All 720 orders, with repetitions among them."""
    bank = Sandbox(seed=life.__name__, now=datetime.fromisoformat("2026-06-01T09:00:00+00:00"))
    bodies = life(bank)
    assert len(bodies) == 6
    known = life is an_ended_link  # Mono's page is gone: an account that nobody knew would never come to be
    pipeline = new_pipeline(sandbox=bank)
    received_at = pipeline.now()
    ends = set()
    for number, order in enumerate(permutations(bodies)):
        pipeline.rows(CLEAR)
        if known:
            _known(pipeline, bodies)
        for body in _with_repetitions(list(order), Random(number)):  # noqa: S311 - an order, no secret
            hear(pipeline, body, received_at=received_at, read=False)
        ends.add(str(_final_state(pipeline)))

    assert len(ends) == 1, "\n".join(sorted(ends))
    assert f"'link_status': '{status}'" in ends.pop()


def _known(pipeline: Pipeline, bodies: list[dict[str, Any]]) -> None:
    account = bodies[0]["data"]["id"]
    pipeline.rows(
        """INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency, watermark)
           VALUES (:id, :id, 'NGN', '2026-05-01')""",
        id=account,
    )


def _with_repetitions(bodies: list[dict[str, Any]], chance: Random) -> list[dict[str, Any]]:
    for _ in range(chance.randrange(3)):
        bodies.insert(chance.randrange(len(bodies)), chance.choice(bodies))
    return bodies


def _final_state(pipeline: Pipeline) -> list[dict[str, Any]]:
    (row,) = pipeline.rows(FINAL)
    # which of two links came first is a matter of when we heard; what is read of them is not
    return [{name: value for name, value in row.items() if name != "first_mono_account_id"}]


def test_W11_what_is_read_is_the_bank_s_in_every_order(new_pipeline: Callable[..., Pipeline]) -> None:  # noqa: N802
    """A few orders, read to the end: the tables equal the bank."""
    bank = Sandbox(seed="orders", now=datetime.fromisoformat("2026-06-01T09:00:00+00:00"))
    bodies = a_working_link(bank)
    pipeline = new_pipeline(sandbox=bank)
    account = bodies[0]["data"]["id"]
    for number in range(6):
        order = Random(number).sample(bodies, len(bodies))  # noqa: S311 - an order, no secret
        pipeline.rows(FORGET)
        for body in order:
            hear(pipeline, body)
            drain(pipeline)

        assert pipeline.stored(account) == pipeline.truth(account)
        assert broken(pipeline.worker.database) == []


@pytest.mark.parametrize("shape", ["current", "2025"])
def test_W10_the_same_event_a_thousand_times_at_once_is_two_reads_at_the_most(  # noqa: N802
    pipeline: Pipeline, shape: str
) -> None:
    """With Mono's id it counts once for good; without one, until a run has begun since."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    body = pipeline.sandbox.fire_webhook(event="account_updated", account=account, shape=shape)[0]["body"]
    workers = [pipeline.new_worker() for _ in range(8)]
    received_at = pipeline.now()

    def deliver(number: int) -> None:
        hear(pipeline, body, worker=workers[number], received_at=received_at)

    def keep_delivering(number: int) -> None:
        for _ in range(125):
            deliver(number)

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(keep_delivering, range(8)))

    runs = pipeline.runs(account)[1:]
    assert 1 <= len(runs) <= 2
    assert {run["status"] for run in runs} == {"completed"}
    (row,) = pipeline.rows("SELECT deliveries FROM webhook_inbox")
    assert row["deliveries"] == 1_000


def test_an_event_without_id_counts_again_once_the_wake_up_it_caused_has_been_served(pipeline: Pipeline) -> None:
    """The bytes are the same, the news may be another: it is a duplicate only until a run has begun since."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    body = pipeline.sandbox.fire_webhook(event="account_updated", account=account, shape="2025")[0]["body"]
    hear(pipeline, body)
    pipeline.sandbox.add(account)

    hear(pipeline, body)

    assert len(pipeline.runs(account)) == 3
    assert pipeline.stored(account) == pipeline.truth(account)


def test_W13_I4_an_event_during_a_run_is_followed_by_another_run(  # noqa: N802
    new_pipeline: Callable[..., Pipeline],
) -> None:
    """The bank changed behind the pages that were read, and Mono said so: who holds the account looks once more."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = pipeline.link(transactions=100, days=5)
    pipeline.sync(account)
    other = pipeline.new_worker()
    heard: list[Any] = []

    class Webhook(SandboxTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            """Answer page 3 after a row of page 1 has changed and Mono has said so."""
            if request.url.params.get("page") == "3" and not heard:
                first = pipeline.page_ids(account, 1)[0]
                pipeline.sandbox.amend(account, transaction=first, changes={"category": "late"}, rerun_balances=False)
                body = pipeline.sandbox.fire_webhook(event="account_updated", account=account)[0]["body"]
                heard.append(hear(pipeline, body, worker=other))
            return super().handle_request(request)

    pipeline.wake(account, worker=pipeline.new_worker(Webhook(pipeline.sandbox)))

    assert [run["status"] for run in pipeline.runs(account)] == ["completed"] * 3
    assert pipeline.stored(account) == pipeline.truth(account)


def test_W8_consent_withdrawn_is_no_sync_within_a_tick(pipeline: Pipeline) -> None:  # noqa: N802
    """Not even of what was asked for before; and another account's event starts nothing for this one."""
    account, other = pipeline.link(transactions=20), pipeline.link(transactions=20)
    pipeline.request(account)
    pipeline.sandbox.unlink(account)
    hear(pipeline, told(pipeline)[0])
    pipeline.sandbox.clear_requests()

    pipeline.tick()
    drain(pipeline)

    asked = {request["path"].split("/")[3] for request in pipeline.sandbox.requests()}
    assert asked == {other}


def test_with_the_flag_off_lifecycle_is_recorded_and_the_read_comes_with_the_flag(pipeline: Pipeline) -> None:
    """The account comes to be, its state is kept, nothing of it is read; turning the flag on finds what is owed."""
    pipeline.ssm.set("false")
    account = pipeline.sandbox.link_account(transactions=20, ready=True)["id"]
    wants = pipeline.sandbox.fire_webhook(event="reauthorisation_required", account=account)[0]["body"]
    for body in (*told(pipeline)[:2], wants):
        hear(pipeline, body)
    drain(pipeline)

    assert pipeline.account_row(account)["link_status"] == "reauth_required"
    assert pipeline.page_requests(account) == []
    assert pipeline.stored(account) == {}
    pipeline.ssm.set("true")
    pipeline.let_pass(minutes=11)
    pipeline.tick()
    drain(pipeline)
    assert pipeline.stored(account) == pipeline.truth(account)


def test_an_event_that_mono_must_explain_waits_while_mono_is_down(pipeline: Pipeline) -> None:
    """The message is done with, nothing is dead-lettered, and a tick takes it up."""
    from local.sandbox.effects.answers import Status  # noqa: PLC0415 - beside its use
    from local.sandbox.faults import Fault  # noqa: PLC0415
    from mono_pipeline.usecases.lifecycle import Lifecycle  # noqa: PLC0415

    account = pipeline.sandbox.link_account(transactions=20, ready=True)["id"]
    pipeline.sandbox.inject(Fault(effect=Status(status=503), times=None))
    hear(pipeline, told(pipeline)[0])
    assert pipeline.rows("SELECT effect FROM webhook_inbox") == [{"effect": "waiting"}]
    assert Lifecycle(pipeline.worker).take_up_waiting(pipeline.soon()) == 0
    pipeline.sandbox.clear_faults()
    pipeline.let_pass(minutes=16)

    assert Lifecycle(pipeline.worker).take_up_waiting(pipeline.soon()) == 1
    drain(pipeline)

    assert pipeline.rows("SELECT effect, deliveries FROM webhook_inbox") == [{"effect": "imported", "deliveries": 1}]
    assert pipeline.stored(account) == pipeline.truth(account)
    assert timedelta(seconds=pipeline.seconds_to_next_attempt(account)) <= timedelta(minutes=10)


def test_what_was_told_of_a_link_before_its_account_was_imported_counts(pipeline: Pipeline) -> None:
    """Mono was down when the event came; then somebody imports the account: it is what the event says of it."""
    from local.sandbox.effects.answers import Status  # noqa: PLC0415 - beside its use
    from local.sandbox.faults import Fault  # noqa: PLC0415
    from mono_pipeline.usecases.account_linking import AccountLinking  # noqa: PLC0415

    account, silent = (pipeline.sandbox.create_account(transactions=5)["id"] for _ in range(2))
    wants = pipeline.sandbox.fire_webhook(event="reauthorisation_required", account=account)[0]["body"]
    pipeline.sandbox.inject(Fault(effect=Status(status=503), times=None))
    hear(pipeline, wants)
    pipeline.sandbox.clear_faults()
    pipeline.let_pass(minutes=1)

    for each in (account, silent):
        snapshot = pipeline.worker.mono.account(each, deadline=pipeline.soon())
        with pipeline.worker.database.transaction():
            AccountLinking(pipeline.worker).land(snapshot, requested_by="import", correlation_id="c")

    (event,) = pipeline.rows("SELECT mark, account_id FROM webhook_inbox")
    assert event == {"mark": "reauth_required", "account_id": pipeline.account_row(account)["id"]}
    asked, other = pipeline.account_row(account), pipeline.account_row(silent)
    assert (asked["link_status"], other["link_status"]) == ("reauth_required", "linked")
    assert asked["reauth_required_at"] is not None
    assert other["reauth_required_at"] is None
