"""Rows L: schedules that fire twice, late, never or in another zone; a queue that takes half; a clock that is wrong."""

from __future__ import annotations

import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from copy import replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any, Final, Self
from zoneinfo import ZoneInfo

import pytest

from local.sandbox.transport import SandboxTransport
from local.template import Template
from mono_pipeline.adapters.queue import WorkQueue
from mono_pipeline.core.run import RunKind
from mono_pipeline.usecases.wake_up import Served
from tests.faults.invocation import WorkerFunction, record, wake_up
from tests.faults.recovery import equal_to_the_bank, negative_durations, serve, sound
from tests.faults.saboteur import Saboteur, database_setting

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

HOUR: Final = 3_600
SHORT_INTERVAL_HOURS: Final = 2
ACCOUNTS: Final = 12
MOST_IN_A_CHAIN: Final = 8  # AWS cuts one of Lambda and SQS at about 16


def linked(pipeline: Pipeline, count: int = ACCOUNTS) -> list[str]:
    """Accounts that have been read and are due in half a day."""
    accounts = [pipeline.link(transactions=3) for _ in range(count)]
    for account in accounts:
        pipeline.sync(account)
    return accounts


def sent(pipeline: Pipeline) -> Counter[str]:
    """How many messages there are of each account; they stay."""
    return Counter(message.account_id for message in pipeline.daily.messages + pipeline.backfill.messages)


def caught_up(pipeline: Pipeline, accounts: list[str]) -> None:
    """Assert that all messages, served, bring every account to the bank's state."""
    serve(pipeline)
    sound(pipeline)
    for account in accounts:
        assert pipeline.stored(account) == pipeline.truth(account)


class TakesHalf:
    """An SQS client that takes every other entry of a batch and names the others as failed, as SQS does."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Take the even ones."""
        assert QueueUrl
        taken, failed = Entries[::2], Entries[1::2]
        self.taken += [entry["MessageGroupId"] for entry in taken]
        return {
            "Successful": [{"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": "x"} for entry in taken],
            "Failed": [{"Id": entry["Id"], "Code": "InternalError", "SenderFault": False} for entry in failed],
        }


def test_L11_the_queue_takes_half_of_a_batch(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """What SQS named as failed is asked for in the database, and a tick sends it once more."""
    accounts = [pipeline.link(transactions=3) for _ in range(25)]
    sqs = TakesHalf()
    half = replace(pipeline.worker, backfill=WorkQueue("memory/backfill", sqs))  # type: ignore[arg-type]

    assert pipeline.tick(worker=half).requested == 25
    assert len(sqs.taken) == 13
    pipeline.let_pass(minutes=11)
    pipeline.tick()

    assert set(sent(pipeline)) == set(accounts)  # whom SQS took at first is woken too: nobody has served it yet
    caught_up(pipeline, accounts)
    assert {len(pipeline.runs(account)) for account in accounts} == {1}
    seen(f"{len(sqs.taken)} of 25 taken; all sent within two ticks, one run each")


def test_L15_fired_twice(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """EventBridge delivers at least once: at the same moment or one after the other, an account has one message."""
    accounts = linked(pipeline)
    pipeline.let_pass(hours=14)
    workers = [pipeline.new_worker() for _ in range(2)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        list(pool.map(lambda worker: pipeline.tick(worker=worker), workers))
    pipeline.tick()

    assert sent(pipeline) == Counter(accounts)
    caught_up(pipeline, accounts)
    seen("twice, and overlapping: one message an account")


@pytest.mark.parametrize(("how", "hours"), [("late by 6 h", 20), ("not for a day", 38)])
def test_L15_late_or_never(pipeline: Pipeline, seen: Callable[[str], None], how: str, hours: int) -> None:
    """What was missed is not made up for one by one: each account is read once, and has everything.

    The ticks after the first, and after the work is done, find nothing that is still due.
    """
    accounts = linked(pipeline)
    for account in accounts:
        pipeline.sandbox.add(account)
    pipeline.let_pass(hours=hours)

    ticks = []
    for _ in range(3):
        ticks.append(pipeline.tick().requested)
        pipeline.let_pass(minutes=3)

    assert ticks == [ACCOUNTS, 0, 0]
    assert sent(pipeline) == Counter(accounts)
    caught_up(pipeline, accounts)
    assert {len(pipeline.runs(account)) for account in accounts} == {2}
    pipeline.let_pass(minutes=5)
    assert pipeline.tick().requested == 0
    seen(f"{how}: one run each, caught up")


ZONES: Final = ("America/New_York", "Europe/London", "Pacific/Apia")


@pytest.mark.parametrize("zone", ZONES)
def test_L16_a_session_in_a_zone_that_changes_its_clocks(
    new_pipeline: Callable[..., Pipeline], seen: Callable[[str], None], zone: str
) -> None:
    """Two hours are two hours across the change of the clocks, and a booking day is Lagos's.

    With its jitter an interval of half a day would hide the hour.
    """
    pipeline = new_pipeline(sync_interval_hours=SHORT_INTERVAL_HOURS)
    account = pipeline.link(transactions=20)
    with Saboteur(pipeline.address) as saboteur:
        database_setting(saboteur, "timezone", zone)
        pipeline.worker.database.close()
        assert pipeline.rows("SHOW timezone")[0]["TimeZone"] == zone
        pipeline.let_pass(hours=_hours_until_the_clocks_change(pipeline, zone) - 1)
        pipeline.sync(account)
        wait = pipeline.seconds_to_next_attempt(account)
        pipeline.let_pass(seconds=int(wait) - 60)
        early = pipeline.tick().requested
        pipeline.let_pass(seconds=120)
        due = pipeline.tick().requested
        serve(pipeline)

        assert 0.9 * SHORT_INTERVAL_HOURS * HOUR - 60 < wait <= 1.1 * SHORT_INTERVAL_HOURS * HOUR
        assert (early, due) == (0, 1)
        equal_to_the_bank(pipeline, account)
    seen(f"{zone}: due when it is due")


def _hours_until_the_clocks_change(pipeline: Pipeline, zone: str) -> int:
    """From the database's now; they change within the hour before it. Where none changes, one day."""
    now = datetime.fromtimestamp(pipeline.now(), UTC)
    offsets = [(now + timedelta(hours=hour)).astimezone(ZoneInfo(zone)).utcoffset() for hour in range(24 * 366)]
    changes = [hour for hour in range(1, len(offsets)) if offsets[hour] != offsets[hour - 1]]
    return changes[0] if changes else 24


def test_L16_no_schedule_has_a_zone(seen: Callable[[str], None]) -> None:
    """A rate knows no time zone, and no summer time that an hour is missing from or comes twice in."""
    schedules = [properties for _, properties in Template.expand().resolved("AWS::Scheduler::Schedule")]

    assert schedules
    for schedule in schedules:
        assert schedule["ScheduleExpression"].startswith("rate(")
        assert "ScheduleExpressionTimezone" not in schedule
    seen("the schedule is a rate: no zone")


class WorkerClock:
    """The worker's own clock is off by `seconds`, in every module that has loaded it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 0.0
        self.asked = 0
        real_time, clock = time.time, self

        def now() -> float:
            clock.asked += 1
            return real_time() + clock.seconds

        class Shifted(datetime):
            """`datetime` by that clock."""

            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Self:
                """Now, by that clock."""
                return cls.fromtimestamp(now(), tz)

        monkeypatch.setattr(time, "time", now)
        for name, module in list(sys.modules.items()):
            if name.startswith(("mono_pipeline", "functions")) and getattr(module, "datetime", None) is datetime:
                monkeypatch.setattr(module, "datetime", Shifted)


@pytest.mark.parametrize("off", [(-HOUR, -HOUR), (HOUR, HOUR), (HOUR, -HOUR)], ids=["-1 h", "+1 h", "+1 h, then -1 h"])
def test_L17_the_worker_s_clock_is_wrong(
    new_pipeline: Callable[..., Pipeline],
    monkeypatch: pytest.MonkeyPatch,
    seen: Callable[[str], None],
    off: tuple[int, int],
) -> None:
    """An hour behind, ahead, or back in the middle of a run: leases, watermark and deduplication are the database's."""
    pipeline = new_pipeline(pages_in_flight=1, flush_rows=20)
    account = pipeline.link(transactions=60)
    clock = WorkerClock(monkeypatch)
    clock.seconds = off[0]
    leases: list[float] = []
    others: list[Served] = []

    class Jumps(SandboxTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            """Answer; at page 3 another worker tries to take the lease, before the clock jumps and after it."""
            if request.url.params.get("page") == "3" and not leases:
                others.append(looking_on())
                clock.seconds = off[1]
                others.append(looking_on())
                (row,) = pipeline.rows(
                    "SELECT extract(epoch FROM lease_until - pipeline_now())::float8 AS left FROM bank_accounts"
                )
                leases.append(row["left"])
            return super().handle_request(request)

    other = pipeline.new_worker()

    def looking_on() -> Served:
        return pipeline.wake(account, worker=other, message=pipeline.from_schedule(account))

    looking, pipeline.worker = pipeline.worker, pipeline.new_worker(Jumps(pipeline.sandbox))
    invoke = WorkerFunction(pipeline, monkeypatch)
    pipeline.worker, worker = looking, pipeline.worker
    invoke.here.collaborators = worker
    event = record(wake_up(account), sent_at=pipeline.now() - 1)

    assert invoke(event) == []
    assert invoke(event) == []

    assert len(pipeline.runs(account)) == 1
    assert 0 < leases[0] <= pipeline.settings.lease_seconds
    assert others == [Served.ALREADY_RUNNING] * 2
    assert pipeline.watermark(account) == max(row[5] for row in pipeline.truth(account).values())
    assert negative_durations(pipeline) == 0
    equal_to_the_bank(pipeline, account)
    seen(f"{off[0] // HOUR:+d} h, then {off[1] // HOUR:+d} h: one run, lease and watermark by the database")


def test_L18_two_hundred_pages_one_at_a_time(
    new_pipeline: Callable[..., Pipeline], seen: Callable[[str], None]
) -> None:
    """Each invocation has time for one page: it ends, and no chain of messages is longer than eight."""
    pipeline = new_pipeline(pages_in_flight=1, mono_page_limit=2, flush_rows=2)
    account = pipeline.link(transactions=400, days=100)
    pipeline.request(account, kind=RunKind.FULL)
    chains, ticks, messages = [0], 0, [pipeline.from_schedule(account)]
    while pipeline.runs(account)[0]["status"] == "running":
        if not messages:
            ticks += 1
            pipeline.let_pass(minutes=11)
            pipeline.tick()
            messages = (pipeline.daily.drain() + pipeline.backfill.drain())[:1]
            chains.append(0)
        pipeline.wake(account, message=messages.pop(), seconds=0)
        messages = pipeline.daily.drain()
        chains[-1] += len(messages)  # what is passed on, whatever it says of itself

    (run,) = pipeline.runs(account)
    assert (run["status"], run["verdict"], run["pages_read"]) == ("completed", "verified", 200)
    assert max(chains) <= MOST_IN_A_CHAIN
    assert pipeline.stored(account) == pipeline.truth(account)
    sound(pipeline)
    seen(f"200 pages in {sum(chains) + len(chains)} invocations and {ticks} ticks, {max(chains)} hops at the most")
