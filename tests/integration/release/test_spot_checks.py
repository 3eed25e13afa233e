"""docs/sql: every query runs as the role `reader`, and shows what it is there to show."""

from __future__ import annotations

from copy import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects.answers import Status
from local.sandbox.effects.contents import Rows
from local.sandbox.faults import Fault
from mono_pipeline.adapters.postgres import Database
from mono_pipeline.core.run import RunKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mono_pipeline.adapters.postgres import DatabaseAddress
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

FOLDER = Path(__file__).parents[3] / "docs/sql"
FILES = sorted(FOLDER.glob("*.sql"))
QUIET = {"orphaned_and_duplicated_ids", "quarantine", "coverage", "removals", "dead_letters"}

type Check = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def check(address: DatabaseAddress) -> Iterator[Check]:
    """Runs a file of the folder as `reader`, logged in."""
    reader = Database(replace(address, user="reader"))
    assert reader.rows("SELECT current_user AS who")[0]["who"] == "reader"
    yield lambda name: reader.rows((FOLDER / f"{name}.sql").read_text().rstrip().removesuffix(";"))
    reader.close()


@pytest.fixture
def account(pipeline: Pipeline) -> str:
    """An account with its history of the last weeks."""
    made = pipeline.link(transactions=60, days=20)
    pipeline.sync(made)
    return made


def test_the_page_names_every_file() -> None:
    """What is not named is not found, and what is named is there."""
    page = (FOLDER / "README.md").read_text()
    assert [path.name for path in FILES] == sorted(
        line.split("`")[1] for line in page.splitlines() if line.startswith("| `")
    )


@pytest.mark.parametrize("name", [path.stem for path in FILES])
def test_each_runs_as_the_reader_on_data_in_order(check: Check, account: str, name: str) -> None:
    """Those that look for trouble find none, the others show the account."""
    rows = check(name)
    if name in QUIET:
        assert rows == []
    else:
        assert {row["mono_account_id"] for row in rows} == {account}


def test_rows_per_day_are_the_banks(check: Check, pipeline: Pipeline, account: str) -> None:
    """Counts and sums by booking day, in major units."""
    truth = list(pipeline.truth(account).values())
    rows = check("rows_per_day")
    assert sum(row["rows"] for row in rows) == len(truth) == 60
    for row in rows:
        of_day = [each for each in truth if each[5] == row["booking_date"]]
        credits_ = sum(each[0] for each in of_day if each[1] == "credit")
        debits = sum(each[0] for each in of_day if each[1] == "debit")
        assert (row["rows"], row["credits"], row["debits"]) == (len(of_day), _major(credits_), _major(debits))
        assert row["net"] == _major(credits_ - debits)


CONTRADICTIONS = {
    "orphaned": "UPDATE bank_transactions SET run_id = gen_random_uuid() WHERE id = 1",
    "two_accounts": """UPDATE bank_transactions
                       SET mono_transaction_id = (SELECT mono_transaction_id FROM bank_transactions WHERE id = 1)
                       WHERE id = (SELECT max(id) FROM bank_transactions)""",
    "version_lost": "UPDATE bank_transactions SET version = 3 WHERE id = 1",
}


@pytest.mark.parametrize("problem", CONTRADICTIONS)
def test_ids_that_contradict_each_other_are_shown(check: Check, pipeline: Pipeline, account: str, problem: str) -> None:
    """Each by its own word, with the id."""
    pipeline.sync(pipeline.link(transactions=5))
    pipeline.rows(CONTRADICTIONS[problem])

    assert [row["problem"] for row in check("orphaned_and_duplicated_ids")] == [problem], account


def test_suspected_doubles_are_shown(check: Check, pipeline: Pipeline) -> None:
    """With both ids, until somebody decides; they are not summed twice meanwhile."""
    made = pipeline.link(transactions=12, days=10, balances="null")
    pipeline.sync(made)
    pipeline.sandbox.remint(made)
    pipeline.sync(made, kind=RunKind.FULL)

    assert {row["problem"] for row in check("orphaned_and_duplicated_ids")} == {"suspected"}
    assert sum(row["rows"] for row in check("rows_per_day")) == 12


def test_rows_in_quarantine_are_counted_by_reason(check: Check, pipeline: Pipeline) -> None:
    """Those that stand open."""
    made = pipeline.link(transactions=10)
    pipeline.sandbox.inject(Fault(effect=Rows(replaced={0: '{"id": "no id"}'}), path="*/transactions", page=1))
    pipeline.sync(made)

    (row,) = check("quarantine")
    assert (row["mono_account_id"], row["rows"], row["times_seen"]) == (made, 1, 1)


def test_days_that_nobody_read_are_shown_in_stretches(check: Check, pipeline: Pipeline, account: str) -> None:
    """An account that was never read, and days that are missing between others."""
    never = pipeline.link(transactions=1)
    pipeline.rows("ALTER TABLE coverage_ledger DISABLE TRIGGER ALL")
    pipeline.rows("UPDATE coverage_ledger SET last_day = lagos_date(pipeline_now()) - 11")

    rows = {row["mono_account_id"]: row for row in check("coverage")}

    assert (rows[never]["days"], rows[account]["days"]) == (90, 10)


def test_verdicts_are_the_newest_runs_worst_first(check: Check, pipeline: Pipeline, account: str) -> None:
    """A mismatch is on top, with its day."""
    pipeline.link(transactions=1)
    pipeline.rows(
        "UPDATE sync_runs SET verdict = 'mismatch', verdict_reason = 'days_differ', first_bad_day = '2026-01-05'"
    )

    rows = check("verdicts")

    assert [row["verdict"] for row in rows] == ["mismatch", "never_read"]
    assert (rows[0]["mono_account_id"], str(rows[0]["first_bad_day"])) == (account, "2026-01-05")


def test_removed_rows_are_shown(check: Check, pipeline: Pipeline, account: str) -> None:
    """With what they were."""
    gone = pipeline.page_ids(account, 1)[0]
    pipeline.rows("UPDATE bank_transactions SET disappeared_at = now() WHERE mono_transaction_id = :id", id=gone)

    (row,) = check("removals")
    assert (row["mono_transaction_id"], row["amount"]) == (gone, _major(pipeline.truth(account)[gone][0]))


def test_the_stalest_account_comes_first(check: Check, pipeline: Pipeline, account: str) -> None:
    """Ours and the bank's ages side by side."""
    pipeline.rows("UPDATE bank_accounts SET fresh_as_of = now(), last_success_at = now()")
    stale = pipeline.link(transactions=1)
    pipeline.rows(
        "UPDATE bank_accounts SET fresh_as_of = now() - interval '30 hours' WHERE mono_account_id = :id", id=stale
    )

    assert [row["mono_account_id"] for row in check("freshness")] == [stale, account]


def test_accounts_that_failed_too_often_are_shown_with_their_error(check: Check, pipeline: Pipeline) -> None:
    """And nobody else."""
    made = pipeline.link(transactions=1)
    pipeline.sandbox.inject(Fault(effect=Status(status=400), path=f"/v2/accounts/{made}*", times=None))
    for _ in range(5):
        pipeline.sync(made)

    (row,) = check("dead_letters")
    assert (row["mono_account_id"], row["failure_streak"]) == (made, 5)
    assert row["error_code"]


def _major(minor: int) -> Decimal:
    return Decimal(minor) / 100
