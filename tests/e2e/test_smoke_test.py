"""./live_mono_staging_smoke_test.py against the embedded stack, as an operator runs it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from local.build import ROOT
from mono_pipeline.adapters.postgres import Database, DatabaseAddress

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.sandbox.client import SandboxClient
    from local.stack import EmbeddedStack

type Smoke = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def smoke(stack: EmbeddedStack, tmp_path: Path) -> Smoke:
    """Runs the script in a folder beside the stack; returns its exit code and its events. It says no secret."""
    (tmp_path / ".local").symlink_to(stack.settings.state_dir)
    hidden = [stack.record["mono_secret_key"], stack.record["mono_webhook_secret"]]

    def run(account: str, *, folder: Path = tmp_path, **environ: str) -> tuple[int, list[dict[str, Any]]]:
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "MONO_SMOKE_ACCOUNT": account,
            "MONO_SMOKE_ENV": "local",
            "MONO_SECRET_KEY": stack.record["mono_secret_key"],
            "MONO_BASE_URL": stack.record["mono_base_url"],
            **environ,
        }
        done = subprocess.run(  # noqa: S603 - our own program
            [ROOT / "live_mono_staging_smoke_test.py"],
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert not [secret for secret in hidden if secret in done.stdout + done.stderr]
        assert done.stderr == ""
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    return run


def until_on(smoke: Smoke, account: str) -> tuple[int, list[dict[str, Any]]]:
    """Run it until the functions have noticed that the flag is on."""
    for _ in range(20):
        code, events = smoke(account)
        if code != 3:
            return code, events
    raise AssertionError("the flag is never on")


def test_an_account_ends_equal_to_mono_and_the_second_run_inserts_nothing(
    smoke: Smoke, flag: Callable[[str], None], new_account: Callable[..., str], sandbox: SandboxClient
) -> None:
    """Import, first history, second run, both sides, and Mono itself asked past the stack; then the ways it fails."""
    account = new_account(transactions=230, days=40)
    assert smoke(account)[0] == 3  # the flag is off

    flag("true")
    code, events = until_on(smoke, account)

    totals = events[-1]
    assert (code, totals["event"], totals["exit_code"]) == (0, "smoke.totals", 0), events
    assert (totals["first_run"]["inserted"], totals["last_run"]["inserted"]) == (230, 0)
    assert totals["mono"] == totals["stored"]
    assert totals["mono"]["rows"] == totals["mono_total"] == len(sandbox.truth(account)["bank"])


def test_what_is_stored_wrong_is_5_and_named_by_its_day(
    smoke: Smoke, stack: EmbeddedStack, flag: Callable[[str], None], new_account: Callable[..., str]
) -> None:
    """A row that was changed behind our back, outside the days that a sync reads: the comparison sees it."""
    flag("true")
    account = new_account(transactions=120, days=60)
    assert until_on(smoke, account)[0] == 0
    url = httpx.URL(stack.record["database_url"])
    owner = Database(DatabaseAddress(host=url.host, port=url.port or 0, database=url.path[1:], user=url.username))
    owner.rows(
        """UPDATE bank_transactions SET amount_minor = amount_minor + 7 WHERE id = (
             SELECT min(t.id) FROM bank_transactions t JOIN bank_accounts a ON a.id = t.account_id
             WHERE a.mono_account_id = :id AND t.booking_date < current_date - 30)""",
        id=account,
    )
    owner.close()

    code, events = smoke(account)

    assert code == 5
    assert events[-1]["verdict"]["first_bad_day"]


def test_an_account_that_mono_does_not_have_is_a_failure_and_not_an_empty_success(
    smoke: Smoke, flag: Callable[[str], None]
) -> None:
    """Nothing was imported, so there is nothing to sync."""
    flag("true")
    code, events = smoke("0" * 24)
    assert code not in {0, 3}
    assert events[-1]["event"] == "smoke.totals"


def test_without_a_stack_it_is_7(smoke: Smoke, tmp_path_factory: pytest.TempPathFactory) -> None:
    """With a sentence that says how one is started."""
    code, events = smoke("0" * 24, folder=tmp_path_factory.mktemp("nowhere"))
    assert (code, "make up" in events[-2]["why"]) == (7, True)
