"""The embedded stack's life: up, found, down, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from local.ports import LOOPBACK, is_free
from local.stack import EmbeddedStack, Running
from local.stack_settings import Ports

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.e2e, pytest.mark.xdist_group("stack-life")]

QUICK = {"fsync": "off"}
KEYS = {
    "http",
    "database_url",
    "aws_endpoint_url",
    "aws_region",
    "sandbox",
    "mono_base_url",
    "mono_secret_key",
    "mono_webhook_secret",
    "mono_app_id",
    "logs",
    "prometheus",
}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[EmbeddedStack]:
    """A stack of its own for one test, with a function loaded, so that every kind of process runs."""
    with started(tmp_path / "state") as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStack]:
    """One stack for the tests that only look."""
    with started(tmp_path_factory.mktemp("shared")) as running:
        yield running


@contextmanager
def started(state_dir: Path) -> Iterator[EmbeddedStack]:
    """A stack that has answered once."""
    with EmbeddedStack(state_dir, postgres=QUICK, sandbox={"accounts": "0"}) as running:
        assert httpx.get(f"{running.record['http']}/health", trust_env=False).status_code == 200
        yield running


def family(stack: EmbeddedStack) -> list[psutil.Process]:
    """Every process of the stack: the supervisor and all below it."""
    supervisor = psutil.Process(stack.record["processes"]["supervisor"]["pid"])
    return [supervisor, *supervisor.children(recursive=True)]


def survivors(processes: list[psutil.Process]) -> list[str]:
    """The command lines of those that still run after half a minute; usually none does after a moment.

    One that nobody reaps is gone too: who adopts orphans is the machine's business.
    """
    give_up = time.monotonic() + 30
    while (running := [process for process in processes if _runs(process)]) and time.monotonic() < give_up:
        time.sleep(0.02)
    return [" ".join(process.cmdline()) for process in running]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def ports(stack: EmbeddedStack) -> list[int]:
    """Where the stack listens."""
    chosen = stack.settings.ports
    return [chosen.http, chosen.postgres, chosen.aws, chosen.sandbox]


def test_the_record_says_where_everything_is_and_is_nobody_elses(shared: EmbeddedStack) -> None:
    """The keys that other programs rely on; the file holds a key, so only its owner may read it."""
    record = json.loads(shared.settings.record.read_text())
    assert record == shared.record
    assert set(record) >= KEYS
    assert record["prometheus"] is None
    assert stat.S_IMODE(shared.settings.record.stat().st_mode) == 0o600
    assert httpx.get(record["mono_base_url"], trust_env=False).status_code < 500


def test_everything_listens_on_loopback_only(shared: EmbeddedStack) -> None:
    """Nothing of it can be reached from another machine."""
    listening = [
        open_socket.laddr.ip
        for process in family(shared)
        for open_socket in process.net_connections("tcp")
        if open_socket.status == psutil.CONN_LISTEN
    ]
    assert len(listening) > 4
    assert set(listening) == {LOOPBACK}


def test_a_record_never_leads_to_a_process_that_took_over_the_number(shared: EmbeddedStack, tmp_path: Path) -> None:
    """The start time must agree, else `make down` would stop a stranger."""
    record = json.loads(shared.settings.record.read_text())
    for process in record["processes"].values():
        process["started"] -= 3600
    (tmp_path / "stack.json").write_text(json.dumps(record))
    assert Running.find(replace(shared.settings, state_dir=tmp_path)) is None


def test_a_stack_is_found_by_its_record_and_stopped_without_a_trace(stack: EmbeddedStack) -> None:
    """As `make down` does it, which knows only the file: no process, no port and no record stays."""
    processes = family(stack)
    assert len(processes) > 6
    running = Running.find(stack.settings)
    assert running is not None
    assert set(running.processes) == {"supervisor", "postgres", "aws", "sandbox"}
    running.stop()
    assert survivors(processes) == []
    assert all(is_free(port) for port in ports(stack))
    assert not stack.settings.record.exists()


def test_a_killed_supervisor_takes_everything_with_it(stack: EmbeddedStack) -> None:
    """SIGKILL runs no clean-up; the database recovers by itself at the next start."""
    processes = family(stack)
    os.kill(stack.record["processes"]["supervisor"]["pid"], signal.SIGKILL)
    assert survivors(processes) == []
    assert Running.find(stack.settings) is None
    with started(stack.settings.state_dir):
        pass


def test_the_stack_ends_with_the_program_that_started_it(tmp_path: Path) -> None:
    """A test run or demo that is killed leaves nothing behind."""
    script = (
        "import pathlib, signal, sys; from local.stack import EmbeddedStack;"
        "stack = EmbeddedStack(pathlib.Path(sys.argv[1]), sandbox={'accounts': '0'}).start(say=lambda _: None);"
        "print(stack.settings.record, flush=True); signal.pause()"
    )
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        lines = iter(starter.stdout.readline, "")
        record = json.loads(Path(next(line for line in lines if line.startswith("/")).strip()).read_text())
        supervisor = psutil.Process(record["processes"]["supervisor"]["pid"])
        processes = [supervisor, *supervisor.children(recursive=True)]
        starter.kill()
    assert survivors(processes) == []


def test_a_taken_port_is_refused_by_name_and_nothing_stays_up(tmp_path: Path) -> None:
    """Who holds it is said; the other parts are not left running."""
    with socket.create_server((LOOPBACK, 0)) as taken:
        free = Ports.free()
        wanted = Ports(http=taken.getsockname()[1], postgres=free.postgres, aws=free.aws, sandbox=free.sandbox)
        stack = EmbeddedStack(tmp_path / "state", ports=wanted)
        with pytest.raises(RuntimeError, match=rf"port {wanted.http}: held by .*pid {os.getpid()}"):
            stack.start(say=lambda _: None)
    assert all(is_free(port) for port in (wanted.postgres, wanted.aws, wanted.sandbox))


def test_another_mono_needs_no_sandbox(tmp_path: Path) -> None:
    """The functions are pointed at it, with its key, and no sandbox is started."""
    with EmbeddedStack(
        tmp_path / "state", mono_base_url="http://127.0.0.1:9", secrets={"MONO_SECRET_KEY": "key-of-that-mono"}
    ) as stack:
        assert stack.record["sandbox"] is None
        assert stack.record["mono_base_url"] == "http://127.0.0.1:9"
        assert stack.record["mono_secret_key"] == "key-of-that-mono"
        assert set(stack.record["processes"]) == {"supervisor", "postgres", "aws"}
