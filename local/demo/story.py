"""A story told on the embedded stack: its steps, what was promised of each and what was seen."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
from rich.console import Console

from local.results import ROOT, ResultRow
from local.sandbox.client import SandboxClient
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.core.booking import booking_date

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.stack import EmbeddedStack

SYNC: Final = "/api/v1/banking/transactions/sync"
_RUN_SECONDS: Final = 30.0
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

    def close(self) -> None:
        """Let go of what it talks to."""
        for talks in (self.api, self.bank, self.database):
            talks.close()

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
        answer = self.api.post(SYNC, json={"account_id": account}).json()
        give_up = time.monotonic() + _RUN_SECONDS
        while answer["status"] not in _ENDED:
            run_id = answer.get("run_id") or answer.get("run", {}).get("run_id")  # another caller's, or ours
            if time.monotonic() > give_up or run_id is None:
                raise NotAsPromised(f"the sync of {account} did not end: {answer}")
            time.sleep(0.1)
            answer = self.api.get(f"{SYNC}/{run_id}").json()
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

    def until(self, come_true: Callable[[], bool], otherwise: str, *, seconds: float = _RUN_SECONDS) -> float:
        """Look until something is so; the seconds that it took."""
        began = time.monotonic()
        while not come_true():
            promise(time.monotonic() - began < seconds, f"{otherwise}, not within {seconds:g} s")
            time.sleep(0.1)
        return time.monotonic() - began

    def account(self, mono_account_id: str) -> dict[str, Any] | None:
        """The account's row, None where there is none."""
        return self.database.row("SELECT * FROM bank_accounts WHERE mono_account_id = :id", id=mono_account_id)

    def stored(self, mono_account_id: str) -> set[tuple[Any, ...]]:
        """The account's live rows: id, minor units, direction, narration, booking date."""
        rows = self.database.rows(
            """SELECT t.mono_transaction_id AS id, t.amount_minor, t.direction, t.narration, t.booking_date
               FROM bank_transactions t JOIN bank_accounts a ON a.id = t.account_id
               WHERE a.mono_account_id = :account AND t.disappeared_at IS NULL""",
            account=mono_account_id,
        )
        return {tuple(row.values()) for row in rows}

    def at_the_bank(self, mono_account_id: str, *, of: str = "bank") -> set[tuple[Any, ...]]:
        """The bank's rows (or those of Mono's `copy`) in the same form."""
        return {_bank_row(row) for row in self.bank.truth(mono_account_id)[of]}


def promise(kept: bool, otherwise: str) -> None:  # noqa: FBT001 - reads as a sentence
    """End the story unless a promise was kept."""
    if not kept:
        raise NotAsPromised(otherwise)


def verified(answer: dict[str, Any]) -> None:
    """Promise that a sync ended complete and verified."""
    verdict = answer.get("run", {}).get("verdict", {})
    promise(
        answer["status"] == "completed" and verdict.get("kind") == "verified",
        f"the run ended {answer['status']}, {verdict.get('kind')} ({verdict.get('reason')})",
    )


def _bank_row(row: dict[str, Any]) -> tuple[Any, ...]:
    return (
        row["id"],
        row["amount"],
        row["type"],
        row["narration"],
        booking_date(datetime.fromisoformat(row["date"])),
    )
