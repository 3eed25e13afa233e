"""The schedule mends itself: Mono's list walked in parts, by one at a time, and no account unlinked by hearsay."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects.answers import Body, Status
from local.sandbox.faults import Fault
from mono_pipeline.adapters.rate_budget import RateBudget
from mono_pipeline.adapters.repair_store import KnownAccount, RepairStore
from mono_pipeline.core.errors import DatabaseUnavailable
from tests.webhook_life import hear_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

LIST = "/v2/accounts"


def pages_asked(pipeline: Pipeline) -> list[str]:
    """Return the pages of Mono's list that were asked for, and forget all requests."""
    found = [request["query"]["page"] for request in pipeline.sandbox.requests() if request["path"] == LIST]
    pipeline.sandbox.clear_requests()
    return found


def status(pipeline: Pipeline, account: str) -> str:
    """Return how the account is linked."""
    return str(pipeline.account_row(account)["link_status"])


def walk_again(pipeline: Pipeline) -> Any:
    """Let the next walk come, and return what the round did."""
    pipeline.let_pass(hours=7)
    return pipeline.round().repair


def test_an_account_that_no_webhook_told_of_is_found_and_read(pipeline: Pipeline) -> None:
    """On Mono's list, unknown here: imported by one tick, read by the next."""
    account = pipeline.sandbox.create_account(transactions=30)["id"]

    assert pipeline.round().repair.imported == 1
    pipeline.let_pass(minutes=5)
    pipeline.round()
    pipeline.drain()

    assert pipeline.stored(account) == pipeline.truth(account)
    assert "mono.account.found" in pipeline.witness.names()


def test_the_list_is_walked_every_six_hours_from_a_tenth_of_the_budget(new_pipeline: Callable[..., Pipeline]) -> None:
    """30 requests a minute are 150 a tick: 15 pages of it, and the walk goes on where it stopped."""
    pipeline = new_pipeline(mono_rate_limit_per_minute=30)
    ample = RateBudget(pipeline.worker.database, per_minute=100_000)  # so that its share alone is what it stops at
    pipeline.worker = replace(pipeline.worker, budget=ample)
    pipeline.sandbox.create_accounts(164, transactions=0)
    pipeline.ssm.set('{"enabled": true, "percentage": 0, "allow": ["ffffffffffffffffffffffff"]}')

    asked: list[str] = []
    for _ in range(40):
        pipeline.let_pass(minutes=5)
        result = pipeline.round().repair
        page = pages_asked(pipeline)
        assert len(page) <= 15
        assert result.pages == len(page)
        asked += page

    assert asked == [str(number) for number in range(1, 18)]
    assert len(pipeline.rows("SELECT FROM bank_accounts")) == 164
    pipeline.let_pass(hours=3)
    pipeline.round()
    assert pages_asked(pipeline)[0] == "1"


def test_a_walk_that_dies_goes_on_behind_the_last_page_that_landed(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is skipped: the page that was in hand is read again, once whoever died is known to be gone."""
    pipeline.sandbox.create_accounts(45, transactions=0)
    walked = RepairStore.page_walked

    def die_at_three(store: RepairStore, page: int) -> bool:
        if page == 3:
            raise DatabaseUnavailable
        return walked(store, page)

    monkeypatch.setattr(RepairStore, "page_walked", die_at_three)
    monkeypatch.setattr(RepairStore, "rest", lambda *_: None)
    with pytest.raises(DatabaseUnavailable):
        pipeline.round()
    monkeypatch.undo()
    pages_asked(pipeline)

    pipeline.round()
    assert pages_asked(pipeline) == []  # its hold has not run out
    pipeline.let_pass(minutes=5)
    pipeline.round()

    assert pages_asked(pipeline) == ["3", "4", "5"]
    assert len(pipeline.rows("SELECT FROM bank_accounts")) == 45


def test_two_ticks_at_once_never_walk_together(pipeline: Pipeline) -> None:
    """Whoever comes second leaves it."""
    assert RepairStore(pipeline.new_worker().database).begin_walk() == 1

    assert pipeline.round().repair.pages == 0
    assert pages_asked(pipeline) == []


@pytest.mark.parametrize("answer", [404, 400])
def test_an_account_whose_own_page_is_gone_is_unlinked_and_its_rows_stay(pipeline: Pipeline, answer: Any) -> None:
    """What reads of an unlinked account get is not documented: either refusal, and not on the list."""
    pipeline.sandbox.set_switches(unlinked_read=answer)
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    rows = pipeline.stored(account)
    pipeline.round()
    pipeline.request(account)
    pipeline.sandbox.set_link_state(account, state="unlinked")

    assert walk_again(pipeline).unlinked == 1

    assert status(pipeline, account) == "unlinked"
    assert pipeline.stored(account) == rows
    assert [run["status"] for run in pipeline.runs(account)] == ["completed", "stopped"]
    assert "mono.account.unlinked" in pipeline.witness.names()
    pipeline.let_pass(days=3)
    assert pipeline.tick().requested == 0


def test_what_a_page_says_of_an_old_link_is_not_said_of_its_successor(pipeline: Pipeline) -> None:
    """Linked anew between the look at the old page and the writing down of it: linked."""
    old = pipeline.link(transactions=20)
    vanished = KnownAccount(id=pipeline.account_row(old)["id"], mono_account_id=old)
    pipeline.sandbox.relink(old)
    hear_all(pipeline)
    store = RepairStore(pipeline.worker.database)

    assert not store.note_unlinked(vanished)
    assert status(pipeline, pipeline.rows("SELECT mono_account_id AS id FROM bank_accounts")[0]["id"]) == "linked"
    pipeline.rows("UPDATE bank_accounts SET link_status = 'unlinked'")
    assert not store.note_linked_again(vanished)


@pytest.mark.parametrize("answer", [200, 401, 403, 500])
def test_an_account_that_only_the_list_has_lost_stays_linked(pipeline: Pipeline, answer: int) -> None:
    """The list moves while it is read, and may be wrong: its own page decides, and no answer of it is no answer."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    pipeline.round()
    empty = {"status": "successful", "message": "", "data": [], "meta": {"total": 0, "pages": 0, "next": None}}
    pipeline.sandbox.inject(Fault(effect=Body(document=empty), path=LIST, times=None))
    if answer != 200:
        pipeline.sandbox.inject(Fault(effect=Status(status=answer), path=f"{LIST}/{account}", times=None))
    pipeline.sandbox.clear_requests()

    result = walk_again(pipeline)

    assert result.unlinked == 0
    assert status(pipeline, account) == "linked"
    own = [request for request in pipeline.sandbox.requests() if request["path"] == f"{LIST}/{account}"]
    assert own
    pipeline.sandbox.clear_requests()
    pipeline.let_pass(minutes=5)
    pipeline.round()
    assert f"{LIST}/{account}" not in {request["path"] for request in pipeline.sandbox.requests()}  # once a walk


def test_an_account_that_comes_back_to_the_list_is_linked_again(pipeline: Pipeline) -> None:
    """It had left the list, it is on it again, and its own page is there: read from where it was left."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    pipeline.round()
    pipeline.sandbox.set_link_state(account, state="unlinked")
    walk_again(pipeline)
    assert status(pipeline, account) == "unlinked"
    walk_again(pipeline)
    pipeline.sandbox.set_link_state(account, state="live")
    pipeline.sandbox.add(account, count=3)

    assert walk_again(pipeline).linked_again == 1

    pipeline.let_pass(minutes=5)
    pipeline.round()
    pipeline.drain()
    assert status(pipeline, account) == "linked"
    assert pipeline.stored(account) == pipeline.truth(account)


def test_an_unlinked_account_that_mono_goes_on_listing_stays_unlinked(pipeline: Pipeline) -> None:
    """Nobody documents whether it leaves the list: consent that was withdrawn is not given back by a list."""
    account = pipeline.link(transactions=20)
    pipeline.round()
    pipeline.rows("UPDATE bank_accounts SET link_status = 'unlinked'")

    for _ in range(4):
        assert walk_again(pipeline).linked_again == 0

    assert status(pipeline, account) == "unlinked"


def test_a_page_that_cannot_be_read_does_not_hide_the_others(pipeline: Pipeline) -> None:
    """One broken account is enough for that; its page is left out, by name, and the next one read."""
    pipeline.sandbox.create_accounts(25, transactions=0)
    pipeline.sandbox.inject(Fault(effect=Body(document={"status": "successful"}), path=LIST, page=2, times=None))

    pipeline.round()

    assert len(pipeline.rows("SELECT FROM bank_accounts")) == 15
    assert "mono.schedule.unreadable_page" in pipeline.witness.names()
    pipeline.sandbox.clear_faults()
    walk_again(pipeline)
    assert len(pipeline.rows("SELECT FROM bank_accounts")) == 25


def test_a_list_that_is_never_readable_ends_the_walk(pipeline: Pipeline) -> None:
    """Two pages in a row: no walk without an end, and nobody is taken for gone."""
    account = pipeline.link(transactions=1)
    pipeline.round()
    pipeline.sandbox.inject(Fault(effect=Body(document={"status": "successful"}), path=LIST, times=None))
    pages_asked(pipeline)
    pipeline.slept.clear()

    walk_again(pipeline)

    assert set(pages_asked(pipeline)) == {"1", "2"}
    assert status(pipeline, account) == "linked"


def test_mono_down_stops_neither_the_work_nor_the_walk(pipeline: Pipeline) -> None:
    """Runs are asked for all the same; the walk goes on where it was when Mono is back."""
    account = pipeline.link(transactions=5)
    pipeline.sandbox.inject(Fault(effect=Status(status=500), path=LIST, times=None))

    result = pipeline.round()
    assert (result.tick.requested, result.repair.pages) == (1, 0)
    assert [message.account_id for message in pipeline.backfill.messages] == [account]
    pipeline.sandbox.clear_faults()
    pipeline.let_pass(minutes=5)

    assert pipeline.round().repair.pages == 1


def test_a_due_time_that_no_rule_gives_is_brought_forward(pipeline: Pipeline) -> None:
    """The interval was a week and is 12 hours now, or a clock was wrong; times that a rule gives are left."""
    far, near = pipeline.link(transactions=1), pipeline.link(transactions=1)
    pipeline.rows(
        """UPDATE bank_accounts SET next_attempt_at = pipeline_now()
             + CASE mono_account_id WHEN :far THEN interval '6 days' ELSE interval '13 hours' END""",
        far=far,
    )

    assert pipeline.round().repair.brought_forward == 1

    assert pipeline.tick().requested == 1
    assert [message.account_id for message in pipeline.backfill.messages] == [far]
    assert pipeline.seconds_to_next_attempt(near) > 12 * 3600


def test_off_for_everyone_the_round_touches_nothing(pipeline: Pipeline) -> None:
    """No request, no row."""
    pipeline.sandbox.create_account(transactions=1)
    pipeline.ssm.set("false")

    assert pipeline.round().stale is None
    assert pipeline.sandbox.requests() == []
    assert pipeline.rows("SELECT FROM bank_accounts") == []
