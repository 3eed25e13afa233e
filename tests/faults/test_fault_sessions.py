"""Sessions that end: before the commit, after it, killed, or while the worker slept."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from mono_pipeline.core.errors import DatabaseUnavailable
from mono_pipeline.core.verdict import VERIFIED
from tests.faults.recovery import counts, equal_to_the_bank, recover, sound, told
from tests.faults.saboteur import At, Saboteur, database_setting, meanwhile, session_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.own_server import OwnServer
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

ROWS = 250  # in pages of 20 and flushes of 100: three flushes


def test_P01_backend_terminated_before_commit(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """The second of three flushes is cut off: the first stays, the second is not there at all."""
    account = pipeline.link(transactions=ROWS)
    with Saboteur(pipeline.address) as saboteur:
        saboteur.arm("PERFORM pg_terminate_backend(pg_backend_pid())")
        with pytest.raises(DatabaseUnavailable) as lost:
            pipeline.sync(account)
    kept = counts(pipeline)["rows"]
    sound(pipeline)
    recovered = recover(pipeline, account)

    assert kept == 100
    assert [run["rows_inserted"] for run in pipeline.runs(account)][:1] == [ROWS]  # the same run went on
    seen(f"{lost.value}; {kept} rows kept; then {recovered.rows} after {recovered.ticks} tick")


@pytest.mark.parametrize("commit", ["of a flush", "of the end"])
def test_P02_in_doubt_commit(
    own_server: OwnServer, own_pipeline: Pipeline, seen: Callable[[str], None], commit: str
) -> None:
    """A COMMIT that waits for a standby is done when its session is ended: the worker cannot know."""
    account = own_pipeline.link(transactions=ROWS)
    written = {"of a flush": "bank_transactions", "of the end": "coverage_ledger"}[commit]
    with Saboteur(own_pipeline.address) as saboteur:
        saboteur.arm("PERFORM set_config('synchronous_commit', 'on', true)", nth=1, table=written)
        _only_who_asks_waits_for_a_standby(saboteur)
        worker = own_pipeline.new_worker()  # its session is younger than these settings
        with meanwhile(lambda: _end_the_waiting_commit(saboteur)), pytest.raises(DatabaseUnavailable) as lost:
            own_pipeline.sync(account, worker=worker)
    after = counts(own_pipeline)
    status = [run["status"] for run in own_pipeline.runs(account)]
    sound(own_pipeline)
    recovered = recover(own_pipeline, account)

    assert own_server.running.accepts_connections()
    assert str(lost.value).startswith("PostgreSQL cut the connection")
    assert (after["rows"], status) == {"of a flush": (100, ["running"]), "of the end": (ROWS, ["completed"])}[commit]
    assert sum(run["rows_inserted"] for run in own_pipeline.runs(account)) == ROWS
    assert counts(own_pipeline)["versions"] == 0
    seen(f"commit {commit}: {lost.value}, yet {after['rows']} rows are there; at the end {recovered.rows}, 0 versions")


def test_P03_kill_of_a_backend(own_server: OwnServer, own_pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """PostgreSQL restarts itself: a bystander is cut off too, and for a moment nobody gets in."""
    account = own_pipeline.link(transactions=ROWS)
    bystander = own_pipeline.new_worker().database
    bystander.rows("SELECT 1")
    with Saboteur(own_pipeline.address) as saboteur:
        saboteur.arm("PERFORM pg_sleep(60)")
        with Saboteur(own_pipeline.address) as killer:

            def kill() -> None:
                killer.wait_for("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
                row = killer.wait_for("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
                os.kill(row["pid"], signal.SIGKILL)

            with meanwhile(kill), pytest.raises(DatabaseUnavailable) as lost:
                own_pipeline.sync(account)
    began = time.monotonic()
    refusals = _until_back(own_pipeline)
    seconds = time.monotonic() - began
    kept = counts(own_pipeline)["rows"]
    sound(own_pipeline)
    with Saboteur(own_pipeline.address) as saboteur:
        saboteur.disarm()
    recovered = recover(own_pipeline, account)

    assert own_server.running.accepts_connections()
    assert kept == 100
    seen(
        f"{lost.value}; {len(refusals)} refusals in {seconds:.2f} s, all outages; {kept} rows kept, "
        f"then {recovered.rows} after {recovered.ticks} tick"
    )


def test_P22_connection_gone_stale(new_pipeline: Callable[..., Pipeline], seen: Callable[[str], None]) -> None:
    """The server closed it while nobody looked: between two invocations, and between two flushes."""
    pipeline = new_pipeline(pages_in_flight=1)  # so that no flush is under way meanwhile
    account = pipeline.link(transactions=ROWS)
    with Saboteur(pipeline.address) as saboteur:

        def end_session(pid: int) -> None:
            saboteur.database.rows("SELECT pg_terminate_backend(:pid, 5000)", pid=pid)

        first = session_of(pipeline.worker.database)
        end_session(first)
        between = At(pipeline, 8, lambda: end_session(session_of_worker(saboteur)))
        worker = pipeline.new_worker(between)
        end = pipeline.sync(account, worker=worker)
    second = session_of(pipeline.worker.database)

    assert end.verdict == VERIFIED
    assert second != first
    assert pipeline.run_row(end)["rows_inserted"] == ROWS
    equal_to_the_bank(pipeline, account)
    seen(f"2 sessions ended, {told(end)} in one invocation, {ROWS} rows written once")


def session_of_worker(saboteur: Saboteur) -> int:
    """The session that wrote the last flush."""
    row = saboteur.wait_for(
        """SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
           AND state = 'idle' ORDER BY query_start DESC LIMIT 1"""
    )
    return int(row["pid"])


def _only_who_asks_waits_for_a_standby(saboteur: Saboteur) -> None:
    database_setting(saboteur, "synchronous_commit", "local")
    saboteur.database.rows("ALTER SYSTEM SET synchronous_standby_names = 'nosuch'")
    saboteur.database.rows("SELECT pg_reload_conf()")
    saboteur.wait_for("SELECT 1 WHERE current_setting('synchronous_standby_names') <> ''")


def _end_the_waiting_commit(watcher: Saboteur) -> None:
    row = watcher.wait_for("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'")
    watcher.database.rows("SELECT pg_terminate_backend(:pid, 5000)", pid=row["pid"])
    watcher.database.rows("ALTER SYSTEM RESET synchronous_standby_names")
    watcher.database.rows("SELECT pg_reload_conf()")


def _until_back(pipeline: Pipeline) -> list[str]:
    refused: list[str] = []
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            pipeline.rows("SELECT 1")
        except DatabaseUnavailable as error:
            refused.append(str(error))
            time.sleep(0.02)  # another process is recovering
        else:
            return refused
    raise AssertionError(refused[-3:])
