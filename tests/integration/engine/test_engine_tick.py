"""The tick: what is due is asked for once, what was lost on its way is sent for again, and nothing is forgotten."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from copy import replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from mono_pipeline.adapters.queue import WorkQueue
from mono_pipeline.core.errors import QueueUnavailable
from mono_pipeline.usecases.schedule_tick import TickResult

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def test_two_ticks_at_once_ask_for_each_account_once(pipeline: Pipeline) -> None:
    """Whoever takes an account moves it to its next time in the same commit."""
    accounts = {pipeline.link(transactions=1) for _ in range(30)}
    workers = [pipeline.new_worker() for _ in range(4)]

    with ThreadPoolExecutor(max_workers=4) as pool:
        results = list(pool.map(lambda worker: pipeline.tick(worker=worker), workers))

    assert sum(result.requested for result in results) == 30
    asked = [message.account_id for message in pipeline.backfill.messages]
    assert sorted(asked) == sorted(accounts)
    assert len(pipeline.rows("SELECT FROM sync_runs")) == 30


def test_a_first_history_goes_to_the_backfill_queue_and_a_known_account_to_the_daily_one(pipeline: Pipeline) -> None:
    """So that a first link never delays the daily work; a deep re-read is as long as a first history."""
    known, new = pipeline.link(transactions=5), pipeline.link(transactions=5)
    pipeline.sync(known)
    pipeline.let_pass(hours=14)

    pipeline.tick()

    assert [message.account_id for message in pipeline.daily.drain()] == [known]
    assert [message.account_id for message in pipeline.backfill.drain()] == [new]
    pipeline.let_pass(days=7)
    pipeline.tick()
    assert known in {message.account_id for message in pipeline.backfill.messages}


def test_the_next_time_is_the_interval_with_jitter(pipeline: Pipeline) -> None:
    """A tenth more or less, so that accounts that were linked together do not come together for ever."""
    accounts = [pipeline.link(transactions=1) for _ in range(20)]

    pipeline.tick()

    rests = {round(pipeline.seconds_to_next_attempt(account)) for account in accounts}
    assert all(0.9 * 43_200 - 60 < rest <= 1.1 * 43_200 for rest in rests)
    assert len(rests) > 10


def test_a_tick_that_dies_forgets_nobody(pipeline: Pipeline) -> None:
    """Taking what is due and asking for its runs are one commit: either both happened or neither."""
    accounts = {pipeline.link(transactions=1) for _ in range(3)}
    dying = pipeline.new_worker()
    ask = dying.runs.request_unless_open
    asked: list[object] = []

    def ask_once(*arguments: object, **named: object) -> None:
        if asked:
            raise ConnectionError
        asked.append(arguments)
        ask(*arguments, **named)  # type: ignore[arg-type]

    dying.runs.request_unless_open = ask_once  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        pipeline.tick(worker=dying)

    assert pipeline.tick().requested == 3
    assert {message.account_id for message in pipeline.backfill.messages} == accounts


def test_a_message_that_was_lost_is_sent_again(pipeline: Pipeline) -> None:
    """The request stands in the database; ten quiet minutes and it is sent for again, once."""
    account = pipeline.link(transactions=5)
    pipeline.tick()
    pipeline.backfill.drain()
    assert pipeline.tick() == TickResult()
    pipeline.let_pass(minutes=11)

    assert pipeline.tick() == TickResult(woken_again=1)
    assert pipeline.tick() == TickResult()

    (message,) = pipeline.backfill.drain()
    pipeline.wake(account, message=message)
    assert pipeline.stored(account) == pipeline.truth(account)


@pytest.mark.parametrize("how", ["down", "takes some"])
def test_what_a_queue_did_not_take_is_sent_again(pipeline: Pipeline, how: str) -> None:
    """A queue that is down, or that took two of five, costs ten minutes and no account."""
    accounts = {pipeline.link(transactions=1) for _ in range(5)}
    if how == "down":
        pipeline.backfill.fails = True
        with pytest.raises(QueueUnavailable):
            pipeline.tick()
    else:
        pipeline.backfill.takes = 2
        pipeline.tick()
    pipeline.backfill.fails, pipeline.backfill.takes = False, None
    for message in pipeline.backfill.drain():
        pipeline.wake(message.account_id, message=message)
    pipeline.let_pass(minutes=11)

    pipeline.tick()

    for message in pipeline.backfill.drain():
        pipeline.wake(message.account_id, message=message)
    assert all(pipeline.stored(account) == pipeline.truth(account) for account in accounts)


def test_a_held_account_is_not_sent_for_again(pipeline: Pipeline) -> None:
    """A run that somebody works on is not lost, however long it takes."""
    account = pipeline.link(transactions=5)
    pipeline.sync(account)
    pipeline.request(account)
    pipeline.let_pass(minutes=11)
    pipeline.worker.runs.claim(pipeline.account_row(account)["id"], flag_reason="DEFAULT")

    assert pipeline.tick().woken_again == 0


def test_a_run_whose_worker_died_is_sent_for_again(pipeline: Pipeline) -> None:
    """Its lease ran out and nobody took it over."""
    account = pipeline.link(transactions=5)
    pipeline.request(account)
    pipeline.worker.runs.claim(pipeline.account_row(account)["id"], flag_reason="DEFAULT")
    pipeline.let_pass(minutes=11)

    assert pipeline.tick().woken_again == 1


def test_a_due_account_with_an_open_run_is_woken_and_gets_no_second_run(pipeline: Pipeline) -> None:
    """Paused or interrupted, the open run is the one to go on with."""
    account = pipeline.link(transactions=5)
    run_id = pipeline.request(account)

    assert pipeline.tick().requested == 1

    assert [run["run_id"] for run in pipeline.runs(account)] == [run_id]


def test_off_for_everyone_touches_nothing(pipeline: Pipeline) -> None:
    """What is due stays due: on again, the next tick finds it."""
    account = pipeline.link(transactions=5)
    pipeline.ssm.set("false")
    before = pipeline.account_row(account)

    assert pipeline.tick() == TickResult()

    assert pipeline.account_row(account) == before
    assert pipeline.runs(account) == []
    assert pipeline.backfill.messages == []
    pipeline.ssm.set("true")
    assert pipeline.tick().requested == 1


def test_an_account_that_the_flag_leaves_out_is_counted_and_not_asked_for(pipeline: Pipeline) -> None:
    """Only those for whom the flag is on get a run."""
    out, allowed = pipeline.link(transactions=5), pipeline.link(transactions=5)
    pipeline.ssm.set(json.dumps({"enabled": True, "allow": [allowed]}))

    assert pipeline.tick() == TickResult(requested=1, deferred=1)
    assert pipeline.runs(out) == []
    assert [message.account_id for message in pipeline.backfill.messages] == [allowed]


def test_an_account_that_was_left_out_is_looked_at_again_soon(pipeline: Pipeline) -> None:
    """Turning the flag on for more accounts reaches them within a quarter of an hour, not within the interval."""
    pipeline.link(transactions=5)
    pipeline.ssm.set('{"enabled": true, "percentage": 0, "allow": ["ffffffffffffffffffffffff"]}')
    pipeline.tick()
    pipeline.ssm.set("true")
    pipeline.let_pass(minutes=16)

    assert pipeline.tick().requested == 1


def test_an_unlinked_account_is_never_due(pipeline: Pipeline) -> None:
    """There is nobody to read it for until it is linked anew."""
    pipeline.link(transactions=5)
    pipeline.rows("UPDATE bank_accounts SET link_status = 'unlinked'")

    assert pipeline.tick() == TickResult()


def test_more_than_a_batch_is_gone_through(pipeline: Pipeline) -> None:
    """Five hundred at a time, until none is left."""
    pipeline.rows(
        """INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency)
           SELECT id, id, 'NGN' FROM (SELECT lpad(to_hex(n), 24, '0') AS id FROM generate_series(1, 1203) n) made"""
    )

    assert pipeline.tick().requested == 1_203
    assert len(pipeline.backfill.messages) == 1_203


class RefusesGroups:
    """An SQS client that refuses a batch for a group that SQS's rule does not allow: 1 to 128 ASCII characters."""

    def __init__(self) -> None:
        self.taken: dict[str, str] = {}

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Take all of them, or none."""
        assert QueueUrl
        if not all(re.fullmatch(r"[!-~]{1,128}", entry["MessageGroupId"]) for entry in Entries):
            raise ClientError({"Error": {"Code": "InvalidParameterValue"}}, "SendMessageBatch")
        self.taken |= {json.loads(entry["MessageBody"])["account_id"]: entry["MessageGroupId"] for entry in Entries}
        return {"Successful": [{"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x"} for entry in Entries]}


def test_a_customer_whose_id_no_queue_takes_holds_up_nobody(pipeline: Pipeline) -> None:
    """Mono may call a customer what it likes: each due account's message is taken, and his accounts are one group."""
    accounts = [pipeline.link(transactions=1) for _ in range(25)]
    for account in accounts[3:5]:
        pipeline.rows(
            "UPDATE bank_accounts SET mono_customer_id = :name WHERE mono_account_id = :id",
            name="Samuel Olámide " * 20,
            id=account,
        )
    sqs = RefusesGroups()

    pipeline.tick(worker=replace(pipeline.worker, backfill=WorkQueue("memory/backfill", sqs)))  # type: ignore[arg-type]

    assert sqs.taken.keys() == set(accounts)
    assert sqs.taken[accounts[3]] == sqs.taken[accounts[4]]
    assert not {sqs.taken[account] for account in accounts[3:5]} & {sqs.taken[account] for account in accounts[5:]}
