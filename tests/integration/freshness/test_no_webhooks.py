"""A day without one webhook, and schedules that fire as they like: the tables still equal the bank."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.adapters.realtime_store import RealtimeStore
from mono_pipeline.core.realtime import RealtimePolicy
from tests.invariants import broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

# What counts, as people and the platform's queries see it: id left out.
COUNTED = """
SELECT (amount * 100)::bigint AS amount_minor, transaction_type, narration, booking_date
FROM canonical_bank_transactions WHERE mono_account_id = :id
"""


def rounds(pipeline: Pipeline, minutes: int, every: int = 5) -> None:
    """Let time pass in ticks, and workers serve what they send."""
    for _ in range(minutes // every):
        pipeline.let_pass(minutes=every)
        pipeline.round()
        pipeline.drain()


def counted(pipeline: Pipeline, account: str) -> Counter[tuple[Any, ...]]:
    """The rows that count of an account, whatever their ids."""
    return Counter(tuple(row.values()) for row in pipeline.rows(COUNTED, id=account))


def at_the_bank(pipeline: Pipeline, account: str) -> Counter[tuple[Any, ...]]:
    """The bank's, in the same form."""
    return Counter(
        (amount, direction, narration, day)
        for amount, direction, narration, _, _, day in pipeline.truth(account).values()
    )


def newest(pipeline: Pipeline, account: str) -> str:
    """Return the id of the bank's newest row; changes of old ones are for the deep re-read."""
    return str(max(pipeline.sandbox.truth(account)["bank"], key=lambda row: row["date"])["id"])


def test_a_day_in_which_every_webhook_is_dropped_ends_with_the_bank_s_rows(
    new_pipeline: Callable[..., Pipeline],
) -> None:
    """New links, a re-link, a dead link signed in to again, one unlinked; late, changed and new rows in between."""
    pipeline = new_pipeline(realtime_monthly_cap_ngn=10_000)
    bank = pipeline.sandbox
    bank.set_webhook_target(mode="drop")
    steady, dying, leaving, moving = (pipeline.link(transactions=40, days=60) for _ in range(4))
    rounds(pipeline, 20)
    RealtimeStore(pipeline.worker.database).set_policy(pipeline.account_row(dying)["id"], RealtimePolicy.DAILY)

    new = [bank.link_account(transactions=25, ready=True)["id"]]
    bank.set_link_state(dying, state="dead")
    rounds(pipeline, 4 * 60, every=10)
    bank.add(steady, count=5)
    bank.late(steady, days_ago=4)
    bank.amend(steady, transaction=newest(pipeline, steady))
    bank.add(dying, count=3)
    bank.unlink(leaving)
    rounds(pipeline, 4 * 60, every=10)
    assert pipeline.account_row(dying)["link_status"] == "reauth_required"  # a real-time call found it, no webhook
    bank.reauthorise(dying)
    bank.add(dying, count=2)
    new.append(bank.link_account(transactions=15, ready=True)["id"])
    moved = bank.relink(moving)["id"]
    bank.add(moved, count=2)
    rounds(pipeline, 15 * 60, every=15)
    bank.add(steady, count=2)
    rounds(pipeline, 15 * 60, every=15)

    assert bank.webhooks()
    assert {webhook["state"] for webhook in bank.webhooks()} == {"dropped"}
    assert pipeline.rows("SELECT FROM webhook_inbox") == []
    for account in (steady, dying, *new):
        assert pipeline.stored(account) == pipeline.truth(account)
    assert pipeline.account_row(moved)["first_mono_account_id"] == moving  # the same account, under its new id
    assert pipeline.truth(moved).keys() <= pipeline.stored(moved).keys()
    assert counted(pipeline, moved) == at_the_bank(pipeline, moved)  # its ids are new, and no row counts twice
    assert pipeline.account_row(leaving)["link_status"] == "unlinked"
    assert len(pipeline.stored(leaving)) == 40
    assert broken(pipeline.worker.database) == []

    # what changed before the overlap, the deep re-read finds within its week
    bank.amend(steady, transaction=min(bank.truth(steady)["bank"], key=lambda row: row["date"])["id"])
    rounds(pipeline, 8 * 24 * 60, every=6 * 60)
    assert pipeline.stored(steady) == pipeline.truth(steady)


@pytest.mark.parametrize("how", ["twice", "late by six hours", "never for a day", "overlapping"])
def test_however_the_schedule_fires_each_due_account_is_asked_for_once(pipeline: Pipeline, how: str) -> None:
    """One dispatch an account and due time; what was missed is caught up with, in one run, to the last row."""
    accounts = [pipeline.link(transactions=20, days=20) for _ in range(12)]
    pipeline.round()
    pipeline.drain()
    for account in accounts:
        pipeline.sandbox.add(account, count=2)
    pipeline.let_pass(hours={"late by six hours": 14 + 6, "never for a day": 14 + 24}.get(how, 14))
    pipeline.sandbox.add(accounts[0], instants=[pipeline.sandbox.clock.now() - timedelta(hours=5)])

    if how == "overlapping":
        workers = [pipeline.new_worker() for _ in range(4)]
        with ThreadPoolExecutor(max_workers=4) as pool:
            asked = sum(result.tick.requested for result in pool.map(lambda w: pipeline.round(worker=w), workers))
    else:
        asked = sum(pipeline.round().tick.requested for _ in range(2 if how == "twice" else 1))
    messages = [message.account_id for message in pipeline.daily.messages + pipeline.backfill.messages]
    pipeline.drain()

    assert asked == len(accounts)
    assert sorted(messages) == sorted(accounts)
    for account in accounts:
        assert pipeline.stored(account) == pipeline.truth(account)
        assert [run["status"] for run in pipeline.runs(account)] == ["completed", "completed"]
