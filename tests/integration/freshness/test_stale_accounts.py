"""Who is stale: counted at every tick, told once a breach and once a day, whatever the syncs say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.adapters.freshness_store import FreshnessStore
from mono_pipeline.adapters.realtime_store import RealtimeStore
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.realtime import RealtimePolicy
from mono_pipeline.core.verdict import VERIFIED
from mono_pipeline.usecases.operations import Operations
from mono_pipeline.usecases.stale_accounts import EVENT
from tests.webhook_life import hear_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def told(pipeline: Pipeline) -> list[dict[str, Any]]:
    """Return the events of stale accounts since the last time, and forget them."""
    found = [fields for name, fields in pipeline.witness.events if name == EVENT]
    pipeline.witness.events.clear()
    return found


def make_fresh(pipeline: Pipeline, account: str) -> None:
    """Mono confirms the bank's data now."""
    RealtimeStore(pipeline.worker.database).note_fresh(pipeline.account_row(account)["id"])


def listed(pipeline: Pipeline, account: str) -> dict[str, Any]:
    """Return the account as `accounts list` has it."""
    answer = Operations(pipeline.worker).perform({"action": "accounts.list"}, Deadline.after(30))
    return next(row for row in answer["accounts"] if row["mono_account_id"] == account)


def test_an_account_is_stale_26_hours_after_mono_last_confirmed_it(pipeline: Pipeline) -> None:
    """Not after the last sync, which always succeeds."""
    account = pipeline.link(transactions=5)
    make_fresh(pipeline, account)
    pipeline.let_pass(hours=25)
    pipeline.sync(account)

    assert pipeline.round().stale == 0
    assert listed(pipeline, account)["stale"] is False
    pipeline.let_pass(hours=2)
    assert pipeline.round().stale == 1

    (event,) = told(pipeline)
    assert (event["account_id"], event["slo_hours"], event["realtime"]) == (account, 26, "never")
    assert 27.0 <= event["hours_old"] < 27.2
    assert listed(pipeline, account)["stale"] is True


def test_an_account_that_was_never_confirmed_counts_from_when_it_became_known(pipeline: Pipeline) -> None:
    """An account that was imported filled proves nothing about the age of what it is filled with."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    assert pipeline.round().stale == 0
    pipeline.let_pass(hours=27)

    assert pipeline.round().stale == 1

    (event,) = told(pipeline)
    assert event["fresh_as_of"] is None


def test_a_breach_is_told_once_and_again_after_a_day(pipeline: Pipeline) -> None:
    """Not with every tick; fresh again and stale again is another breach, told at once."""
    account = pipeline.link(transactions=5)
    make_fresh(pipeline, account)
    pipeline.let_pass(hours=27)
    pipeline.round()
    assert len(told(pipeline)) == 1

    for _ in range(4):
        pipeline.let_pass(minutes=5)
        pipeline.round()
    assert told(pipeline) == []
    pipeline.let_pass(hours=24)
    pipeline.round()
    assert len(told(pipeline)) == 1
    make_fresh(pipeline, account)
    assert pipeline.round().stale == 0
    FreshnessStore(pipeline.worker.database, slo_hours=26).set_slo(pipeline.account_row(account)["id"], 1)
    pipeline.let_pass(hours=2)
    pipeline.round()
    assert len(told(pipeline)) == 1


def test_the_gauge_is_sent_with_every_tick_and_an_account_s_own_with_its_event(
    new_pipeline: Callable[..., Pipeline],
) -> None:
    """Zero too: a gauge that stops says nothing. By account only where accounts are counted by themselves."""
    pipeline = new_pipeline(account_metrics_mode="failing")
    account = pipeline.link(transactions=5)
    pipeline.round()
    pipeline.let_pass(hours=27)
    pipeline.round()
    pipeline.let_pass(minutes=5)
    pipeline.round()

    assert pipeline.witness.stale == [(0, None), (1, account), (1, None), (1, None)]
    quiet = new_pipeline(account_metrics_mode="off")
    quiet.let_pass(hours=52)
    quiet.round()
    assert quiet.witness.stale == [(1, None)]


def test_an_account_has_an_slo_of_its_own(pipeline: Pipeline) -> None:
    """In hours; without one it is the setting's again."""
    strict, lenient = pipeline.link(transactions=1), pipeline.link(transactions=1)
    store = FreshnessStore(pipeline.worker.database, slo_hours=26)
    store.set_slo(pipeline.account_row(strict)["id"], 2)
    store.set_slo(pipeline.account_row(lenient)["id"], 100)
    pipeline.let_pass(hours=30)

    assert pipeline.round().stale == 1

    assert [event["account_id"] for event in told(pipeline)] == [strict]
    store.set_slo(pipeline.account_row(lenient)["id"], None)
    assert pipeline.round().stale == 2


def test_an_unlinked_account_is_not_stale(pipeline: Pipeline) -> None:
    """Nobody expects anything of it."""
    account = pipeline.link(transactions=1)
    pipeline.rows("UPDATE bank_accounts SET link_status = 'unlinked'")
    pipeline.let_pass(days=30)

    assert pipeline.round().stale == 0
    assert listed(pipeline, account)["stale"] is False


def test_more_than_a_batch_is_told_of(pipeline: Pipeline) -> None:
    """Every account once, and ticks at once share them."""
    pipeline.rows(
        """INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency, link_status, next_attempt_at)
           SELECT id, id, 'NGN', 'linked', pipeline_now() + interval '40 hours'
           FROM (SELECT lpad(to_hex(n), 24, '0') AS id FROM generate_series(1, 450) n) made"""
    )
    pipeline.let_pass(hours=27)
    other = pipeline.new_worker()

    with other.database.transaction():
        taken = FreshnessStore(other.database, slo_hours=26).take_stale(limit=100)
        from mono_pipeline.usecases.stale_accounts import StaleAccounts  # noqa: PLC0415 - beside its use

        assert StaleAccounts(pipeline.worker).tell(Deadline.after(30)) == 450

    ids = [event["account_id"] for event in told(pipeline)] + [account.mono_account_id for account in taken]
    assert (len(ids), len(set(ids))) == (450, 450)


def test_a_tick_that_dies_while_telling_tells_again(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark is committed with the telling."""
    for _ in range(3):
        pipeline.link(transactions=1)
    pipeline.let_pass(hours=27)
    tell = pipeline.witness.event
    monkeypatch.setattr(pipeline.witness, "event", _fail_at(EVENT))
    with pytest.raises(ConnectionError):
        pipeline.round()
    monkeypatch.setattr(pipeline.witness, "event", tell)

    pipeline.round()

    assert len(told(pipeline)) == 3


def test_a_copy_that_is_seen_to_be_filled_is_fresh_as_of_before(pipeline: Pipeline) -> None:
    """PROCESSING, then AVAILABLE: fetched from the bank in between, no earlier than when it was last seen empty."""
    account = pipeline.sandbox.link_account(transactions=20)["id"]
    pipeline.import_account(account)
    pipeline.sync(account)
    seen = pipeline.account_row(account)["data_status_at"]
    pipeline.let_pass(minutes=10)
    pipeline.sandbox.set_data_status(account, data_status="AVAILABLE", announce=False)

    pipeline.sync(account)

    row = pipeline.account_row(account)
    assert row["fresh_as_of"] == seen
    pipeline.let_pass(hours=1)
    pipeline.sync(account)
    assert pipeline.account_row(account)["fresh_as_of"] == seen


def test_a_dead_link_is_said_to_be_stale_while_every_sync_succeeds(new_pipeline: Callable[..., Pipeline]) -> None:
    """28 days: rows come at the bank, Mono serves its old copy, syncs say verified; ours says stale, every day."""
    pipeline = new_pipeline(realtime_monthly_cap_ngn=10_000)
    account = pipeline.link(transactions=60, days=40)
    make_fresh(pipeline, account)
    pipeline.sync(account)
    pipeline.sandbox.set_link_state(account, state="dead")
    events, verdicts = [], set()
    for _ in range(28):
        pipeline.let_pass(days=1)
        pipeline.sandbox.add(account, count=2)
        pipeline.round()
        pipeline.drain()
        verdicts.add(pipeline.runs(account)[-1]["verdict"])
        events += told(pipeline)

    # honest on both sides: what is stored is what Mono serves, and that is old
    assert verdicts == {VERIFIED.kind}
    assert len(pipeline.stored(account)) == 60
    assert len(events) == 27
    assert round(events[-1]["hours_old"] / 24) == 28
    row = listed(pipeline, account)
    assert (row["stale"], row["verdict"], row["link_status"]) == (True, "verified", "linked")

    # a day's real-time call, and it is known why
    RealtimeStore(pipeline.worker.database).set_policy(pipeline.account_row(account)["id"], RealtimePolicy.DAILY)
    pipeline.round()
    assert listed(pipeline, account)["link_status"] == "reauth_required"
    since = len(pipeline.sandbox.webhooks())
    pipeline.let_pass(hours=1)
    pipeline.sandbox.reauthorise(account)
    hear_all(pipeline, since)

    assert pipeline.stored(account) == pipeline.truth(account)
    row = listed(pipeline, account)
    assert (row["stale"], row["link_status"]) == (False, "linked")
    assert pipeline.round().stale == 0


def _fail_at(name: str) -> Callable[..., None]:
    seen: list[str] = []

    def event(told_name: str, _run: object, **_: object) -> None:
        if told_name == name:
            seen.append(name)
            if len(seen) == 2:
                raise ConnectionError

    return event
