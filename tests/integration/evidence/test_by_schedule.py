"""Our turn in `make evidence`, which continuous integration does not run: it loads what the bank has, and says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from bench.by_schedule import exit_code
from local.results import ROOT
from local.sandbox.server import SandboxServer
from local.sandbox.world import DEFAULT_KEY
from mono_pipeline.adapters.postgres import Database
from monoctl.exit_code import ExitCode

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import DatabaseAddress

pytestmark = pytest.mark.integration


def turn(bank: SandboxServer, address: DatabaseAddress, *options: str) -> tuple[int, dict[str, int]]:
    """One turn: its exit code, and how many accounts' newest runs said what."""
    told = [
        f"--base-url={bank.url}",
        f"--database-url=postgresql://postgres@{address.host}:{address.port}/{address.database}",
        f"--secret-key={DEFAULT_KEY}",
    ]
    ended = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "bench.by_schedule", *told, *options],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'layers' / 'common'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout, ended.stderr
    return ended.returncode, json.loads(ended.stdout.splitlines()[-1])["said"]


def test_a_turn_takes_every_account_in_and_says_what_its_tables_are_worth(address: DatabaseAddress) -> None:
    """Verified and 0 after the first load; a second turn with nothing to do says the same."""
    with SandboxServer(port=0, seed="turn", accounts=3, transactions=40) as bank:
        first = turn(bank, address, "--import-accounts")
        second = turn(bank, address)
    database = Database(address)
    stored = database.rows("SELECT count(*) AS rows FROM bank_transactions")
    database.close()

    assert first == second == (0, {"verified": 3})
    assert stored == [{"rows": 120}]


def test_a_turn_in_which_nothing_was_read_proves_nothing() -> None:
    """Tables without a run are not called the bank's."""
    assert exit_code(Counter()) is ExitCode.INCOMPLETE
    assert exit_code(Counter(verified=2, removal_pending=1)) is ExitCode.INCOMPLETE
    assert exit_code(Counter(verified=2)) is ExitCode.AS_PROMISED
    assert exit_code(Counter(verified=2, removal_pending=1, mismatch=1)) is ExitCode.MISMATCH
