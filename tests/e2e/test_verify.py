"""`monoctl verify --live` through the built artifacts: a row that was changed behind our back is found and named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.build import ROOT
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.core.booking import booking_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from local.sandbox.client import SandboxClient
    from local.stack import EmbeddedStack

type Monoctl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def monoctl(stack: EmbeddedStack, tmp_path: Path) -> Monoctl:
    """The command line in a folder beside the stack, on a terminal of 80 columns."""
    (tmp_path / ".local").symlink_to(stack.settings.state_dir)
    path = os.pathsep.join([str(ROOT), str(ROOT / "layers" / "common")])
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": path,
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "HOME": str(tmp_path),
    }

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "monoctl", *arguments]
        return subprocess.run(  # noqa: S603 - our own program
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    return run


@pytest.fixture
def owner(stack: EmbeddedStack) -> Iterator[Database]:
    """Somebody with the database's own key."""
    url = httpx.URL(stack.record["database_url"])
    opened = Database(DatabaseAddress(host=url.host, port=url.port or 0, database=url.path[1:], user=url.username))
    yield opened
    opened.close()


@pytest.fixture
def account(monoctl: Monoctl, flag: Callable[[str], None], new_account: Callable[..., str]) -> str:
    """An account of 250 transactions, imported and synced by hand."""
    flag("true")
    made = new_account(transactions=250, days=40)
    assert monoctl("accounts", "import", made).returncode == 0
    synced = monoctl("sync", made)
    while synced.returncode == 3:  # the functions notice the flag within the age of their cache
        synced = monoctl("sync", made)
    assert synced.returncode == 0, synced.stdout + synced.stderr
    return made


def rows_by_day(sandbox: SandboxClient, account: str) -> list[dict[str, Any]]:
    """The bank's rows, oldest first."""
    return sorted(sandbox.truth(account)["bank"], key=lambda row: str(row["date"]))


def test_a_changed_row_is_a_mismatch_with_its_day_both_sides_and_its_id(
    monoctl: Monoctl, owner: Database, sandbox: SandboxClient, account: str
) -> None:
    """Exit 5, the first bad day, both sums, both amounts; put right, exit 0."""
    victim = rows_by_day(sandbox, account)[60]
    change = "UPDATE bank_transactions SET amount_minor = amount_minor + :by WHERE mono_transaction_id = :id"
    assert monoctl("verify", "--account", account, "--live").returncode == 0
    owner.rows(change, by=100, id=victim["id"])

    said = monoctl("verify", "--account", account, "--live")
    told = json.loads(monoctl("--json", "verify", "--account", account, "--live").stdout)

    day = booking_date(datetime.fromisoformat(victim["date"])).isoformat()
    assert said.returncode == 5
    assert f"mismatch (days_differ, first bad day {day})" in said.stdout
    assert victim["id"] in said.stdout
    assert max(len(line.rstrip()) for line in said.stdout.splitlines()) <= 80
    assert told["verdict"] == {"kind": "mismatch", "reason": "days_differ", "first_bad_day": day}
    (row,) = told["mismatch"]["rows"]
    assert row["fields"] == {"amount_minor": {"bank": victim["amount"], "stored": victim["amount"] + 100}}
    owner.rows(change, by=-100, id=victim["id"])
    assert monoctl("verify", "--account", account, "--live").returncode == 0


def test_the_functions_are_not_the_owner(owner: Database, account: str) -> None:
    """Every connection of theirs is of `pipeline`, or of `ops` for operators: neither can rewrite history."""
    del account
    users = owner.rows("SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'mono-pipeline'")

    assert {row["usename"] for row in users} - {"postgres", "ops"} == {"pipeline"}  # postgres: this test itself
    for role in ("pipeline", "ops"):
        asked = "SELECT has_table_privilege(:role, 'bank_transaction_versions', 'UPDATE') AS may"
        assert owner.rows(asked, role=role) == [{"may": False}]


def test_months_are_backfilled_and_then_complete(
    monoctl: Monoctl, owner: Database, new_account: Callable[..., str], account: str
) -> None:
    """Through the backfill queue and its worker; a second time there is nothing to do."""
    del account  # by now the flag is on
    made = new_account(transactions=100, days=120)
    assert monoctl("accounts", "import", made).returncode == 0
    today = owner.rows("SELECT lagos_date(pipeline_now()) AS today")[0]["today"]
    span = ["--account", made, "--from", f"{today - timedelta(days=100)}", "--to", f"{today - timedelta(days=60)}"]

    before = monoctl("verify", *span)
    filled = monoctl("backfill", *span)
    after = json.loads(monoctl("--json", "verify", *span).stdout)

    assert before.returncode == 4
    assert filled.returncode == 0, filled.stdout + filled.stderr
    assert after["coverage"]["complete"] is True
    again = json.loads(monoctl("--json", "backfill", *span).stdout)["windows"]
    assert {window["state"] for window in again} == {"covered"}
