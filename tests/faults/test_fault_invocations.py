"""Rows L: invocations that run out of time, are killed, come at once, or find what the one before them left behind."""

from __future__ import annotations

import io
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from copy import replace
from statistics import median
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import httpx
import pytest
from aws_lambda_powertools import Logger

from functions.sync.worker import RESERVE_SECONDS
from local.sandbox.transport import SandboxTransport
from mono_pipeline.adapters import emf, telemetry
from mono_pipeline.adapters.postgres import StatementRefused
from mono_pipeline.adapters.queue import FetchRequested, read_fetch_requested
from mono_pipeline.adapters.telemetry import Telemetry
from mono_pipeline.core import deadline
from mono_pipeline.usecases.wake_up import Served
from tests.crash.scenarios import SCENARIOS
from tests.crash.stage import Stage
from tests.faults.invocation import WorkerFunction, record, wake_up
from tests.faults.recovery import equal_to_the_bank, recover
from tests.faults.saboteur import Saboteur, session_of
from tests.told import listening

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

PAGE: Final = 20
LEAST_LEFT: Final = 10  # seconds before Lambda kills the invocation
AT_ONCE: Final = 50


@pytest.mark.parametrize(("took", "lands"), [(1, True), (5, False)], ids=["in time", "too late"])
@pytest.mark.parametrize("page", [1, 2, 5])
def test_L01_time_is_up_at_a_page(
    new_pipeline: Callable[..., Pipeline],
    monkeypatch: pytest.MonkeyPatch,
    seen: Callable[[str], None],
    page: int,
    took: int,
    *,
    lands: bool,
) -> None:
    """It ends with ten seconds left: whole pages landed, nothing more asked of Mono, and the rest in one message."""
    pipeline = new_pipeline(pages_in_flight=1, flush_rows=PAGE)
    account = pipeline.link(transactions=6 * PAGE)
    clock, handed_on = [1_000.0], list[FetchRequested]()
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    class Slow(SandboxTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            """A page takes a second; the last one that there is time for `took`."""
            number = int(request.url.params.get("page", "0"))
            clock[0] += (number > 0) * (took if number == page else 1)
            answer = super().handle_request(request)
            if number == page and not lands and not handed_on:
                # as our own transport ends an attempt at its deadline
                raise httpx.ReadTimeout("the deadline passed", request=request)
            return answer

    pipeline.worker = pipeline.new_worker(Slow(pipeline.sandbox))
    invoke = WorkerFunction(pipeline, monkeypatch, seconds=RESERVE_SECONDS + page - 0.5)
    assert invoke(record(wake_up(account), sent_at=pipeline.now())) == []

    left = 1_000.0 + RESERVE_SECONDS + page - 0.5 - clock[0]
    (run,) = pipeline.runs(account)
    (onward,) = pipeline.daily.drain()
    handed_on.append(onward)
    assert left >= LEAST_LEFT
    assert (run["status"], run["rows_inserted"], onward.hop) == ("running", (page - 1 + lands) * PAGE, 1)
    assert len(pipeline.page_requests(account)) == page
    assert WorkerFunction(pipeline, monkeypatch)(record(onward.body(), sent_at=pipeline.now())) == []
    equal_to_the_bank(pipeline, account)
    seen(f"{'that page landed' if lands else 'that page not'}, {left:.1f} s left, one message onward, then done")


def test_L02_killed_at_any_call(seen: Callable[[str], None]) -> None:
    """SIGKILL before or after a call of every kind that a first load makes; tests/crash does it at each one of them."""
    scenario = SCENARIOS[0]
    with Stage() as stage:
        reference = stage.prepare(scenario)
        kinds = defaultdict(list)
        for point in reference.points():
            kinds[point.fault, point.call.split()[0]].append(point)
        middle = [points[len(points) // 2] for (fault, _), points in kinds.items() if fault.startswith("killed")]
        outcomes = [stage.play(scenario, reference, point) for point in middle]

    assert {point.call.split()[0] for point in middle} == {"sql", "http", "sqs", "ssm"}
    assert [outcome.violations for outcome in outcomes] == [[]] * len(middle)
    ticks = max(outcome.rounds for outcome in outcomes)
    seen(f"at a call of HTTP, SQL, SQS and SSM: ends as undisturbed, {ticks} ticks at the most")


def test_L05_fifty_at_once(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """One works; the others are answered while it does, and there is one run."""
    account = pipeline.link(transactions=30)
    sent_at = pipeline.now()
    message = read_fetch_requested(wake_up(account))
    others_are_done, works = threading.Event(), threading.Event()

    class Waits(SandboxTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            works.set()
            assert others_are_done.wait(60)
            return super().handle_request(request)

    workers = [pipeline.new_worker() for _ in range(AT_ONCE - 1)]
    for worker in workers:
        assert worker.database.row("SELECT 1 AS warm") is not None

    def wake(worker: Any) -> tuple[Served, float]:
        began = time.monotonic()
        return pipeline.wake(account, worker=worker, message=message, sent_at=sent_at), time.monotonic() - began

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        first = pool.submit(wake, pipeline.new_worker(Waits(pipeline.sandbox)))
        assert works.wait(60)
        answered = list(pool.map(wake, workers))
        others_are_done.set()
        worked, _ = first.result(60)

    assert worked is Served.DONE
    assert {served for served, _ in answered} == {Served.ALREADY_RUNNING}
    assert median(took for _, took in answered) <= 1.0
    recover(pipeline, account)
    # the message was sent before the run began, so that run serves all of them
    assert [run["requested_by"] for run in pipeline.runs(account)] == ["webhook", "test"]
    seen(f"1 works, {len(answered)} coalesce in at most {max(1, round(max(took for _, took in answered)))} s")


def test_L20_nothing_is_left_from_the_invocation_before(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None]
) -> None:
    """The first dies in a transaction: the second, of another account, is whole and tells of itself alone."""
    first, second = pipeline.link(transactions=30), pipeline.link(transactions=30)
    (told,) = listening(monkeypatch)
    pipeline.worker = replace(pipeline.worker, observer=Telemetry())
    invoke = WorkerFunction(pipeline, monkeypatch)
    session = session_of(pipeline.worker.database)
    with Saboteur(pipeline.address) as saboteur:
        saboteur.arm("RAISE EXCEPTION 'in the middle'", nth=1)
        with pytest.raises(StatementRefused):
            invoke(record(wake_up(first, correlation_id="c-first"), sent_at=pipeline.now()))
        left = saboteur.database.row("SELECT state FROM pg_stat_activity WHERE pid = :pid", pid=session)
        assert saboteur.database.rows("SELECT FROM bank_transactions") == []
        before = len(told.lines)
        saboteur.disarm()

    # rolled back by itself: not dropped by whatever came next, and with no transaction open
    assert left == {"state": "idle"}
    # what cannot be read has no id of its own to be told under
    assert (
        invoke(record("{", number=2), record(wake_up(second, correlation_id="c-second"), sent_at=pipeline.now())) == []
    )

    later = told.lines[before:]
    (poison,) = (line for line in later if line.get("message") == "mono.message.poison")
    assert (poison["function_request_id"], poison["correlation_id"]) == ("r-2", "r-2")
    assert {line["correlation_id"] for line in later if line.get("account_id") == second} == {"c-second"}
    assert first not in str(later)
    assert "c-first" not in str(later)
    assert session_of(pipeline.worker.database) == session
    assert pipeline.stored(second) == pipeline.truth(second)
    recover(pipeline, first)
    seen("rolled back; the next one whole, with no word of the first")


def test_L22_half_an_hour_frozen(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None]
) -> None:
    """Its sockets are dead and its flag is old when it thaws: both are made anew, and tokens are not kept."""
    account = pipeline.link(transactions=30)
    invoke = WorkerFunction(pipeline, monkeypatch)
    assert invoke(record(wake_up(account), sent_at=pipeline.now())) == []
    frozen = session_of(pipeline.worker.database)
    with Saboteur(pipeline.address) as saboteur:
        saboteur.database.rows("SELECT pg_terminate_backend(:pid::int)", pid=frozen)
        saboteur.wait_for(
            "SELECT 1 AS gone WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = :pid)", pid=frozen
        )
        saboteur.database.rows("UPDATE provider_budget SET tokens = 0, refilled_at = pipeline_now()")
    pipeline.ssm.set("false")
    pipeline.sandbox.add(account)
    pipeline.sandbox.clear_requests()

    assert invoke(record(wake_up(account), sent_at=pipeline.now())) == []
    assert pipeline.sandbox.requests() == []
    pipeline.ssm.set("true")
    pipeline.rows(
        """UPDATE provider_budget SET paused_until = pipeline_now() + interval '20 minutes',
                  pause_reason = 'mono_rate_limited' RETURNING 1"""
    )
    pipeline.let_pass(minutes=5)  # whoever kept a token would call
    assert invoke(record(wake_up(account), sent_at=pipeline.now())) == []
    assert pipeline.sandbox.requests() == []
    pipeline.let_pass(minutes=30)
    assert invoke(record(wake_up(account), sent_at=pipeline.now())) == []

    assert session_of(pipeline.worker.database) != frozen
    equal_to_the_bank(pipeline, account)
    seen("a new session, the flag of now, then done")


class Full(io.StringIO):
    """A stream that takes nothing."""

    def write(self, _text: str) -> int:
        """Fail."""
        raise OSError(28, "No space left on device")


def test_L23_neither_log_nor_metrics_can_be_written(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, seen: Callable[[str], None]
) -> None:
    """A first history, an incremental run and a failure: all as if they were told of."""
    full = Full()
    monkeypatch.setattr(telemetry, "logger", Logger(service=f"full-{uuid4()}", stream=full))
    monkeypatch.setattr(emf, "sys", SimpleNamespace(stdout=full))
    monkeypatch.setattr("sys.stderr", io.StringIO())  # where logging complains
    pipeline.worker = replace(pipeline.worker, observer=Telemetry())
    invoke = WorkerFunction(pipeline, monkeypatch)
    account = pipeline.link(transactions=30)
    assert invoke(record(wake_up(account), sent_at=pipeline.now())) == []
    assert invoke(record("{", number=2)) == []
    pipeline.sandbox.add(account)

    assert invoke(record(wake_up(account), sent_at=pipeline.now())) == []

    assert [run["status"] for run in pipeline.runs(account)] == ["completed"] * 2
    assert len(pipeline.rows("SELECT FROM quarantined_messages")) == 1
    equal_to_the_bank(pipeline, account)
    seen("2 runs verified, poison kept, not a line written")
