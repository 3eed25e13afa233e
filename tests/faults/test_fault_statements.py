"""Statements that fail: too slow, locked out, dead-locked, not serializable; and HTTP kept out of transactions."""

from __future__ import annotations

import os
import signal
import time
from copy import replace
from typing import TYPE_CHECKING

import pytest

from local.sandbox.transport import SandboxTransport
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import DatabaseUnavailable, LeaseLost
from mono_pipeline.core.run import RunKind
from mono_pipeline.core.verdict import VERIFIED
from mono_pipeline.usecases.account_sync import AccountSync
from tests.faults.recovery import account_of, counts, equal_to_the_bank, negative_durations, recover, sound, told
from tests.faults.saboteur import At, Saboteur, database_setting, meanwhile, session_of
from tests.harness import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from mono_pipeline.adapters.postgres import Database
    from mono_pipeline.adapters.settings import Settings

pytestmark = pytest.mark.integration

ROWS = 250
# who waits for a lock of ours, and only in this test's own database
WAITING = """SELECT pid FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND wait_event_type = 'Lock'"""


def test_P06_statement_timeout(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """A flush that the server's own limit ends (57014)."""
    account = pipeline.link(transactions=ROWS)
    with Saboteur(pipeline.address) as saboteur:
        database_setting(saboteur, "statement_timeout", "700ms")
        saboteur.arm("PERFORM pg_sleep(60)")
        worker = pipeline.new_worker()
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable) as slow:
            pipeline.sync(account, worker=worker)
        seconds = time.monotonic() - began
        saboteur.disarm()
    kept = counts(pipeline)["rows"]
    sound(pipeline)
    recovered = recover(pipeline, account)

    assert "57014" in str(slow.value)
    assert (kept, seconds < 10) == (100, True)
    seen(f"57014 after {seconds:.1f} s, {kept} rows kept; then {recovered.rows} after {recovered.ticks} tick")


def test_P06_frozen_backend(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """A server process that no longer answers ends with the connection's own limit."""
    account = pipeline.link(transactions=ROWS)
    patient = Pipeline(replace(pipeline.address, timeout_seconds=1.0), pipeline.sandbox)
    frozen = session_of(patient.worker.database)
    worker = replace(
        patient.worker, mono=patient.new_worker(At(patient, 4, lambda: os.kill(frozen, signal.SIGSTOP))).mono
    )
    began = time.monotonic()
    try:
        with pytest.raises(DatabaseUnavailable) as slow:
            patient.sync(account, worker=worker)
        seconds = time.monotonic() - began
    finally:
        os.kill(frozen, signal.SIGCONT)
    patient.close()
    recovered = recover(pipeline, account)

    assert seconds < 10
    seen(f"frozen: {slow.value} after {seconds:.1f} s; then {recovered.rows} after {recovered.ticks} tick")


def test_P07_lock_wait(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Somebody holds the account's row."""
    account = pipeline.link(transactions=ROWS)
    with Saboteur(pipeline.address) as saboteur:
        database_setting(saboteur, "lock_timeout", "300ms")
        holder = pipeline.new_worker().database
        locked = At(pipeline, 4, lambda: _lock(holder))
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable) as waited:
            pipeline.sync(account, worker=pipeline.new_worker(locked))
        seconds = time.monotonic() - began
        holder.rows("ROLLBACK")
        database_setting(saboteur, "lock_timeout", None)
    kept = counts(pipeline)["rows"]
    recovered = recover(pipeline, account)

    assert "55P03" in str(waited.value)
    assert seconds < 10
    seen(f"55P03 after {seconds:.1f} s, once; {kept} rows kept, then {recovered.rows} after {recovered.ticks} tick")


def test_P08_deadlock_forced(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Another program locks a transaction and then the account, which a flush does the other way round."""
    account = pipeline.link(transactions=ROWS)
    pipeline.sync(account)
    changed = pipeline.page_ids(account, 3)[0]
    pipeline.sandbox.amend(account, transaction=changed, changes={"narration": "changed"})
    before = counts(pipeline)
    with Saboteur(pipeline.address) as saboteur:
        database_setting(saboteur, "deadlock_timeout", "2s")
        other = pipeline.new_worker().database
        other.rows("SET deadlock_timeout = '60s'")
        other.rows("BEGIN")
        other.rows("SELECT FROM bank_transactions WHERE mono_transaction_id = :id FOR UPDATE", id=changed)

        def cross() -> None:
            saboteur.wait_for(WAITING)
            other.rows("SELECT FROM bank_accounts FOR UPDATE")
            other.rows("ROLLBACK")

        worker = pipeline.new_worker()
        with meanwhile(cross), pytest.raises(DatabaseUnavailable) as dead:
            pipeline.sync(account, kind=RunKind.FULL, worker=worker)
    after = counts(pipeline)
    recovered = recover(pipeline, account)

    assert "40P01" in str(dead.value)
    assert after == before
    seen(f"forced: 40P01, whole transaction back; then {recovered.rows} after {recovered.ticks} tick")


def test_P08_deadlock_none_among_ourselves(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Eight accounts written by eight workers at once, their pages shuffled."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - only here

    accounts = [pipeline.link(transactions=120) for _ in range(8)]
    workers = [pipeline.new_worker() for _ in accounts]
    with ThreadPoolExecutor(8) as pool:
        ends = list(pool.map(lambda pair: pipeline.sync(pair[0], worker=pair[1]), zip(accounts, workers, strict=True)))
    row = pipeline.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")[0]

    assert {end.verdict for end in ends} == {VERIFIED}
    assert row["deadlocks"] == 0
    sound(pipeline)
    seen(f"{len(ends)} workers at once: {row['deadlocks']} deadlocks")


def test_P09_serialization_failure(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Where transactions are REPEATABLE READ, another program changes the account while a flush waits for it."""
    account = pipeline.link(transactions=ROWS)
    with Saboteur(pipeline.address) as saboteur:
        database_setting(saboteur, "default_transaction_isolation", "repeatable read")
        other = pipeline.new_worker().database
        worker = pipeline.new_worker(At(pipeline, 5, lambda: _lock(other)))

        def change() -> None:
            saboteur.wait_for(WAITING)
            other.rows("COMMIT")

        with meanwhile(change), pytest.raises(DatabaseUnavailable) as failed:
            pipeline.sync(account, worker=worker)
        database_setting(saboteur, "default_transaction_isolation", None)
    kept = counts(pipeline)["rows"]
    sound(pipeline)
    recovered = recover(pipeline, account)

    assert "40001" in str(failed.value)
    assert kept == 0
    seen(f"40001, {kept} rows of that transaction; then {recovered.rows} after {recovered.ticks} tick")


def test_P10_no_http_in_a_transaction(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Sessions may idle in a transaction for 50 ms only, and every answer of Mono's takes longer."""
    account = pipeline.link(transactions=ROWS)
    with Saboteur(pipeline.address) as saboteur:
        database_setting(saboteur, "idle_in_transaction_session_timeout", "50ms")
        watcher = pipeline.new_worker().database
        worker = pipeline.new_worker()
        spy = _Watching(pipeline, watcher, session_of(worker.database))
        end = pipeline.sync(
            account, worker=replace(worker, mono=pipeline.new_worker(spy).mono, settings=_one_by_one(pipeline))
        )

    assert end.verdict == VERIFIED
    assert spy.requests > 13
    assert spy.inside == 0
    equal_to_the_bank(pipeline, account)
    seen(f"{spy.requests} requests of 60 ms, {spy.inside} of them inside a transaction; {told(end)}")


def test_P21_clock_jumps_forward(new_pipeline: Callable[..., Pipeline], seen: Callable[[str], None]) -> None:
    """Two hours ahead in the middle of a run: the lease is over, another worker takes the account, the first stops."""
    pipeline = new_pipeline(pages_in_flight=1)  # so that no flush renews the lease meanwhile
    account = pipeline.link(transactions=ROWS)
    other = pipeline.new_worker()

    def jump() -> None:
        pipeline.let_pass(hours=2)
        taken = other.runs.claim(account_of(pipeline, account).id, flag_reason="DEFAULT")
        assert taken is not None
        AccountSync(other).run(taken, Deadline.after(60))

    with pytest.raises(LeaseLost):
        pipeline.sync(account, worker=pipeline.new_worker(At(pipeline, 8, jump)))
    fence = pipeline.account_row(account)["fence"]
    equal_to_the_bank(pipeline, account)

    assert fence == 2
    assert negative_durations(pipeline) == 0
    seen(f"+2 h: lease lost, fence {fence}, {counts(pipeline)['rows']} rows once")


def test_P21_clock_jumps_back(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """An hour back in the middle of a run: it ends, nothing lasted less than no time, and the watermark stands."""
    account = pipeline.link(transactions=ROWS)
    end = pipeline.sync(account, worker=pipeline.new_worker(At(pipeline, 8, lambda: pipeline.let_pass(hours=-1))))
    mark = pipeline.watermark(account)
    recovered = recover(pipeline, account)

    assert end.verdict == VERIFIED
    negative = negative_durations(pipeline)
    assert negative == 0
    assert pipeline.watermark(account) == mark
    seen(f"-1 h: {told(end)}, {negative} negative durations, {recovered.rows} rows")


class _Watching(SandboxTransport):
    """Sees how the worker's session stands while Mono is asked."""

    def __init__(self, pipeline: Pipeline, watcher: Database, pid: int) -> None:
        super().__init__(pipeline.sandbox)
        self._watcher, self._pid = watcher, pid
        self.requests = self.inside = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer slowly."""
        row = self._watcher.row("SELECT state FROM pg_stat_activity WHERE pid = :pid", pid=self._pid)
        self.requests += 1
        self.inside += row is not None and str(row["state"]).startswith("idle in transaction")
        time.sleep(0.06)  # longer than the server lets a transaction idle
        return super().handle_request(request)


def _one_by_one(pipeline: Pipeline) -> Settings:
    """One request at a time: the watcher's connection is not for two."""
    return replace(pipeline.settings, pages_in_flight=1)


def _lock(database: Database) -> None:
    database.rows("BEGIN")
    database.rows("UPDATE bank_accounts SET reference = 'held'")
