"""`make demo`: the main job on the embedded stack, step by step, each step with what was promised and what was seen."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from local.results import ROOT, STATE, ResultRow, passed, write_results
from local.sandbox.client import SandboxClient
from local.stack import EmbeddedStack
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.core.booking import booking_date

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ACCOUNTS: Final = 6
TRANSACTIONS: Final = 400
FLAG_SECONDS: Final = 15.0  # a change of the flag takes effect within this
STORY_SECONDS: Final = 60.0
_RUN_SECONDS: Final = 30.0
_SYNC: Final = "/api/v1/banking/transactions/sync"
_ENDED: Final = frozenset({"completed", "incomplete", "deferred", "failed", "stopped"})

console = Console(highlight=False)


class NotAsPromised(Exception):
    """A step of the story did not end as it should."""


@dataclass
class Story:
    """The steps so far, and what they act on."""

    stack: EmbeddedStack
    rows: list[ResultRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        record = self.stack.record
        self.api = httpx.Client(base_url=record["http"], timeout=40, trust_env=False)
        self.bank = SandboxClient(record["sandbox"])
        url = httpx.URL(record["database_url"])
        self.database = Database(
            DatabaseAddress(host=url.host, port=url.port or 5432, database=url.path[1:], user=url.username)
        )
        self.accounts: list[str] = []

    def step(self, name: str, what: str, act: Callable[[], str]) -> None:
        """Carry one step out and keep what was seen; a step that is not as promised ends the story."""
        console.print(f"[bold]{len(self.rows) + 1}.[/] {what}")
        began = time.monotonic()
        try:
            seen = act()
        except NotAsPromised as broken:
            self.rows.append(ResultRow(id=name, what=what, value=str(broken), goal="as promised", ok=False))
            console.print(f"   [red]not as promised: {broken}[/]")
            raise
        self.rows.append(ResultRow(id=name, what=what, value=seen, goal="as promised"))
        console.print(f"   [green]{seen}[/] [dim]({time.monotonic() - began:.1f} s)[/]")

    def sync(self, account: str) -> dict[str, Any]:
        """Ask for a sync and follow it to its end."""
        answer = self.api.post(_SYNC, json={"account_id": account}).json()
        give_up = time.monotonic() + _RUN_SECONDS
        while answer["status"] not in _ENDED:
            run_id = answer.get("run_id") or answer.get("run", {}).get("run_id")  # another caller's, or ours
            if time.monotonic() > give_up or run_id is None:
                raise NotAsPromised(f"the sync of {account} did not end: {answer}")
            time.sleep(0.1)
            answer = self.api.get(f"{_SYNC}/{run_id}").json()
        return dict(answer)

    def monoctl(self, *arguments: str) -> Any:
        """Run the operator's command line as an operator would."""
        command = [str(ROOT / ".venv/bin/monoctl"), "--env", "local", "--json", *arguments]
        # monoctl finds the stack by the folder it is run in, as it does after `make up`
        folder = self.stack.settings.state_dir.parent
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NotAsPromised(f"monoctl {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def physical_rows(self) -> str:
        """A fingerprint of every stored row's place and writing transaction: any insert, update or delete changes it.

        Not the statistics counters: other sessions report to those seconds late.
        """
        row = self.database.rows(
            """SELECT md5(string_agg(place, ',' ORDER BY place)) AS fingerprint FROM (
                 SELECT 't' || ctid || xmin AS place FROM bank_transactions
                 UNION ALL SELECT 'v' || ctid || xmin FROM bank_transaction_versions) AS stored"""
        )[0]
        return str(row["fingerprint"])


def main() -> int:
    """Run the story; 0 when every step was as promised."""
    began = time.monotonic()
    with EmbeddedStack(_fresh(STATE / "demo") / ".local", **_settings()) as stack:
        story = Story(stack)
        try:
            _tell(story)
        except NotAsPromised:
            console.print(f"[red]The stack's logs are in {stack.record['logs']}[/]")
        _show(story)
    seconds = round(time.monotonic() - began, 1)
    story.rows.append(
        ResultRow(
            id="seconds",
            what="the whole story",
            value=seconds,
            unit="s",
            goal=STORY_SECONDS,
            ok=seconds < STORY_SECONDS,
        )
    )
    path = write_results("demo", story.rows)
    if passed(story.rows):
        _what_next(seconds, path)
    return 0 if passed(story.rows) else 1


def _settings() -> dict[str, Any]:
    return {
        "variables": {"MONO_RATE_LIMIT_PER_MINUTE": "60000"},
        "sandbox": {"accounts": str(ACCOUNTS), "transactions": str(TRANSACTIONS), "seed": "demo"},
    }


def _tell(story: Story) -> None:
    story.step("import", "Bring in the accounts that are linked at Mono", lambda: _import(story))
    story.step("off", "The flag is off: a sync is deferred, with guidance", lambda: _deferred(story))
    story.step("allow", "monoctl flag set --allow: one account is on", lambda: _allow_one(story))
    story.step("one", "That one syncs, another is still deferred", lambda: _one_syncs(story))
    story.step("everyone", "monoctl flag set true: everyone is on, and all accounts sync", lambda: _all_sync(story))
    story.step("equal", "The tables hold what the bank has, row by row", lambda: _equal(story))
    story.step("again", "Sync all again: nothing is written", lambda: _nothing_written(story))
    story.step("changes", "The bank books, back-dates and amends: only that lands", lambda: _changes_land(story))
    story.step("equal-again", "The tables still hold what the bank has", lambda: _equal(story))


def _import(story: Story) -> str:
    told = story.monoctl("accounts", "import")
    story.accounts = sorted(row["id"] for row in story.bank.accounts())
    _promise(sorted(told["imported"]) == story.accounts, f"imported {told}")
    return f"{len(story.accounts)} accounts"


def _deferred(story: Story) -> str:
    before = len(story.bank.requests())
    answer = story.sync(story.accounts[0])
    _promise(answer["status"] == "deferred", f"answered {answer['status']}")
    _promise(len(story.bank.requests()) == before, "Mono was called all the same")
    console.print(f"   [dim]{answer['guidance']['explanation']}\n   {answer['guidance']['enable'][0]}[/]")
    return "deferred; Mono was not called"


def _allow_one(story: Story) -> str:
    story.monoctl("flag", "set", "--allow", story.accounts[0], "--reason", "demo: one account first")
    return f"in effect after {_until_enabled(story, story.accounts[0]):.1f} s (15 s are promised)"


def _one_syncs(story: Story) -> str:
    _verified(story.sync(story.accounts[0]))
    other = story.sync(story.accounts[1])
    _promise(other["status"] == "deferred", f"the other account answered {other['status']}")
    return "completed and verified; deferred"


def _all_sync(story: Story) -> str:
    story.monoctl("flag", "set", "true", "--reason", "demo: everyone")
    _until_enabled(story, story.accounts[1])
    answers = _sync_all(story)
    return f"{len(answers)} accounts completed and verified"


def _nothing_written(story: Story) -> str:
    before = story.physical_rows()
    answers = _sync_all(story)
    changed = sum(answer["run"]["counts"]["inserted"] + answer["run"]["counts"]["updated"] for answer in answers)
    _promise(changed == 0 and story.physical_rows() == before, f"rows were written; the runs say {changed}")
    unchanged = sum(answer["run"]["counts"]["unchanged"] for answer in answers)
    return f"{unchanged} rows read again, 0 written"


def _changes_land(story: Story) -> str:
    account = story.accounts[0]
    before = {row["id"]: row for row in story.bank.truth(account)["bank"]}
    story.bank.add(account)
    story.bank.late(account, days_ago=3)
    newest = max(before.values(), key=lambda row: row["date"])["id"]
    story.bank.amend(account, transaction=newest, changes={"narration": "NIP/CORRECTED BY THE BANK"})
    after = {row["id"]: row for row in story.bank.truth(account)["bank"]}
    # a back-dated row moves the running balances of the rows behind it: those change too
    expected = (len(after.keys() - before.keys()), sum(after[known] != row for known, row in before.items()))
    answer = story.sync(account)
    counts = answer["run"]["counts"]
    _verified(answer)
    _promise((counts["inserted"], counts["updated"]) == expected, f"expected {expected}, counts are {counts}")
    return f"{counts['inserted']} inserted, {counts['updated']} updated, {counts['unchanged']} unchanged; verified"


def _equal(story: Story) -> str:
    total = 0
    for account in story.accounts:
        stored = story.database.rows(
            """SELECT t.mono_transaction_id AS id, t.amount_minor, t.direction, t.narration, t.booking_date
               FROM bank_transactions t JOIN bank_accounts a ON a.id = t.account_id
               WHERE a.mono_account_id = :account AND t.disappeared_at IS NULL""",
            account=account,
        )
        bank = {_bank_row(row) for row in story.bank.truth(account)["bank"]}
        _promise({tuple(row.values()) for row in stored} == bank, f"account {account} differs from the bank")
        total += len(bank)
    return f"{total} rows of {len(story.accounts)} accounts are equal"


def _bank_row(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["id"],
        row["amount"],
        row["type"],
        row["narration"],
        booking_date(datetime.fromisoformat(row["date"])),
    )


def _until_enabled(story: Story, account: str) -> float:
    """Ask until the flag's new value has reached the function; seconds."""
    began = time.monotonic()
    while story.api.post(_SYNC, json={"account_id": account}).json()["status"] == "deferred":
        _promise(time.monotonic() - began < FLAG_SECONDS, f"the flag took more than {FLAG_SECONDS:g} s")
        time.sleep(0.25)
    return time.monotonic() - began


def _sync_all(story: Story) -> list[dict[str, Any]]:
    columns = (TextColumn("   syncing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        answers = [story.sync(account) for account in progress.track(story.accounts)]
    for answer in answers:
        _verified(answer)
    return answers


def _verified(answer: dict[str, Any]) -> None:
    verdict = answer.get("run", {}).get("verdict", {})
    _promise(
        answer["status"] == "completed" and verdict.get("kind") == "verified",
        f"the run ended {answer['status']}, {verdict.get('kind')} ({verdict.get('reason')})",
    )


def _promise(kept: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not kept:
        raise NotAsPromised(otherwise)


def _show(story: Story) -> None:
    rows = story.database.rows(
        """SELECT a.mono_account_id AS account, count(t.*)::int AS rows, a.watermark,
                  (SELECT r.verdict FROM sync_runs r
                    WHERE r.account_id = a.id ORDER BY r.requested_at DESC LIMIT 1) AS run
           FROM bank_accounts a LEFT JOIN bank_transactions t ON t.account_id = a.id AND t.disappeared_at IS NULL
           GROUP BY a.id ORDER BY a.mono_account_id"""
    )
    table = Table(title="bank_accounts after the story", title_justify="left")
    for name in ("account", "transactions", "watermark", "verdict"):
        table.add_column(name, justify="right" if name == "transactions" else "left")
    for row in rows:
        table.add_row(row["account"], str(row["rows"]), str(row["watermark"]), row["run"] or "none")
    console.print(table)


def _what_next(seconds: float, path: Path) -> None:
    console.print(
        f"\n[bold green]Everything was as promised[/] in {seconds:g} s; for machines: {path.relative_to(ROOT)}\n\n"
        "What to try next:\n"
        "  make up                              the same stack, left up on 127.0.0.1:3000\n"
        "  .venv/bin/monoctl accounts import    bring the sandbox's accounts in\n"
        '  .venv/bin/monoctl flag set true --reason "trying it"\n'
        "  .venv/bin/monoctl accounts list      then: monoctl sync ACCOUNT\n"
        "  make down\n"
    )


def _fresh(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
