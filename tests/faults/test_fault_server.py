"""The server itself: crashed, not there, full, crowded, closed to us, read-only, or somebody else's."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager, suppress
from copy import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.postgres import Database, StatementRefused
from mono_pipeline.core.errors import DatabaseUnavailable
from mono_pipeline.core.verdict import VERIFIED
from tests.faults.certificates import make_authority
from tests.faults.recovery import counts, recover, sound, told
from tests.faults.saboteur import At, Saboteur, database_setting, session_of
from tests.faults.tls_front import TlsFront
from tests.harness import Pipeline
from tests.integration.conftest import database_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mono_pipeline.adapters.postgres import DatabaseAddress
    from tests.faults.own_server import OwnServer

pytestmark = pytest.mark.integration

ROWS = 250


def test_P04_immediate_shutdown_in_a_run(
    own_server: OwnServer, own_pipeline: Pipeline, seen: Callable[[str], None]
) -> None:
    """The server crashes while page 8 is on its way; the flush of the pages before it is on disk."""
    account = own_pipeline.link(transactions=ROWS)
    one_by_one = replace(own_pipeline.settings, pages_in_flight=1)  # page 8 is asked for when five have landed
    worker = replace(own_pipeline.new_worker(At(own_pipeline, 8, own_server.crash)), settings=one_by_one)
    with pytest.raises(DatabaseUnavailable) as lost:
        own_pipeline.sync(account, worker=worker)
    own_server.start()
    kept = counts(own_pipeline)["rows"]
    sound(own_pipeline)
    recovered = recover(own_pipeline, account)

    assert kept == 100
    assert sum(run["rows_inserted"] for run in own_pipeline.runs(account)) == ROWS
    seen(f"{lost.value}; {kept} rows after the restart, then {recovered.rows} after {recovered.ticks} tick")


def test_P05_server_not_there(own_server: OwnServer, own_pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Five deliveries: each fails at once, none calls Mono, and the sixth finds the account as it was."""
    account = own_pipeline.link(transactions=40)
    message = own_pipeline.from_schedule(account)
    own_pipeline.request(account)
    own_pipeline.sandbox.clear_requests()
    own_server.crash()
    for _ in range(5):
        with pytest.raises(DatabaseUnavailable) as lost:
            own_pipeline.wake(account, message=message, sent_at=0.0)
    calls = len(own_pipeline.sandbox.requests())
    own_server.start()
    served = own_pipeline.wake(account, message=message, sent_at=0.0)
    recovered = recover(own_pipeline, account)

    assert calls == 0
    assert (served, recovered.ticks) == ("done", 0)
    seen(f"5 deliveries: {type(lost.value).__name__}, {calls} calls to Mono; the 6th: {served}, {recovered.rows} rows")


def test_P11_disk_full(own_server: OwnServer, own_pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """The transactions live on a disk of 8 MB that somebody else has filled."""
    account = own_pipeline.link(transactions=40)
    own_pipeline.sync(account)
    mark = own_pipeline.watermark(account)
    with _small_disk(own_server) as disk, Saboteur(own_pipeline.address) as saboteur:
        saboteur.database.rows(f"CREATE TABLESPACE small LOCATION '{disk}'")
        saboteur.database.rows("ALTER TABLE bank_transactions SET TABLESPACE small")
        own_pipeline.sandbox.add(
            account, rows=[{"amount": 1, "type": "credit", "narration": os.urandom(400).hex()} for _ in range(300)]
        )
        filler = disk / "filler"
        _fill(filler)
        with pytest.raises(DatabaseUnavailable) as full:
            own_pipeline.sync(account)
        kept = counts(own_pipeline)["rows"]
        same_mark = own_pipeline.watermark(account) == mark
        sound(own_pipeline)
        filler.unlink()
        recovered = recover(own_pipeline, account)
        saboteur.database.rows("ALTER TABLE bank_transactions SET TABLESPACE pg_default")
        saboteur.database.rows("DROP TABLESPACE small")

    assert same_mark
    assert "53100" in str(full.value)
    assert 40 <= kept < 340
    seen(
        f"{str(full.value)[:40]}: {kept} rows, watermark kept; with room {recovered.rows} after {recovered.ticks} tick"
    )


def test_P12_too_many_connections(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """A role that may have one connection, and somebody has it."""
    account = pipeline.link(transactions=40)
    pipeline.sandbox.clear_requests()
    with Saboteur(pipeline.address) as saboteur, _role(saboteur, "CONNECTION LIMIT 1 IN ROLE pipeline") as role:
        crowded = Pipeline(replace(pipeline.address, user=role), pipeline.sandbox)
        holder = Database(crowded.address)
        holder.rows("SELECT 1")
        with pytest.raises(DatabaseUnavailable) as refused:
            crowded.sync(account)
        calls = len(pipeline.sandbox.requests())
        holder.close()
        saboteur.wait_for("SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE usename = :role)", role=role)
        end = crowded.sync(account)
        crowded.close()

    assert calls == 0
    assert end.verdict == VERIFIED
    recovered = recover(pipeline, account)
    seen(f"{str(refused.value).partition('as ')[2]}; {calls} calls to Mono; then {told(end)}, {recovered.rows} rows")


def test_P13_wrong_password(own_server: OwnServer, seen: Callable[[str], None]) -> None:
    """The password was changed under us: an outage at each delivery, no call to Mono, and the next password works."""
    hba = own_server.folder / "pg_hba.conf"
    hba.write_text("host all locked 127.0.0.1/32 scram-sha-256\n" + hba.read_text())
    own_server.start()
    password = "right"
    pipeline = Pipeline(database_address(own_server.running, "pipeline"), Sandbox(seed="faults"))
    account = pipeline.link(transactions=40)
    pipeline.sandbox.clear_requests()
    with Saboteur(pipeline.address) as saboteur:
        saboteur.database.rows("CREATE ROLE locked LOGIN PASSWORD 'changed' IN ROLE pipeline")
        locked = Pipeline(replace(pipeline.address, user="locked", password=lambda: password), pipeline.sandbox)
        with pytest.raises(DatabaseUnavailable) as refused:
            locked.sync(account)
        calls = len(pipeline.sandbox.requests())
        password = "changed"
        end = locked.sync(account)
        locked.close()
    recovered = recover(pipeline, account)
    pipeline.close()

    assert calls == 0
    assert "right" not in str(refused.value)
    seen(f"{type(refused.value).__name__}, no password in it, {calls} calls; then {told(end)}, {recovered.rows} rows")


def test_P13_role_revoked(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """The right to write was taken away: a defect, not an outage; nothing is written and nothing is lost."""
    account = pipeline.link(transactions=40)
    with Saboteur(pipeline.address) as saboteur, _role(saboteur, "IN ROLE pipeline") as role:
        revoked = Pipeline(replace(pipeline.address, user=role), pipeline.sandbox)
        saboteur.database.rows("REVOKE INSERT ON bank_transactions FROM pipeline")
        with pytest.raises(StatementRefused) as refused:
            revoked.sync(account)
        kept = counts(pipeline)["rows"]
        saboteur.database.rows("GRANT INSERT ON bank_transactions TO pipeline")
        recovered = recover(pipeline, account)
        revoked.close()

    assert (refused.value.sqlstate, kept) == ("42501", 0)
    seen(f"{refused.value.sqlstate}, {kept} rows; with the right back {recovered.rows} after {recovered.ticks} tick")


def test_P14_read_only_after_failover(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """The new writer is still a standby when we come: an outage, and a new connection finds the real one."""
    account = pipeline.link(transactions=250)
    with Saboteur(pipeline.address) as saboteur:

        def fail_over() -> None:
            database_setting(saboteur, "default_transaction_read_only", "on")
            saboteur.database.rows(
                """SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()"""
            )

        worker = pipeline.new_worker(At(pipeline, 8, fail_over))
        with pytest.raises(DatabaseUnavailable) as refused:
            pipeline.sync(account, worker=worker)
        before = session_of(worker.database)
        saboteur.database.rows("SET transaction_read_only = off")
        database_setting(saboteur, "default_transaction_read_only", None)
        worker.database.close()
        pipeline.worker.database.close()
        kept = counts(pipeline)["rows"]
        recovered = recover(pipeline, account)

    assert "25006" in str(refused.value)
    assert before
    seen(f"{str(refused.value)[:18]}: {kept} rows kept, then {recovered.rows} after {recovered.ticks} tick")


def test_P20_tls(pipeline: Pipeline, tmp_path: Path, seen: Callable[[str], None]) -> None:
    """Not a row and not a call to Mono for a server that cannot prove itself; over its own TLS the right one serves."""
    ours, theirs = make_authority(tmp_path, "ours"), make_authority(tmp_path, "theirs")
    account = pipeline.link(transactions=40)
    pipeline.sandbox.clear_requests()
    refusals: dict[str, str] = {}
    with TlsFront(pipeline.address.port, ours.serving("localhost")) as front:
        there = replace(pipeline.address, host="localhost", port=front.port)
        for what, where in {
            "no TLS": replace(pipeline.address, host="localhost", ssl_context=ours.trusting()),
            "wrong CA": replace(there, ssl_context=theirs.trusting()),
            "wrong host name": replace(there, host="127.0.0.1", ssl_context=ours.trusting()),
        }.items():
            refusals[what] = _refused(where, pipeline, account)
        calls, passed_on = len(pipeline.sandbox.requests()), front.sessions
        right = Pipeline(replace(there, ssl_context=ours.trusting()), pipeline.sandbox)
        end = right.sync(account)
        recovered = recover(right, account)
        right.close()
        versions = front.versions

    assert (calls, passed_on) == (0, 0)
    assert versions == {"TLSv1.3"}
    told_off = "; ".join(f"{what}: {error.rpartition(': ')[2]}" for what, error in refusals.items())
    seen(f"{told_off}; {passed_on} sessions. Right: TLS 1.3, {told(end)}, {recovered.rows} rows")


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass


def _refused(address: DatabaseAddress, pipeline: Pipeline, account: str) -> str:
    untrusting = Pipeline(address, pipeline.sandbox)
    with pytest.raises(DatabaseUnavailable) as refused:
        untrusting.sync(account)
    untrusting.close()
    return str(refused.value)


@contextmanager
def _role(saboteur: Saboteur, attributes: str) -> Iterator[str]:
    """A login role of this test's own; roles belong to the whole server."""
    row = saboteur.database.row("SELECT 'role_' || substr(md5(current_database()), 1, 12) AS name")
    assert row is not None
    saboteur.database.rows(f"CREATE ROLE {row['name']} LOGIN {attributes}")
    try:
        yield str(row["name"])
    finally:
        saboteur.database.rows(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = :name", name=row["name"]
        )
        saboteur.database.rows(f"DROP ROLE {row['name']}")


@contextmanager
def _small_disk(own_server: OwnServer) -> Iterator[Path]:
    """A file system of 8 MB, which needs the right to mount one."""
    with TemporaryDirectory(prefix="mono-pipeline-") as folder:
        disk = Path(folder) / "disk"
        Path(folder).chmod(0o711)
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:  # noqa: S603 - ours
            pytest.skip("P11 IS NOT CARRIED OUT: this user may not mount a small file system")
        try:
            owner = own_server.folder.stat()
            space = disk / "space"
            space.mkdir()
            os.chown(space, owner.st_uid, owner.st_gid)
            yield space
        finally:
            own_server.stop()
            subprocess.run(["umount", str(disk)], check=True)  # noqa: S603, S607 - ours
