"""Rows L: messages that come again, come broken, come too often; and what is done with those that failed for good."""

from __future__ import annotations

import json
from contextlib import suppress
from copy import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from local.sandbox.transport import SandboxTransport
from mono_pipeline.adapters.postgres import Database
from mono_pipeline.adapters.queue import FetchRequested, WebhookReceived
from mono_pipeline.core.dead_letter import FetchFailed
from mono_pipeline.core.errors import DatabaseUnavailable, LeaseLost, ParametersUnavailable, QueueUnavailable
from mono_pipeline.core.replay import Action
from mono_pipeline.core.webhook_event import RETRIEVABLE, WebhookKind, read_webhook_event
from mono_pipeline.usecases.account_sync import AccountSync
from mono_pipeline.usecases.wake_up import Served
from tests.dead_letter_desk import Dies, DyingQueue, SqsDown
from tests.faults.invocation import record, wake_up
from tests.webhook_life import message as webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from tests.dead_letter_desk import DeadLetterDesk
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


@pytest.fixture
def flaky(pipeline: Pipeline) -> Iterator[set[str]]:
    """Accounts that cannot be looked up, as if the database were gone for their messages alone."""
    broken: set[str] = set()
    find = pipeline.worker.accounts.find

    def sometimes(account: str) -> Any:
        if account in broken:
            raise DatabaseUnavailable
        return find(account)

    pipeline.worker.accounts.find = sometimes  # type: ignore[method-assign]
    yield broken
    pipeline.worker.accounts.find = find  # type: ignore[method-assign]


def everything(pipeline: Pipeline) -> dict[str, list[Any]]:
    """What is stored of the bank's rows, their history and the runs."""
    return {
        "rows": pipeline.rows("SELECT * FROM bank_transactions ORDER BY id"),
        "history": pipeline.rows(
            "SELECT * FROM bank_transaction_versions ORDER BY account_id, mono_transaction_id, version"
        ),
        "runs": pipeline.rows("SELECT run_id, status, verdict FROM sync_runs ORDER BY run_id"),
    }


def test_L04_the_same_invocation_twice(
    pipeline: Pipeline, invoke: Callable[..., list[str]], seen: Callable[[str], None]
) -> None:
    """The second is no work at all."""
    account = pipeline.link(transactions=30)
    event = record(wake_up(account), sent_at=pipeline.now() - 1)
    assert invoke(event) == []
    before = everything(pipeline)
    pipeline.sandbox.clear_requests()

    assert invoke(event) == []

    assert everything(pipeline) == before
    assert pipeline.sandbox.requests() == []
    seen("the second asked Mono nothing and wrote nothing")


def test_L04_ten_deliveries_of_everything(
    pipeline: Pipeline, invoke: Callable[..., list[str]], seen: Callable[[str], None]
) -> None:
    """Events, wake-ups of every sender, poison and a stranger's: ten times, and the tables are as after the first."""
    account = pipeline.link(transactions=30)
    events = [
        pipeline.sandbox.fire_webhook(event=event, account=account, shape=shape)[0]["body"]
        for event in ("account_connected", "account_updated", "account_reauthorized")
        for shape in ("current", "2025")
    ]
    sent_at = pipeline.now() - 1
    senders = ("webhook", "api", "schedule", "replay", "backfill")
    bodies = [
        *(webhook(each).body() for each in events),
        *(FetchRequested(account_id=account, correlation_id="c", requested_by=each).body() for each in senders),
        FetchRequested(account_id=account, correlation_id="c", requested_by="webhook", hop=3).body(),
        wake_up("b" * 24),
        "{",
        '{"type": "mono.nothing.known"}',
    ]
    records = [record(body, number=number, sent_at=sent_at) for number, body in enumerate(bodies)]
    assert invoke(*records) == []
    before = everything(pipeline)

    for _ in range(9):
        assert invoke(*records) == []

    assert everything(pipeline) == before
    assert len(pipeline.rows("SELECT FROM quarantined_messages")) == 2
    assert pipeline.stored(account) == pipeline.truth(account)
    seen(f"{10 * len(bodies)} deliveries: {len(before['rows'])} rows, {len(before['runs'])} run")


def test_L06_the_second_stands_down(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """The first holds the lease: whoever has the account serves this wake-up too."""
    account = pipeline.link(transactions=30)
    first, second = pipeline.worker, pipeline.new_worker()
    pipeline.request(account)
    leased = first.runs.claim(first.accounts.find(account).id, flag_reason="DEFAULT")
    assert leased is not None

    served = pipeline.wake(account, worker=second, message=pipeline.from_schedule(account))
    AccountSync(first).run(leased, pipeline.soon())

    assert served is Served.ALREADY_RUNNING
    assert [run["status"] for run in pipeline.runs(account)] == ["completed"]
    assert pipeline.stored(account) == pipeline.truth(account)
    seen("acknowledged, one run")


def test_L06_the_first_thaws_after_its_lease(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Frozen with a page in its hands for longer than its lease: what the second has read since is not written over."""
    account = pipeline.link(transactions=30)
    second = pipeline.new_worker()
    pipeline.request(account)
    served: list[Served] = []
    after: list[dict[str, list[Any]]] = []

    class Freezes(SandboxTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            """Hand page 1 over when a row of it has changed, and the second has read it."""
            page = super().handle_request(request)
            if request.url.params.get("page") == "1" and not served:
                pipeline.let_pass(seconds=pipeline.settings.lease_seconds + 1)
                changed = pipeline.page_ids(account, 1)[0]
                pipeline.sandbox.amend(account, transaction=changed, changes={"category": "new"}, rerun_balances=False)
                served.append(pipeline.wake(account, worker=second, message=pipeline.from_schedule(account)))
                after.append(everything(pipeline))
            return page

    first = pipeline.new_worker(Freezes(pipeline.sandbox))
    leased = first.runs.claim(first.accounts.find(account).id, flag_reason="DEFAULT")
    assert leased is not None
    with pytest.raises(LeaseLost):
        AccountSync(first).run(leased, pipeline.soon())

    assert served == [Served.DONE]
    assert everything(pipeline) == after[0]
    assert pipeline.stored(account) == pipeline.truth(account)
    seen("taken over; the first was refused")


@pytest.mark.parametrize("bad", [{0}, {9}, {4}, {0, 4, 9}, {3, 4, 5, 6}], ids=str)
def test_L07_exactly_the_failed_items_come_back(
    pipeline: Pipeline,
    invoke: Callable[..., list[str]],
    flaky: set[str],
    seen: Callable[[str], None],
    bad: set[int],
) -> None:
    """The first, the last, one in the middle, several: the good ones of ten are done."""
    accounts = [pipeline.link(transactions=2) for _ in range(10)]
    flaky |= {accounts[number] for number in bad}
    records = [
        record(wake_up(account), number=number, sent_at=pipeline.now()) for number, account in enumerate(accounts)
    ]

    failed = invoke(*records)

    assert failed == [f"m-{number}" for number in sorted(bad)]
    flaky.clear()
    done = {number for number, account in enumerate(accounts) if pipeline.stored(account) == pipeline.truth(account)}
    assert done == set(range(10)) - bad
    seen("the failed ones by name, the others done")


def test_L07_all_fail(
    pipeline: Pipeline, invoke: Callable[..., list[str]], flaky: set[str], seen: Callable[[str], None]
) -> None:
    """Never an empty list: the invocation itself fails, and the whole batch comes back."""
    accounts = [pipeline.link(transactions=2) for _ in range(3)]
    flaky |= set(accounts)

    with pytest.raises(ExceptionGroup, match="none of 3 messages") as raised:
        invoke(*(record(wake_up(account), number=number) for number, account in enumerate(accounts)))
    assert [type(error) for error in raised.value.exceptions] == [DatabaseUnavailable] * 3
    seen("all fail: the invocation does")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "message: is not JSON"),
        ("[1]", "type: is not mono.fetch.requested"),
        ('{"type": "mono.fetch.requested"}', "account_id: is not a text"),
        ('{"type": "mono.fetch.requested", "account_id": "NARRATION"}', "account_id: must be 24"),
        ("\u00e9" * 20_000, "message: is not JSON"),
        ("[" * 9_000, "message: is not JSON"),
    ],
    ids=["half", "list", "no account", "no id", "long", "deep"],
)
def test_L07_poison_is_kept_with_its_reason_and_its_batch_is_done(
    pipeline: Pipeline, invoke: Callable[..., list[str]], seen: Callable[[str], None], body: str, reason: str
) -> None:
    """It is never delivered again, and its neighbour lands."""
    account = pipeline.link(transactions=5)

    failed = invoke(record(body, number=1), record(wake_up(account), number=2, sent_at=pipeline.now()))

    assert failed == []
    (kept,) = pipeline.rows("SELECT * FROM quarantined_messages")
    assert (kept["message_id"], kept["queue"], kept["receives"]) == ("m-1", "daily", 2)
    assert kept["reason"].startswith(reason)
    assert (kept["body"], kept["body_length"]) == (body[:16_384], len(body))
    assert pipeline.stored(account) == pipeline.truth(account)
    assert "NARRATION" not in str(pipeline.witness.events)
    seen("kept, its neighbour done")


def test_L07_poison_that_cannot_be_kept_comes_back(
    pipeline: Pipeline, invoke: Callable[..., list[str]], seen: Callable[[str], None]
) -> None:
    """Without the database it would be lost for good."""
    account = pipeline.link(transactions=5)
    event = record(wake_up(account), number=2, sent_at=pipeline.now())
    pipeline.rows("ALTER TABLE quarantined_messages RENAME TO gone")

    assert invoke(record("{", number=1), event) == ["m-1"]
    pipeline.rows("ALTER TABLE gone RENAME TO quarantined_messages")
    assert invoke(record("{", number=1)) == []

    assert len(pipeline.rows("SELECT FROM quarantined_messages")) == 1
    seen("comes back until it is kept")


def test_L07_one_message_twice_in_a_batch(
    pipeline: Pipeline, invoke: Callable[..., list[str]], seen: Callable[[str], None]
) -> None:
    """Both are done, the work once."""
    account = pipeline.link(transactions=5)
    event = record(wake_up(account), sent_at=pipeline.now() - 1)

    assert invoke(event, event) == []

    assert len(pipeline.runs(account)) == 1
    seen("one run")


def test_L08_a_message_that_no_worker_can_finish(desk: DeadLetterDesk, seen: Callable[[str], None]) -> None:
    """Five receives, then a dead letter that is found with its context; the others go on."""
    pipeline = desk.pipeline
    doomed, healthy = pipeline.link(transactions=5), pipeline.link(transactions=5)
    run_id = pipeline.request(doomed)
    desk.worker.daily.send(
        FetchRequested(account_id=doomed, correlation_id="c-doomed", requested_by="api"), group=doomed
    )
    desk.die_at_work(desk.daily)
    desk.worker.daily.send(
        FetchRequested(account_id=healthy, correlation_id="c-well", requested_by="webhook"), group=healthy
    )

    assert desk.work() == ["done"]
    (letter,) = desk.ask().letters

    assert (letter["type"], letter["account_id"], letter["correlation_id"]) == (
        "mono.fetch.requested",
        doomed,
        "c-doomed",
    )
    assert (letter["reason"], letter["run_id"], letter["receives"]) == ("unfinished", str(run_id), 6)
    assert pipeline.stored(healthy) == pipeline.truth(healthy)
    seen(f"after {letter['receives'] - 1} receives, with run and correlation id")


CALLS = [(call, after) for call in ("receive", "send_back", "delete", "release") for after in (False, True)]


@pytest.mark.parametrize(("call", "after"), CALLS)
def test_L09_killed_at_any_call(desk: DeadLetterDesk, seen: Callable[[str], None], call: str, *, after: bool) -> None:
    """Before or after it: the next replay ends it, with one run an account and one replay counted."""
    pipeline = desk.pipeline
    accounts = [pipeline.link(transactions=5) for _ in range(3)]
    for account in accounts:
        desk.fail(account, times=5)
        desk.put_wake_up(account)
    queue = DyingQueue(desk, at=call, after=after)
    with suppress(Dies):
        desk.replay(worker=desk.connected(pipeline.worker, dead=queue))
    queue.two_minutes_later()

    desk.replay()
    counted = [desk.standing(account)["dead_letter_replays"] for account in accounts]  # before a success forgets them
    desk.work()

    assert counted == [1, 1, 1]
    assert desk.on(desk.dead) == []
    for account in accounts:
        runs = pipeline.runs(account)
        assert [run["status"] for run in runs] == ["failed"] * 5 + ["completed"]
        assert pipeline.stored(account) == pipeline.truth(account)
    assert pipeline.rows("SELECT FROM dead_letter_archive") == []
    seen("one run an account, whatever the point")


@pytest.mark.parametrize(("call", "after"), [("delete", False), ("delete", True)])
def test_L09_a_purge_killed_between_archive_and_deletion(
    desk: DeadLetterDesk, seen: Callable[[str], None], call: str, *, after: bool
) -> None:
    """Once in the archive, and off the queue by whoever comes next."""
    desk.put_wake_up(desk.pipeline.link(transactions=1))
    queue = DyingQueue(desk, at=call, after=after)
    with pytest.raises(Dies):
        desk.purge(worker=desk.connected(desk.pipeline.worker, dead=queue))
    queue.two_minutes_later()

    desk.replay()

    assert desk.on(desk.dead) == []
    assert desk.on(desk.daily) + desk.on(desk.backfill) == []
    assert [row["archived_as"] for row in desk.pipeline.rows("SELECT * FROM dead_letter_archive")] == ["purged"]
    seen("archived once, deleted by the next action")


def test_L09_a_replay_of_a_replay_with_the_cause_still_there(desk: DeadLetterDesk, seen: Callable[[str], None]) -> None:
    """Each comes back as one letter, the count survives, and the fourth time it is given up and kept."""
    account = desk.pipeline.link(transactions=5)
    desk.fail(account, times=5)
    seen_letters = []

    for _ in range(4):
        desk.replay()
        with desk.mono_down():
            desk.work()
        seen_letters.append(len(desk.on(desk.dead)))

    assert seen_letters == [1, 1, 1, 0]
    assert [row["archived_as"] for row in desk.pipeline.rows("SELECT * FROM dead_letter_archive")] == ["quarantined"]
    seen("three replays, three letters; then kept in the archive")


def test_L09_poison_among_dead_letters(desk: DeadLetterDesk, seen: Callable[[str], None]) -> None:
    """It is shown, a replay gives it up, and the others go back."""
    account = desk.pipeline.link(transactions=1)
    desk.put("not json")
    desk.put({"type": "mono.fetch.requested", "account_id": "nobody"})
    desk.put_wake_up(account)

    assert desk.counted(desk.ask()) == {"quarantined": 2, "requeued": 1}
    assert desk.counted(desk.replay()) == {"quarantined": 2, "requeued": 1}

    assert {row["reason"] for row in desk.pipeline.rows("SELECT * FROM dead_letter_archive")} == {
        "not_json",
        "no_account",
    }
    seen("shown, then kept in the archive with their reason")


class SsmDown:
    """SSM that does not answer."""

    def get(self, name: str) -> Any:
        """No parameter."""
        raise ParametersUnavailable(name)


def test_L09_ssm_down(desk: DeadLetterDesk, seen: Callable[[str], None]) -> None:
    """Nobody knows whether the flag is on: refused, and nothing is touched."""
    desk.put_wake_up(desk.pipeline.link(transactions=1))
    desk.pipeline.ssm.get = SsmDown().get  # type: ignore[method-assign]
    desk.pipeline.let_pass(seconds=1)
    worker = desk.connected(desk.pipeline.new_worker())

    told = desk.replay(worker=worker)

    assert told.refusal is not None
    assert (told.refusal.code, told.refusal.reason) == ("flag_off", "ERROR")
    assert len(desk.on(desk.dead)) == 1
    seen("SSM down: refused")


@pytest.mark.parametrize(
    "works",
    [set(), {"count"}, {"count", "receive"}, {"count", "receive", "release"}, {"count", "receive", "send_back"}],
    ids=["all", "receive", "release", "send", "delete"],
)
def test_L09_sqs_down(desk: DeadLetterDesk, seen: Callable[[str], None], works: set[str]) -> None:
    """At any of its calls: an outage that is said, and after it one run, done."""
    account = desk.pipeline.link(transactions=5)
    desk.put_wake_up(account)
    queue = SqsDown(desk, but=works)

    with pytest.raises(QueueUnavailable):
        desk.replay(worker=desk.connected(desk.pipeline.worker, dead=queue))
    queue.two_minutes_later()
    desk.replay()
    desk.work()

    assert desk.on(desk.dead) == []
    assert [run["status"] for run in desk.pipeline.runs(account)] == ["completed"]
    seen("SQS down: an outage, then done once")


def test_L09_postgresql_down(desk: DeadLetterDesk, seen: Callable[[str], None]) -> None:
    """Without the books nothing is done, and what was received is visible at once."""
    account = desk.pipeline.link(transactions=5)
    desk.put_wake_up(account)
    nowhere = Database(replace(desk.pipeline.address, port=1))

    with pytest.raises(DatabaseUnavailable):
        desk.replay(worker=replace(desk.worker, database=nowhere))

    assert len(desk.on(desk.dead)) == 1
    assert desk.pipeline.runs(account) == []
    seen("PostgreSQL down: an outage, nothing touched")


def test_L09_postgresql_gone_in_the_middle(desk: DeadLetterDesk, seen: Callable[[str], None]) -> None:
    """What was received and not decided is shown again at once."""
    account = desk.pipeline.link(transactions=5)
    desk.put_wake_up(account)
    database = GoneAfter(desk.pipeline.address, statements=6)

    with pytest.raises(DatabaseUnavailable):
        desk.replay(worker=replace(desk.worker, database=database))

    assert len(desk.on(desk.dead)) == 1
    desk.replay()
    desk.work()
    assert [run["status"] for run in desk.pipeline.runs(account)] == ["completed"]
    seen("PostgreSQL gone on the way: visible at once, then done")


class GoneAfter(Database):
    """A database that is gone after so many statements."""

    def __init__(self, address: Any, *, statements: int) -> None:
        super().__init__(address)
        self._left = statements

    def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        """One statement less."""
        self._left -= 1
        if self._left < 0:
            self.close()
            raise DatabaseUnavailable
        return super().rows(statement, **parameters)


@pytest.mark.parametrize("dry_run", [True, False])
def test_L09_what_is_not_meant_is_visible_at_once(
    desk: DeadLetterDesk, seen: Callable[[str], None], *, dry_run: bool
) -> None:
    """Two hundred messages looked at, none of them hidden afterwards."""
    account = desk.pipeline.link(transactions=1)
    for _ in range(20):
        desk.put_wake_up(account)

    desk.ask(Action.REPLAY, dry_run=dry_run, type="mono.nothing.*")

    assert len(desk.on(desk.dead)) == 20
    seen("all visible")


def test_L12_every_message_of_ours_is_short(seen: Callable[[str], None]) -> None:
    """With the longest that a field may hold; those of an event come from outside, and are left out where too long."""
    told = {
        "event": "mono.accounts." + "a" * 50,
        "event_id": "e" * 64,
        "timestamp": "2026-01-27T21:00:39.588123+00:00",
        "data": {
            "account": {"_id": "a" * 24, "name": "n" * 9_000},
            "meta": {
                "sync_status": "REAUTHORISATION_REQUIRED",
                "data_status": "UNAVAILABLE",
                "retrieved_data": [*RETRIEVABLE, *["x" * 99] * 99],
                "has_new_data": True,
                "job_id": "f" * 24,
                "ref": "r" * 5_000,
            },
        },
    }
    event = replace(read_webhook_event(json.dumps(told).encode()), kind=WebhookKind.REAUTHORISATION_REQUIRED)
    longest = max(
        len(FetchRequested(account_id="a" * 24, correlation_id="c" * 64, requested_by="r" * 64, hop=8).body()),
        len(
            FetchFailed(
                account_id="a" * 24,
                correlation_id="c" * 64,
                run_id=str(UUID(int=0)),
                error_code="mono_payment_required",
                streak=2**31,
            ).body()
        ),
        len(WebhookReceived(event=event, account_id="a" * 24, correlation_id="c" * 64).body()),
    )

    assert event.name is not None
    assert event.has_event_id
    assert longest <= 2_048
    seen(f"{longest} bytes at the most")
