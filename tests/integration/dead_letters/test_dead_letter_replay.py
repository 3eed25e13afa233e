"""Replay: what is meant goes back to work once, what is blocked stays, and what comes back too often is given up."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.replay import Action, Asked
from mono_pipeline.core.verdict import VERIFIED
from mono_pipeline.usecases.dead_letters import DeadLetters

if TYPE_CHECKING:
    from tests.dead_letter_desk import DeadLetterDesk

pytestmark = pytest.mark.integration

EVENT = {"type": "mono.webhook.received", "account_id": "a" * 24, "correlation_id": "c-hook", "event_key": "e-1"}
TICK_FAILED = {
    "version": "1.0",
    "requestContext": {"requestId": "r-1", "functionArn": "x:live", "condition": "RetriesExhausted"},
    "requestPayload": {"source": "aws.scheduler"},
    "responsePayload": {"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"},
}


class OneRound:
    """A dead-letter queue that an invocation has time to look at once."""

    def __init__(self, desk: DeadLetterDesk, deadline: Deadline) -> None:
        self._queue, self._deadline, self._looks = desk.worker.dead_letters, deadline, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def receive(self) -> Any:
        """Something at first, and then time is up."""
        self._looks += 1
        if self._looks == 1:
            return self._queue.receive()
        object.__setattr__(self._deadline, "at", 0.0)
        return []


def test_a_dry_run_says_what_would_happen_and_does_nothing(desk: DeadLetterDesk) -> None:
    """Forty-one messages of seven accounts would go back, three accounts are blocked by re-authorisation and stay."""
    accounts = [desk.pipeline.link(transactions=1) for _ in range(10)]
    for number in range(41):
        desk.put_wake_up(accounts[number % 7])
    for account in accounts[7:]:
        desk.put_wake_up(account)
        desk.pipeline.rows(
            "UPDATE bank_accounts SET link_status = 'reauth_required' WHERE mono_account_id = :id", id=account
        )
    before = desk.on(desk.dead)

    told = desk.ask(Action.REPLAY)

    assert told.finished
    assert told.outcomes["requeued"] == {"messages": 41, "accounts": 7}
    assert told.outcomes["reauth_required"] == {"messages": 3, "accounts": 3}
    assert desk.on(desk.dead) == before
    assert desk.on(desk.daily) + desk.on(desk.backfill) == []
    assert desk.pipeline.rows("SELECT FROM sync_runs") == []


def test_a_replay_does_what_the_dry_run_said(desk: DeadLetterDesk) -> None:
    """One wake-up and one run an account, under the correlation id of its letter; the runs end verified."""
    accounts = [desk.pipeline.link(transactions=5) for _ in range(3)]
    for account in accounts:
        for _ in range(4):
            desk.put_wake_up(account, correlation_id=f"c-{account[-4:]}")

    told = desk.replay()

    assert told.outcomes["requeued"] == {"messages": 12, "accounts": 3}
    assert desk.on(desk.dead) == []
    assert len(desk.on(desk.backfill)) == 3  # first histories
    assert desk.work() == ["done"] * 3
    for account in accounts:
        (run,) = desk.pipeline.runs(account)
        assert (run["status"], run["verdict"], run["correlation_id"], run["requested_by"]) == (
            "completed",
            "verified",
            f"c-{account[-4:]}",
            "replay",
        )


def test_an_account_that_failed_too_often_is_scheduled_again_by_its_replay(desk: DeadLetterDesk) -> None:
    """The whole way: five failures, a letter, a replay, a verified run, the next tick."""
    pipeline = desk.pipeline
    account = pipeline.link(transactions=5)
    desk.fail(account, times=5)

    assert desk.counted(desk.replay()) == {"requeued": 1}
    assert desk.work() == ["done"]

    assert pipeline.runs(account)[-1]["verdict"] == VERIFIED.kind
    standing = desk.standing(account)
    assert (standing["failure_streak"], standing["dead_lettered_at"], standing["dead_letter_replays"]) == (0, None, 0)
    pipeline.let_pass(days=1)
    assert pipeline.tick().requested == 1


def test_a_run_that_was_under_way_goes_on_instead_of_a_new_one(desk: DeadLetterDesk) -> None:
    """The wake-up was lost, the run was not: it is what is owed."""
    pipeline = desk.pipeline
    account = pipeline.link(transactions=5)
    run_id = pipeline.request(account)
    desk.put_wake_up(account)

    desk.replay()
    desk.work()

    assert [(row["run_id"], row["status"]) for row in pipeline.runs(account)] == [(run_id, "completed")]


def test_the_filter_by_type_account_reason_and_age(desk: DeadLetterDesk) -> None:
    """Each alone picks its own, a pattern several; what is not meant is left, visible at once."""
    pipeline = desk.pipeline
    lost, failed = pipeline.link(transactions=1), pipeline.link(transactions=1)
    desk.fail(failed, times=5)
    desk.put_wake_up(lost)
    desk.put(EVENT)
    desk.put("{")
    everything = desk.on(desk.dead)

    def found(**words: object) -> set[tuple[str, str]]:
        return {(row["type"], row["reason"]) for row in desk.ask(**words).groups}  # type: ignore[arg-type]

    wake_up, letter = ("mono.fetch.requested", "never_run"), ("mono.fetch.failed", "mono_server_error")
    assert found(type="mono.fetch.*") == {wake_up, letter}
    assert found(type="mono.fetch.failed") == {letter}
    assert found(account_id=lost) == {wake_up}
    assert found(reason="mono_*") == {letter}
    assert found(reason="not_json") == {("unreadable", "not_json")}
    assert found() == {wake_up, letter, ("mono.webhook.received", "unfinished"), ("unreadable", "not_json")}
    assert found(older_than=timedelta(minutes=5)) == set()
    pipeline.let_pass(minutes=10)
    assert len(found(older_than=timedelta(minutes=5))) == 4
    assert desk.on(desk.dead) == everything


def test_a_former_id_means_the_account_and_a_letter_of_it_is_served(desk: DeadLetterDesk) -> None:
    """After a re-link old letters still name the old id."""
    pipeline = desk.pipeline
    account = pipeline.link(transactions=3)
    former = "f" * 24
    pipeline.rows(
        "INSERT INTO account_aliases SELECT :former, id FROM bank_accounts WHERE mono_account_id = :id",
        former=former,
        id=account,
    )
    desk.put_wake_up(former)

    assert desk.counted(desk.replay(account_id=account)) == {"requeued": 1}
    desk.work()

    assert [row["status"] for row in pipeline.runs(account)] == ["completed"]


@pytest.mark.parametrize(
    ("status", "forced"), [("unlinked", "unlinked"), ("refused", "requeued"), ("reauth_required", "requeued")]
)
def test_a_blocked_account_keeps_its_letters_unless_forced(desk: DeadLetterDesk, status: str, forced: str) -> None:
    """No force brings back a link that is gone."""
    account = desk.pipeline.link(transactions=1)
    desk.pipeline.rows("UPDATE bank_accounts SET link_status = :status", status=status)
    desk.put_wake_up(account)

    assert desk.counted(desk.replay()) == {status: 1}
    assert len(desk.on(desk.dead)) == 1
    assert desk.counted(desk.replay(force=True)) == {forced: 1}


def test_an_account_that_is_not_known_here_keeps_its_letters(desk: DeadLetterDesk) -> None:
    """A replay would change nothing; a purge takes them off."""
    desk.put_wake_up("b" * 24)

    assert desk.counted(desk.replay(force=True)) == {"unknown_account": 1}
    assert desk.counted(desk.purge()) == {"purged": 1}


def test_the_flag_off_for_everyone_refuses_a_replay_and_for_one_account_leaves_its_letters(
    desk: DeadLetterDesk,
) -> None:
    """Nothing that is replayed would be synced. A dry run says so, force sets it aside, and a purge does not care."""
    on, off = desk.pipeline.link(transactions=1), desk.pipeline.link(transactions=1)
    desk.put_wake_up(on)
    desk.put_wake_up(off)
    desk.pipeline.ssm.set("false")

    refused, dry = desk.replay(), desk.ask(Action.REPLAY)

    assert (refused.refusal.code if refused.refusal else None, refused.outcomes, refused.finished) == (
        "flag_off",
        {},
        True,
    )
    assert (dry.refusal.code if dry.refusal else None, desk.counted(dry)) == ("flag_off", {"flag_off": 2})
    assert desk.action_row(refused.asked.action_id)["refused"] == "flag_off"
    assert len(desk.on(desk.dead)) == 2
    desk.pipeline.ssm.set(json.dumps({"enabled": True, "allow": [on]}))
    assert desk.counted(desk.replay()) == {"requeued": 1, "flag_off": 1}
    desk.pipeline.ssm.set("false")
    assert desk.counted(desk.replay(force=True)) == {"requeued": 1}
    desk.put_wake_up(off)
    assert desk.counted(desk.purge()) == {"purged": 1}


def test_while_nobody_may_call_mono_a_replay_is_refused(desk: DeadLetterDesk) -> None:
    """It would only burn a replay of each; force sets it aside."""
    desk.put_wake_up(desk.pipeline.link(transactions=1))
    desk.pipeline.worker.budget.pause(600.0, "mono_rate_limited")

    refused = desk.replay()

    assert refused.refusal is not None
    assert (refused.refusal.code, refused.refusal.reason) == ("provider_paused", "mono_rate_limited")
    assert 590 < (refused.refusal.seconds or 0) <= 600
    assert len(desk.on(desk.dead)) == 1
    assert desk.counted(desk.replay(force=True)) == {"requeued": 1}


def test_while_the_circuit_is_open_a_replay_is_refused_until_a_probe_closes_it(desk: DeadLetterDesk) -> None:
    """Also when its minute is over, and only one probe may call: Mono serves nobody yet."""
    desk.put_wake_up(desk.pipeline.link(transactions=1))
    budget = desk.pipeline.worker.budget
    budget.open_circuit("mono_server_error")
    desk.pipeline.let_pass(seconds=61)

    refused, dry = desk.replay(), desk.ask(Action.REPLAY)

    assert [(told.refusal.code, told.refusal.reason) for told in (refused, dry) if told.refusal is not None] == [
        ("provider_paused", "mono_server_error")
    ] * 2
    assert len(desk.on(desk.dead)) == 1
    assert budget.take(1).tokens == 1  # the probe
    budget.answered()
    assert desk.counted(desk.replay()) == {"requeued": 1}


def test_no_more_than_the_limit_is_taken_off_and_the_rest_is_visible(desk: DeadLetterDesk) -> None:
    """Over all invocations of an action together."""
    account = desk.pipeline.link(transactions=1)
    for _ in range(25):
        desk.put_wake_up(account)

    told = desk.replay(most=7)

    assert (told.finished, desk.counted(told)) == (True, {"requeued": 7})
    assert len(desk.on(desk.dead)) == 18


def test_no_more_a_second_than_the_rate(desk: DeadLetterDesk) -> None:
    """After each part it waits as long as the part may take."""
    account = desk.pipeline.link(transactions=1)
    for _ in range(12):
        desk.put_wake_up(account)

    told = desk.replay(per_second=5)

    assert desk.counted(told) == {"requeued": 12}
    assert sum(desk.waited) == pytest.approx(12 / 5)
    assert max(desk.waited) <= 1.0


def test_out_of_time_it_says_so_and_the_same_action_goes_on(desk: DeadLetterDesk) -> None:
    """Nothing is lost and nothing is counted twice, and the filter cannot change on the way."""
    account = desk.pipeline.link(transactions=1)
    for _ in range(30):
        desk.put_wake_up(account)
    action_id = uuid4()

    first = desk.replay(action_id=action_id, seconds=0.0)
    with pytest.raises(InvalidInput, match="another filter"):
        desk.replay(action_id=action_id, type="mono.*")
    last = desk.replay(action_id=action_id)
    again = desk.replay(action_id=action_id)

    assert (first.finished, desk.counted(first)) == (False, {})
    assert (last.finished, desk.counted(last), last.seen) == (True, {"requeued": 30}, 30)
    assert (again.finished, desk.counted(again)) == (True, {"requeued": 30})
    assert desk.standing(account)["dead_letter_replays"] == 1


def test_what_earlier_invocations_left_hidden_is_shown_when_the_action_ends(desk: DeadLetterDesk) -> None:
    """Else a replay after a long dry run would miss what the dry run still hides."""
    accounts = [desk.pipeline.link(transactions=1) for _ in range(2)]
    for number in range(120):
        desk.put_wake_up(accounts[number % 2])
    action_id = uuid4()
    deadline = Deadline.after(30.0)
    one_round = desk.connected(desk.pipeline.worker, dead=OneRound(desk, deadline))
    question = Asked(action_id=action_id, action=Action.REPLAY, asked_by="ada", correlation_id="c-desk")
    first = DeadLetters(one_round).act(question, deadline)
    assert (first.finished, len(desk.on(desk.dead)) < 120) == (False, True)

    last = desk.ask(Action.REPLAY, action_id=action_id)

    assert (last.finished, desk.counted(last)) == (True, {"requeued": 120})
    assert len(desk.on(desk.dead)) == 120
    assert desk.counted(desk.replay()) == {"requeued": 120}


def test_after_three_replays_without_a_success_it_is_given_up_and_kept(desk: DeadLetterDesk) -> None:
    """The cause is still there: each replay ends in a new letter; the fourth archives it with its reason."""
    account = desk.pipeline.link(transactions=5)
    desk.fail(account, times=5)

    for replay in range(1, 4):
        assert desk.counted(desk.replay()) == {"requeued": 1}
        with desk.mono_down():
            assert desk.work() == ["dead_lettered"]
        assert desk.standing(account)["dead_letter_replays"] == replay
    last = desk.replay()

    assert desk.counted(last) == {"quarantined": 1}
    assert desk.on(desk.dead) == []
    (kept,) = desk.pipeline.rows("SELECT * FROM dead_letter_archive")
    assert (kept["account_id"], kept["reason"], kept["replays"], kept["archived_as"], kept["receives"]) == (
        account,
        "mono_server_error",
        3,
        "quarantined",
        1,
    )
    assert json.loads(kept["body"])["streak"] == 8
    assert kept["action_id"] == last.asked.action_id
    assert desk.standing(account)["dead_lettered_at"] is not None  # a person is waited for now


def test_a_wake_up_that_kills_its_worker_again_and_again_is_given_up_too(desk: DeadLetterDesk) -> None:
    """The count survives the redrive: it is the account's, and it travels with the message."""
    account = desk.pipeline.link(transactions=5)
    desk.put_wake_up(account)

    outcomes = []
    for _ in range(4):
        outcomes.append(desk.counted(desk.replay()))
        for queue in (desk.daily, desk.backfill):
            desk.die_at_work(queue)

    assert outcomes == [{"requeued": 1}, {"requeued": 1}, {"requeued": 1}, {"quarantined": 1}]


def test_many_letters_of_one_account_are_one_replay_of_it(desk: DeadLetterDesk) -> None:
    """Two hundred messages do not use up its three replays."""
    account = desk.pipeline.link(transactions=1)
    for _ in range(200):
        desk.put_wake_up(account)

    assert desk.counted(desk.replay()) == {"requeued": 200}
    assert desk.standing(account)["dead_letter_replays"] == 1
    assert len(desk.pipeline.runs(account)) == 1


def test_an_account_s_letters_in_several_invocations_are_one_replay_of_it(desk: DeadLetterDesk) -> None:
    """The action counts, not the invocation."""
    account = desk.pipeline.link(transactions=1)
    for _ in range(120):
        desk.put_wake_up(account)
    action_id, deadline = uuid4(), Deadline.after(30.0)
    one_round = desk.connected(desk.pipeline.worker, dead=OneRound(desk, deadline))
    question = Asked(action_id=action_id, action=Action.REPLAY, dry_run=False, asked_by="ada", correlation_id="c-desk")

    first = DeadLetters(one_round).act(question, deadline)
    last = desk.replay(action_id=action_id)

    assert (first.finished, 0 < desk.counted(first)["requeued"] < 120) == (False, True)
    assert (last.finished, desk.counted(last)) == (True, {"requeued": 120})
    assert desk.standing(account)["dead_letter_replays"] == 1


def test_what_is_no_account_s_goes_back_as_it_came_and_is_counted_by_itself(desk: DeadLetterDesk) -> None:
    """An event of Mono's is served by whoever reads it; its account need not be known yet."""
    desk.put(EVENT, replays="2")
    desk.put({**EVENT, "event_key": "e-2"}, replays="3")

    assert desk.counted(desk.replay()) == {"requeued": 1, "quarantined": 1}

    (message,) = desk.sqs.receive_message(QueueUrl=desk.daily, MessageAttributeNames=["All"])["Messages"]
    assert json.loads(message["Body"]) == EVENT
    assert message["MessageAttributes"]["replays"]["StringValue"] == "3"


def test_a_message_goes_back_to_the_queue_that_gave_it_up(desk: DeadLetterDesk) -> None:
    """Backfills must not get among the daily work by way of the dead letters."""
    desk.sqs.send_message(QueueUrl=desk.backfill, MessageBody=json.dumps(EVENT))
    desk.die_at_work(desk.backfill)
    assert len(desk.on(desk.dead)) == 1

    desk.replay()

    assert (len(desk.on(desk.backfill)), desk.on(desk.daily)) == (1, [])


def test_a_failed_invocation_is_shown_and_stays_for_a_person(desk: DeadLetterDesk) -> None:
    """The next tick has replaced it; what an operator invoked, an operator invokes again."""
    desk.put(TICK_FAILED)
    desk.put("{}", ERROR_CODE="AWS.Scheduler.InternalServerError")

    told = desk.replay()

    assert desk.counted(told) == {"by_hand": 2}
    assert {(row["type"], row["reason"]) for row in told.groups} == {
        ("mono.invocation.failed", "Runtime.ExitError"),
        ("mono.invocation.failed", "AWS.Scheduler.InternalServerError"),
    }
    assert len(desk.on(desk.dead)) == 2


def test_an_invocation_that_carried_a_message_is_replayed_as_that_message(desk: DeadLetterDesk) -> None:
    """AWS wraps the event; what is in it is what failed."""
    account = desk.pipeline.link(transactions=1)
    payload = {"type": "mono.fetch.requested", "account_id": account, "correlation_id": "c-in", "requested_by": "x"}
    desk.put({**TICK_FAILED, "requestPayload": payload})

    assert desk.counted(desk.replay()) == {"requeued": 1}
    desk.work()

    assert desk.pipeline.runs(account)[0]["correlation_id"] == "c-in"


def test_purge_archives_what_it_deletes_and_changes_no_account(desk: DeadLetterDesk) -> None:
    """The account stays a dead letter: only its message is gone."""
    account = desk.pipeline.link(transactions=1)
    desk.fail(account, times=5)
    desk.put("{not json")

    told = desk.purge()

    assert desk.counted(told) == {"purged": 2}
    assert desk.on(desk.dead) == []
    kept = {row["type"]: row for row in desk.pipeline.rows("SELECT * FROM dead_letter_archive")}
    assert (kept["unreadable"]["body"], kept["unreadable"]["body_length"]) == ("{not json", 9)
    assert kept["mono.fetch.failed"]["correlation_id"] == "c-1"
    assert {row["archived_as"] for row in kept.values()} == {"purged"}
    assert desk.standing(account)["dead_lettered_at"] is not None


def test_every_action_is_in_the_books(desk: DeadLetterDesk) -> None:
    """Who, when, what was meant, whether it was forced or dry, and what came of it."""
    account = desk.pipeline.link(transactions=1)
    desk.put_wake_up(account)
    asked = {"type": "mono.fetch.*", "account_id": account}

    for progress, action, dry in (
        (desk.ask(**asked), "inspect", True),
        (desk.ask(Action.REPLAY, **asked), "replay", True),
        (desk.replay(**asked, force=True, most=5), "replay", False),
    ):
        row = desk.action_row(progress.asked.action_id)
        assert (row["action"], row["dry_run"], row["asked_by"], row["seen"]) == (action, dry, "ada", 1)
        assert row["filter"] == {**asked, "reason": None, "older_than": None}
        assert row["outcomes"] == {"requeued": 1}
        assert row["started_at"] <= row["finished_at"]
    assert (row["forced"], row["most"]) == (True, 5)


def test_an_inspection_shows_the_oldest_letters_with_their_run(desk: DeadLetterDesk) -> None:
    """Ids, reason, receives and replays; as many as are asked for."""
    account = desk.pipeline.link(transactions=1)
    desk.fail(account, times=5)
    for _ in range(5):
        desk.put_wake_up(account)

    told = desk.ask(most=3)

    assert len(told.letters) == 3
    first = told.letters[0]
    assert (first["account_id"], first["type"], first["reason"]) == (account, "mono.fetch.failed", "mono_server_error")
    assert first["run_id"] == str(desk.pipeline.runs(account)[-1]["run_id"])
    assert (told.letters[1]["type"], told.letters[1]["reason"], told.letters[1]["run_id"]) == (
        "mono.fetch.requested",
        "mono_server_error",  # it says nothing of itself: how its account's newest run ended
        first["run_id"],
    )


def test_looking_any_number_of_times_does_no_harm(desk: DeadLetterDesk) -> None:
    """Receives count up, and on this queue nothing comes of it."""
    desk.put_wake_up(desk.pipeline.link(transactions=1))

    for _ in range(10):
        desk.ask()
    told = desk.ask()

    assert told.letters[0]["receives"] >= 10
    assert len(desk.on(desk.dead)) == 1


def test_decisions_are_forgotten_after_a_month_and_actions_are_not(desk: DeadLetterDesk) -> None:
    """The books stay small."""
    desk.put_wake_up(desk.pipeline.link(transactions=1))
    desk.ask()
    desk.pipeline.let_pass(days=31)
    desk.ask()

    assert len(desk.pipeline.rows("SELECT FROM dead_letter_actions")) == 2
    assert len(desk.pipeline.rows("SELECT FROM dead_letter_decisions")) == 1
