"""The main job: a flag lets one account through, then everyone; the tables equal the bank; nothing is written twice."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from local.demo.story import SYNC, console, promise, verified

if TYPE_CHECKING:
    from local.demo.story import Story

FLAG_SECONDS: Final = 15.0  # a change of the flag takes effect within this


def tell(story: Story) -> None:
    """Tell the chapter."""
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
    promise(sorted(told["imported"]) == story.accounts, f"imported {told}")
    return f"{len(story.accounts)} accounts"


def _deferred(story: Story) -> str:
    before = len(story.bank.requests())
    answer = story.sync(story.accounts[0])
    promise(answer["status"] == "deferred", f"answered {answer['status']}")
    promise(len(story.bank.requests()) == before, "Mono was called all the same")
    console.print(f"   [dim]{answer['guidance']['explanation']}\n   {answer['guidance']['enable'][0]}[/]")
    return "deferred; Mono was not called"


def _allow_one(story: Story) -> str:
    story.monoctl("flag", "set", "--allow", story.accounts[0], "--reason", "demo: one account first")
    return f"in effect after {_until_enabled(story, story.accounts[0]):.1f} s (15 s are promised)"


def _one_syncs(story: Story) -> str:
    verified(story.sync(story.accounts[0]))
    other = story.sync(story.accounts[1])
    promise(other["status"] == "deferred", f"the other account answered {other['status']}")
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
    promise(changed == 0 and story.physical_rows() == before, f"rows were written; the runs say {changed}")
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
    verified(answer)
    promise((counts["inserted"], counts["updated"]) == expected, f"expected {expected}, counts are {counts}")
    return f"{counts['inserted']} inserted, {counts['updated']} updated, {counts['unchanged']} unchanged; verified"


def _equal(story: Story) -> str:
    total = 0
    for account in story.accounts:
        bank = story.at_the_bank(account)
        promise(story.stored(account) == bank, f"account {account} differs from the bank")
        total += len(bank)
    return f"{total} rows of {len(story.accounts)} accounts are equal"


def _until_enabled(story: Story, account: str) -> float:
    """Ask until the flag's new value has reached the function; seconds."""
    began = time.monotonic()
    while story.api.post(SYNC, json={"account_id": account}).json()["status"] == "deferred":
        promise(time.monotonic() - began < FLAG_SECONDS, f"the flag took more than {FLAG_SECONDS:g} s")
        time.sleep(0.25)
    return time.monotonic() - began


def _sync_all(story: Story) -> list[dict[str, Any]]:
    columns = (TextColumn("   syncing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        answers = [story.sync(account) for account in progress.track(story.accounts)]
    for answer in answers:
        verified(answer)
    return answers
