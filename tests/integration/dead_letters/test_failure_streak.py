"""An account that fails too often is left alone, its queue hears of it once, and a person has it read again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from local.sandbox.effects import RateLimited, Status
from local.sandbox.faults import Fault
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VERIFIED
from mono_pipeline.usecases.operations import Operations
from mono_pipeline.usecases.wake_up import Served

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dead_letter_desk import DeadLetterDesk
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def due(pipeline: Pipeline) -> None:
    """Every account's time has come."""
    pipeline.rows("UPDATE bank_accounts SET next_attempt_at = pipeline_now() - interval '1 second'")


def statuses(pipeline: Pipeline, account: str) -> list[str]:
    """How the account's runs stand, in the order in which they were asked for."""
    return [row["status"] for row in pipeline.runs(account)]


def test_the_fifth_failure_in_a_row_makes_one_dead_letter_of_ids_only(desk: DeadLetterDesk) -> None:
    """Four do not; and what is on the queue names the run, its error and the streak, and nothing of the bank's."""
    account = desk.pipeline.link(transactions=5)

    desk.fail(account, times=4)
    assert desk.on(desk.dead) == []
    desk.fail(account)

    (body,) = desk.on(desk.dead)
    failed = desk.pipeline.runs(account)[-1]
    assert json.loads(body) == {
        "type": "mono.fetch.failed",
        "account_id": account,
        "correlation_id": failed["correlation_id"],
        "run_id": str(failed["run_id"]),
        "error_code": "mono_server_error",
        "streak": 5,
    }
    assert desk.standing(account)["dead_letter_sent_at"] is not None


def test_the_operator_is_told_since_when_and_for_what(desk: DeadLetterDesk) -> None:
    """Of the run that made it a dead letter, whatever has been asked for since; nothing of one that is well."""
    dead, well = desk.pipeline.link(transactions=5), desk.pipeline.link(transactions=5)
    desk.fail(dead, times=5)
    desk.pipeline.request(dead)

    def shown(account: str) -> dict[str, object]:
        event = {"action": "accounts.show", "account_id": account}
        row = Operations(desk.worker).perform(event, desk.pipeline.soon())["account"]
        return {name: row[name] for name in ("dead_lettered_at", "dead_letter_error")}

    assert shown(dead) == {
        "dead_lettered_at": str(desk.standing(dead)["dead_lettered_at"]),
        "dead_letter_error": "mono_server_error",
    }
    assert shown(well) == {"dead_lettered_at": None, "dead_letter_error": None}


def test_every_failure_is_told_with_its_streak(desk: DeadLetterDesk) -> None:
    """And the last one that it was one too many."""
    account = desk.pipeline.link(transactions=5)
    desk.fail(account, times=6)

    told = [fields for name, fields in desk.pipeline.witness.events if name == "mono.fetch.failed"]

    assert [fields["streak"] for fields in told] == [1, 2, 3, 4, 5, 6]
    assert [fields["dead_lettered"] for fields in told] == [False, False, False, False, True, False]


def test_a_sixth_failure_of_one_streak_makes_no_second_letter(desk: DeadLetterDesk) -> None:
    """Once a streak, however it goes on."""
    account = desk.pipeline.link(transactions=5)

    desk.fail(account, times=8)

    assert len(desk.on(desk.dead)) == 1


def test_the_scheduler_and_other_wake_ups_leave_a_dead_letter_alone(desk: DeadLetterDesk) -> None:
    """Neither a due time, nor a webhook, nor a run that still waits brings it back; a healthy account goes on."""
    pipeline = desk.pipeline
    dead, healthy = pipeline.link(transactions=5), pipeline.link(transactions=5)
    desk.fail(dead, times=5)
    pipeline.request(dead)
    pipeline.let_pass(days=2)
    pipeline.sandbox.clear_requests()

    ticked = pipeline.tick()
    served = pipeline.wake(dead)
    for message in [*pipeline.daily.drain(), *pipeline.backfill.drain()]:
        pipeline.wake(message.account_id, message=message)

    assert (ticked.requested, ticked.woken_again) == (1, 0)
    assert served is Served.DEAD_LETTERED
    assert pipeline.page_requests(dead) == []
    assert statuses(pipeline, healthy) == ["completed"]


def test_a_run_that_waits_behind_the_last_failure_is_not_started(desk: DeadLetterDesk) -> None:
    """One wake-up serves all open runs of an account; not any more once it is a dead letter."""
    pipeline = desk.pipeline
    account = pipeline.link(transactions=5)
    desk.fail(account, times=4)
    pipeline.request(account)
    pipeline.worker.runs.request(
        pipeline.worker.accounts.find(account).id,
        kind=RunKind.WINDOW,
        asked=DateWindow(start=pipeline.today(), end=pipeline.today()),
        requested_by="test",
        correlation_id="c-2",
    )

    with desk.mono_down():
        served = pipeline.wake(account, worker=desk.worker, message=pipeline.from_schedule(account))

    assert served is Served.DEAD_LETTERED
    assert sorted(statuses(pipeline, account)) == ["failed"] * 5 + ["running"]


@pytest.mark.parametrize("effect", [RateLimited(retry_after="60"), Status(status=403), Status(status=404)])
def test_a_pause_or_a_block_is_no_failure_of_the_account(desk: DeadLetterDesk, effect: Status | RateLimited) -> None:
    """Somebody is waited for; the account is not to blame, and is no dead letter however long it takes."""
    pipeline = desk.pipeline
    account = pipeline.link(transactions=5)
    pipeline.sandbox.inject(Fault(effect=effect, account=account, times=None))

    for _ in range(7):
        pipeline.sync(account, worker=desk.worker)
        pipeline.rows("UPDATE provider_budget SET paused_until = NULL, pause_reason = NULL")

    assert desk.standing(account)["failure_streak"] == 0
    assert desk.on(desk.dead) == []


def test_a_success_in_between_begins_anew(desk: DeadLetterDesk) -> None:
    """Four, a success, four: nothing."""
    account = desk.pipeline.link(transactions=5)
    desk.fail(account, times=4)
    assert desk.pipeline.sync(account, worker=desk.worker).verdict == VERIFIED
    desk.fail(account, times=4)

    assert desk.on(desk.dead) == []


def test_a_worker_that_dies_before_it_sends_is_made_good_by_the_tick(desk: DeadLetterDesk) -> None:
    """What is owed was committed with the end of the run; the tick sends it, once."""
    pipeline = desk.pipeline
    account = pipeline.link(transactions=5)
    pipeline.dead_letters.fails = True
    with desk.mono_down():
        for _ in range(5):
            pipeline.sync(account)  # the harness' own worker, whose dead-letter queue is down
    assert desk.standing(account)["dead_letter_sent_at"] is None
    pipeline.dead_letters.fails = False
    assert pipeline.tick().dead_letters_sent == 0  # the worker may only just be about to

    pipeline.let_pass(minutes=2)
    sent = [pipeline.tick().dead_letters_sent for _ in range(2)]

    assert sent == [1, 0]
    assert [letter.account_id for letter in pipeline.dead_letters.letters] == [account]


def test_a_worker_that_dies_after_it_sent_makes_two_copies_that_name_one_run(desk: DeadLetterDesk) -> None:
    """And a replay takes them for one."""
    pipeline = desk.pipeline
    account = pipeline.link(transactions=5)
    desk.fail(account, times=5)
    pipeline.rows("UPDATE bank_accounts SET dead_letter_sent_at = NULL")
    pipeline.let_pass(minutes=2)
    pipeline.tick(worker=desk.worker)
    copies = [json.loads(body) for body in desk.on(desk.dead)]
    assert len(copies) == 2
    assert copies[0] == copies[1]

    desk.replay()

    assert desk.on(desk.dead) == []
    assert len(desk.on(desk.daily) + desk.on(desk.backfill)) == 1
    assert statuses(pipeline, account).count("running") == 1


def test_while_sqs_is_down_the_tick_stops_at_the_first(desk: DeadLetterDesk) -> None:
    """And goes on with its own work."""
    pipeline = desk.pipeline
    accounts = [pipeline.link(transactions=5) for _ in range(3)]
    pipeline.dead_letters.fails = True
    with desk.mono_down():
        for account in accounts:
            for _ in range(5):
                pipeline.sync(account)
    pipeline.let_pass(minutes=2)
    pipeline.witness.events.clear()

    pipeline.tick()

    assert pipeline.witness.names().count("mono.dead_letter.not_sent") == 1


def by_api(pipeline: Pipeline, account: str) -> None:
    """As the platform does."""
    pipeline.ask(account)


def by_backfill(pipeline: Pipeline, account: str) -> None:
    """As `monoctl backfill` does."""
    days = {"from": "2026-01-01", "to": "2026-01-31"}
    answer = Operations(pipeline.worker).perform(
        {"action": "backfill.start", "account_id": account, **days}, pipeline.soon()
    )
    assert "error" not in answer, answer


@pytest.mark.parametrize("person", [by_api, by_backfill])
def test_a_person_has_it_read_again(desk: DeadLetterDesk, person: Callable[[Pipeline, str], None]) -> None:
    """Whoever asks for the account by name; the scheduler then looks after it as before."""
    pipeline = desk.pipeline
    account = pipeline.link(transactions=5)
    desk.fail(account, times=5)

    person(pipeline, account)

    for message in [*pipeline.daily.drain(), *pipeline.backfill.drain()]:
        pipeline.wake(account, message=message)
    assert statuses(pipeline, account)[-1] == RunStatus.COMPLETED
    assert desk.standing(account)["dead_lettered_at"] is None
    due(pipeline)
    assert pipeline.tick().requested == 1
