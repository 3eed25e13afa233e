"""The PostgreSQL of the embedded stack."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pg8000.native
import psutil
import pytest

from local.ports import is_free
from local.postgres import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration
QUICK = {"fsync": "off"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[PostgresServer]:
    """A server on a free port."""
    with PostgresServer.start(tmp_path / "pg", settings=QUICK) as running:
        yield running


def ask(server: PostgresServer, statement: str) -> object:
    """The first column of the first row that the statement returns."""
    connection = pg8000.native.Connection("postgres", host="127.0.0.1", port=server.port, database="postgres")
    try:
        rows = connection.run(statement)
    finally:
        connection.close()
    return rows[0][0] if rows else None


def test_server_answers_on_its_url_with_the_settings_asked_for(server: PostgresServer) -> None:
    """The version is 18, the encoding UTF-8, and a setting arrives."""
    assert str(ask(server, "show server_version")).startswith("18.")
    assert ask(server, "show server_encoding") == "UTF8"
    assert ask(server, "show fsync") == "off"
    assert server.url() == f"postgresql://postgres@127.0.0.1:{server.port}/postgres"


def test_server_never_runs_as_root(server: PostgresServer) -> None:
    """Even when root starts it (PostgreSQL itself refuses root)."""
    assert psutil.Process(server.pid).uids().effective != 0


def test_rows_survive_a_crash_and_a_restart(tmp_path: Path) -> None:
    """An immediate stop is a crash; the next start on the same folder recovers what was committed."""
    with PostgresServer.start(tmp_path / "pg") as first:
        ask(first, "create table kept as select 7 as n")
        first.stop("immediate")
    with PostgresServer.start(tmp_path / "pg") as second:
        assert ask(second, "select n from kept") == 7


def test_a_taken_port_is_refused_and_its_holder_named(server: PostgresServer, tmp_path: Path) -> None:
    """Nobody has to search for who is in the way."""
    with pytest.raises(RuntimeError, match=rf"port {server.port}: held by postgres \(pid {server.pid}\)"):
        PostgresServer.start(tmp_path / "other", port=server.port, settings=QUICK)


def test_a_bad_setting_is_reported_with_the_servers_own_words(tmp_path: Path) -> None:
    """A server that does not come up says why, and nothing stays behind."""
    with pytest.raises(RuntimeError, match="unrecognized configuration parameter"):
        PostgresServer.start(tmp_path / "pg", settings={"no_such_setting": "1"})


def test_server_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    """SIGKILL runs no clean-up code, so the kernel has to do it."""
    script = textwrap.dedent("""
        import pathlib, sys, signal
        from local.postgres import PostgresServer
        server = PostgresServer.start(pathlib.Path(sys.argv[1]), settings={"fsync": "off"})
        print(server.pid, server.port, flush=True)
        signal.pause()
    """)
    starter = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script, str(tmp_path / "pg")], stdout=subprocess.PIPE, text=True
    )
    with starter:
        assert starter.stdout is not None
        pid, port = (int(word) for word in starter.stdout.readline().split())
        postmaster = psutil.Process(pid)
        os.kill(starter.pid, signal.SIGKILL)
    psutil.wait_procs([postmaster], timeout=10)
    assert not postmaster.is_running()
    assert is_free(port)
