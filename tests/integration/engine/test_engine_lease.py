"""Lease and fence: one worker writes an account's rows; who lost the lease writes nothing more; nothing starts anew."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from copy import replace
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.transport import SandboxTransport
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import AlreadyRunning, LeaseLost
from mono_pipeline.core.run import RunStatus
from mono_pipeline.core.verdict import VERIFIED
from mono_pipeline.usecases.account_sync import AccountSync, RunEnd

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from mono_pipeline.core.run import LeasedRun
    from mono_pipeline.core.wire import TransactionPage
    from mono_pipeline.usecases.collaborators import Collaborators
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


class At(SandboxTransport):
    """Lets something happen once, just before the answer to a page."""

    def __init__(self, pipeline: Pipeline, page: int, happening: Callable[[], object]) -> None:
        super().__init__(pipeline.sandbox)
        self._page, self._happening = str(page), happening
        self._armed = True

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, after what has to happen."""
        if self._armed and request.url.path.endswith("/transactions") and request.url.params["page"] == self._page:
            self._armed = False
            self._happening()
        return super().handle_request(request)


def test_of_twenty_workers_at_once_one_works(new_pipeline: Callable[..., Pipeline]) -> None:
    """The others are told which run holds the account, and no row is lost or doubled."""
    pipeline = new_pipeline(lease_seconds=600)
    account = pipeline.link(transactions=60)
    pipeline.request(account)
    workers = [pipeline.new_worker() for _ in range(20)]

    with ThreadPoolExecutor(max_workers=20) as pool:
        outcomes = list(pool.map(lambda worker: _claim(pipeline, worker, account), workers))

    leased = [outcome for outcome in outcomes if not isinstance(outcome, AlreadyRunning)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, AlreadyRunning)]
    assert len(leased) == 1
    assert {refusal.run_id for refusal in refused} == {str(leased[0].run_id)}
    assert AccountSync(pipeline.worker).run(leased[0], pipeline.soon()).verdict == VERIFIED
    assert pipeline.stored(account) == pipeline.truth(account)


def test_of_twenty_whole_runs_at_once_each_row_lands_once(pipeline: Pipeline) -> None:
    """Whoever is second finds the account held, or nothing left to do."""
    account = pipeline.link(transactions=120)
    pipeline.request(account)
    workers = [pipeline.new_worker() for _ in range(20)]

    with ThreadPoolExecutor(max_workers=20) as pool:
        list(pool.map(lambda worker: _work(pipeline, worker, account), workers))

    assert pipeline.stored(account) == pipeline.truth(account)
    runs = pipeline.runs(account)
    assert [(run["status"], run["rows_inserted"]) for run in runs] == [("completed", 120)]
    assert pipeline.rows("SELECT FROM bank_transaction_versions") == []


def test_a_worker_whose_lease_was_taken_over_writes_nothing_more(new_pipeline: Callable[..., Pipeline]) -> None:
    """Paused beyond its lease, it wakes up to a raised fence: its rows stay out, the other's are in."""
    pipeline = new_pipeline(flush_rows=20, pages_in_flight=1)
    account = pipeline.link(transactions=100)
    ends: list[RunEnd] = []

    def sleep_on() -> None:
        """The other one works meanwhile, and the bank changes behind it."""
        pipeline.let_pass(seconds=91)
        leased = pipeline.worker.runs.claim(pipeline.account_row(account)["id"], flag_reason="DEFAULT")
        assert leased is not None
        ends.append(AccountSync(pipeline.worker).run(leased, pipeline.soon()))
        pipeline.sandbox.amend(account, changes={"narration": "read by the sleeper alone"}, rerun_balances=False)

    sleeper = pipeline.new_worker(At(pipeline, page=3, happening=sleep_on))
    pipeline.request(account)
    leased = _claim(pipeline, sleeper, account)
    assert not isinstance(leased, AlreadyRunning)

    with pytest.raises(LeaseLost):
        AccountSync(sleeper).run(leased, pipeline.soon())

    assert [(end.status, end.run.fence) for end in ends] == [(RunStatus.COMPLETED, leased.fence + 1)]
    assert len(pipeline.stored(account)) == 100
    assert not any(row[2] == "read by the sleeper alone" for row in pipeline.stored(account).values())
    assert [run["status"] for run in pipeline.runs(account)] == ["completed"]
    assert pipeline.account_row(account)["lease_run_id"] is None


@pytest.mark.parametrize("commit", ["flush", "finish", "fail", "next pass", "snapshot"])
def test_every_commit_of_a_lost_lease_is_refused(pipeline: Pipeline, commit: str) -> None:
    """Whatever the loser wants to write: rows, verdict, failure, another pass, the account's balance."""
    account = pipeline.link(transactions=20)
    pipeline.request(account)
    loser = _claim(pipeline, pipeline.worker, account)
    assert not isinstance(loser, AlreadyRunning)
    pipeline.let_pass(seconds=91)
    winner = _claim(pipeline, pipeline.new_worker(), account)
    assert not isinstance(winner, AlreadyRunning)
    before = _everything(pipeline)

    with pytest.raises(LeaseLost):
        _commit(pipeline, loser, commit)

    assert _everything(pipeline) == before


def test_a_worker_that_read_to_the_end_and_was_taken_over_judges_nothing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker ended the run between its last flush and its look at what was read: nothing is left to judge."""
    account = pipeline.link(transactions=30)
    slow, quick = pipeline.new_worker(), pipeline.new_worker()
    read = slow.transactions.pass_reading
    ends: list[RunEnd] = []

    def taken_over(run: LeasedRun) -> object:
        pipeline.let_pass(seconds=91)
        leased = quick.runs.claim(run.account.id, flag_reason="DEFAULT")
        assert leased is not None
        ends.append(AccountSync(quick).run(leased, pipeline.soon()))
        return read(run)

    monkeypatch.setattr(slow.transactions, "pass_reading", taken_over)

    with pytest.raises(LeaseLost):
        pipeline.sync(account, worker=slow)

    assert [end.verdict for end in ends] == [VERIFIED]
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_lease_that_nobody_took_over_can_still_be_used(pipeline: Pipeline) -> None:
    """A slow worker that is alone goes on: an expired lease is lost only to somebody."""
    account = pipeline.link(transactions=20)
    pipeline.request(account)
    leased = _claim(pipeline, pipeline.worker, account)
    assert not isinstance(leased, AlreadyRunning)
    pipeline.let_pass(seconds=300)

    assert AccountSync(pipeline.worker).run(leased, pipeline.soon()).verdict == VERIFIED


def test_a_loser_that_lets_go_does_not_free_the_winners_lease(pipeline: Pipeline) -> None:
    """Release names its fence too."""
    account = pipeline.link(transactions=20)
    pipeline.request(account)
    loser = _claim(pipeline, pipeline.worker, account)
    assert not isinstance(loser, AlreadyRunning)
    pipeline.let_pass(seconds=91)
    winner = _claim(pipeline, pipeline.worker, account)
    assert not isinstance(winner, AlreadyRunning)

    pipeline.worker.runs.release(loser)

    assert pipeline.account_row(account)["lease_run_id"] == winner.run_id
    with pytest.raises(AlreadyRunning):
        pipeline.worker.runs.claim(winner.account.id, flag_reason="DEFAULT")


def test_every_flush_renews_the_lease(new_pipeline: Callable[..., Pipeline]) -> None:
    """A run of many flushes holds the account for as long as it works, however long that is."""
    pipeline = new_pipeline(flush_rows=20, pages_in_flight=1)
    account = pipeline.link(transactions=200)
    slow = pipeline.new_worker(_Slow(pipeline))
    pipeline.request(account)
    leased = _claim(pipeline, slow, account)
    assert not isinstance(leased, AlreadyRunning)

    assert AccountSync(slow).run(leased, pipeline.soon()).verdict == VERIFIED


def test_rows_of_a_flush_may_come_in_any_order_and_twice(pipeline: Pipeline) -> None:
    """Sorted and de-duplicated before they are written: of one id the row that was read last counts."""
    account = pipeline.link(transactions=0)
    pipeline.request(account)
    leased = _claim(pipeline, pipeline.worker, account)
    assert not isinstance(leased, AlreadyRunning)
    rows = [_row(f"{number:024x}", amount=number) for number in (9, 3, 7, 1)]
    pages = [_page(leased, 1, rows), _page(leased, 2, [_row(f"{7:024x}", amount=70), _row(f"{2:024x}", amount=2)])]

    counts = pipeline.worker.transactions.flush(leased, pages)

    assert (counts.seen, counts.inserted, counts.unchanged) == (6, 5, 1)
    stored = pipeline.rows("SELECT amount_minor FROM bank_transactions ORDER BY id")
    assert [row["amount_minor"] for row in stored] == [1, 2, 3, 70, 9]
    reading = pipeline.worker.transactions.pass_reading(leased).totals
    assert (reading.rows_read, reading.distinct_rows) == (6, 5)


def test_out_of_time_stops_at_a_flush_and_goes_on_at_the_next_page(new_pipeline: Callable[..., Pipeline]) -> None:
    """With no time at all each invocation still lands a page, and no page that landed is asked for again."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = pipeline.link(transactions=100)
    pipeline.request(account)
    pipeline.sandbox.clear_requests()
    ends = []
    for _ in range(5):
        leased = _claim(pipeline, pipeline.new_worker(), account)
        assert not isinstance(leased, AlreadyRunning)
        ends.append(AccountSync(pipeline.worker).run(leased, Deadline.after(0)))

    assert [end.status for end in ends] == [RunStatus.RUNNING] * 4 + [RunStatus.COMPLETED]
    assert pipeline.stored(account) == pipeline.truth(account)
    assert [asked["page"] for asked in pipeline.page_requests(account)] == ["1", "2", "3", "4", "5"]
    assert len({end.run.run_id for end in ends}) == 1


def test_a_crash_between_flushes_costs_at_most_one_flush(new_pipeline: Callable[..., Pipeline]) -> None:
    """What was flushed is not read again, what was not is: nothing lost, nothing doubled."""
    pipeline = new_pipeline(flush_rows=40, pages_in_flight=1)
    account = pipeline.link(transactions=200)
    crashing = pipeline.new_worker(At(pipeline, page=6, happening=_crash))
    pipeline.request(account)
    leased = _claim(pipeline, crashing, account)
    assert not isinstance(leased, AlreadyRunning)
    with pytest.raises(Crash):
        AccountSync(crashing).run(leased, pipeline.soon())
    assert len(pipeline.stored(account)) == 80
    pipeline.let_pass(seconds=91)
    pipeline.sandbox.clear_requests()

    again = _claim(pipeline, pipeline.worker, account)
    assert not isinstance(again, AlreadyRunning)
    end = AccountSync(pipeline.worker).run(again, pipeline.soon())

    assert (end.status, end.verdict) == (RunStatus.COMPLETED, VERIFIED)
    assert pipeline.stored(account) == pipeline.truth(account)
    assert [asked["page"] for asked in pipeline.page_requests(account)] == [str(page) for page in range(5, 11)]
    assert pipeline.run_row(end)["rows_inserted"] == 200


def test_a_crash_after_the_last_flush_only_judges(pipeline: Pipeline) -> None:
    """All rows were in: the next run finds the end of the pages and draws the conclusion."""
    account = pipeline.link(transactions=60)
    pipeline.request(account)
    leased = _claim(pipeline, pipeline.worker, account)
    assert not isinstance(leased, AlreadyRunning)
    for number in (1, 2, 3):
        page = pipeline.worker.mono.transactions(
            account, window=None, page=number, limit=20, deadline=pipeline.soon(), today=leased.today
        )
        pipeline.worker.transactions.flush(leased, [page])
    pipeline.let_pass(seconds=91)

    again = _claim(pipeline, pipeline.worker, account)
    assert not isinstance(again, AlreadyRunning)
    end = AccountSync(pipeline.worker).run(again, pipeline.soon())

    assert (end.status, end.verdict) == (RunStatus.COMPLETED, VERIFIED)
    assert pipeline.stored(account) == pipeline.truth(account)


def test_a_run_that_goes_on_the_next_day_keeps_the_days_it_answers_for(new_pipeline: Callable[..., Pipeline]) -> None:
    """Half of its pages were read for one window: the other half must not be of another."""
    pipeline = new_pipeline(pages_in_flight=1)
    account = pipeline.link(transactions=100, days=4)
    pipeline.sync(account)
    pipeline.request(account)
    pipeline.sandbox.clear_requests()
    leased = _claim(pipeline, pipeline.worker, account)
    assert not isinstance(leased, AlreadyRunning)
    AccountSync(pipeline.worker).run(leased, Deadline.after(0))
    pipeline.let_pass(days=1)

    again = _claim(pipeline, pipeline.worker, account)
    assert not isinstance(again, AlreadyRunning)
    AccountSync(pipeline.worker).run(again, pipeline.soon())

    assert len({(asked["start"], asked["end"]) for asked in pipeline.page_requests(account)}) == 1


class Crash(BaseException):
    """The process is gone."""


def _crash() -> None:
    raise Crash


class _Slow(SandboxTransport):
    """A minute goes by before each page."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__(pipeline.sandbox)
        self._pipeline = pipeline

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/transactions"):
            self._pipeline.let_pass(seconds=60)
            with pytest.raises(AlreadyRunning):
                self._pipeline.worker.runs.claim(1, flag_reason="DEFAULT")
        return super().handle_request(request)


def _claim(pipeline: Pipeline, worker: Collaborators, account: str) -> LeasedRun | AlreadyRunning:
    try:
        leased = worker.runs.claim(worker.accounts.find(account).id, flag_reason="DEFAULT")
    except AlreadyRunning as running:
        return running
    assert leased is not None
    assert pipeline is not None
    return leased


def _work(pipeline: Pipeline, worker: Collaborators, account: str) -> None:
    pipeline.wake(account, worker=worker, message=pipeline.from_schedule(account))


def _commit(pipeline: Pipeline, run: LeasedRun, commit: str) -> None:
    worker = pipeline.worker
    match commit:
        case "flush":
            worker.transactions.flush(run, [_page(run, 1, [_row("f" * 24, amount=1)])])
        case "finish":
            with worker.database.transaction():
                worker.runs.hold(run)
        case "fail":
            worker.runs.finish_without_success(run, RunStatus.FAILED, error_code="x", retry=lambda _: 1.0)
        case "next pass":
            worker.runs.begin_next_pass(run)
        case _:
            snapshot = worker.mono.account(run.account.mono_account_id, deadline=pipeline.soon())
            changed = replace(snapshot, balance_minor=1)
            worker.accounts.note_snapshot(run, changed, lease_seconds=90)


def _everything(pipeline: Pipeline) -> list[Any]:
    tables = ("bank_accounts", "sync_runs", "sync_flushes", "bank_transactions", "quarantined_transactions")
    return [pipeline.rows(f"SELECT * FROM {table}") for table in tables]  # noqa: S608 - names of ours


def _row(transaction: str, *, amount: int) -> dict[str, Any]:
    return {
        "id": transaction,
        "amount": amount,
        "type": "credit",
        "currency": "NGN",
        "narration": "",
        "category": None,
        "balance": None,
        "date": "2026-06-18T07:02:34.588Z",
        "extra": None,
    }


def _page(run: LeasedRun, number: int, rows: list[dict[str, Any]]) -> TransactionPage:
    from mono_pipeline.core.wire import TransactionPage as Page  # noqa: PLC0415 - only here

    assert run is not None
    return Page(
        number=number,
        rows_json=json.dumps(rows),
        row_count=len(rows),
        seen=len(rows),
        rejected=(),
        total=10,
        has_next=True,
        not_ready=False,
    )
