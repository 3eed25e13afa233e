"""Who may do what: the functions' role adds to the history and never rewrites it; neither role defines anything."""

from __future__ import annotations

from copy import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.migrator import migrate
from mono_pipeline.adapters.postgres import Database, StatementRefused
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.run import RunKind
from mono_pipeline.core.verdict import VERIFIED
from mono_pipeline.usecases.operations import Operations
from tests.harness import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mono_pipeline.adapters.postgres import DatabaseAddress

pytestmark = pytest.mark.integration

MIGRATIONS = Path(__file__).parents[2] / "migrations"
REFUSED = "42501"  # insufficient_privilege
REWRITING = (
    "UPDATE bank_transaction_versions SET amount_minor = 1",
    "DELETE FROM bank_transaction_versions",
    "TRUNCATE bank_transaction_versions",
)
DEFINING = (
    "CREATE TABLE mine (id int)",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE bank_transactions ADD COLUMN mine int",
    "ALTER TABLE bank_transaction_versions DISABLE TRIGGER append_only",
    "DROP TRIGGER append_only ON bank_transaction_versions",
    "DROP TABLE bank_transaction_versions",
    "CREATE OR REPLACE FUNCTION pipeline_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
    "CREATE ROLE another",
    "SET ROLE postgres",
)
TAKING_AWAY = (
    "DELETE FROM bank_transactions",
    "TRUNCATE bank_transactions CASCADE",
    "DELETE FROM sync_runs",
    "DELETE FROM bank_accounts",
    "DELETE FROM quarantined_transactions",
    "DELETE FROM coverage_ledger",
    "UPDATE coverage_ledger SET verdict = 'verified'",
)


@pytest.fixture
def log_in(address: DatabaseAddress) -> Iterator[Callable[[str], Database]]:
    """Connects as a role: a login of its own, not SET ROLE."""
    made: list[Database] = []

    def connect(role: str) -> Database:
        made.append(Database(replace(address, user=role)))
        return made[-1]

    yield connect
    for database in made:
        database.close()


@pytest.fixture
def history(pipeline: Pipeline) -> None:
    """An account of which one row has a superseded version."""
    account = pipeline.link(transactions=20)
    pipeline.sync(account)
    pipeline.sandbox.amend(account)
    pipeline.sync(account, kind=RunKind.FULL)
    assert pipeline.rows("SELECT FROM bank_transaction_versions")


@pytest.mark.parametrize("statements", [REWRITING, DEFINING, TAKING_AWAY], ids=["rewrite", "define", "take away"])
@pytest.mark.parametrize("role", ["pipeline", "reader"])
@pytest.mark.usefixtures("history")
def test_neither_role_can(log_in: Callable[[str], Database], role: str, statements: tuple[str, ...]) -> None:
    """By grants, before any trigger is asked."""
    database = log_in(role)
    assert database.rows("SELECT session_user AS who, current_user AS now") == [{"who": role, "now": role}]

    assert {statement: _refusal(database, statement) for statement in statements} == dict.fromkeys(statements, REFUSED)


@pytest.mark.parametrize("statement", REWRITING)
@pytest.mark.usefixtures("history")
def test_not_even_the_owner_rewrites_history_by_a_slip(pipeline: Pipeline, statement: str) -> None:
    """The trigger stands behind the grants."""
    with pytest.raises(StatementRefused, match="append-only") as refused:
        pipeline.rows(statement)

    assert refused.value.sqlstate == REFUSED


@pytest.mark.parametrize("statement", ["INSERT INTO coverage_ledger DEFAULT VALUES", "SELECT * FROM bank_accounts"])
def test_the_platform_s_role_writes_nothing_and_sees_no_personal_data(
    log_in: Callable[[str], Database], statement: str
) -> None:
    """It logs in by itself and reads the public tables."""
    reader = log_in("reader")
    assert reader.rows("SELECT * FROM canonical_bank_transactions") == []

    with pytest.raises(StatementRefused) as refused:
        reader.rows(statement)

    assert refused.value.sqlstate == REFUSED


def test_the_functions_role_can_do_all_the_pipeline_does(address: DatabaseAddress, pipeline: Pipeline) -> None:
    """Import, sync, amend, remove, quarantine, suspect, decide, tick, verify, backfill: none asks for more."""
    bank = Sandbox(seed="grants")
    limited = Pipeline(replace(address, user="pipeline"), bank)
    account = limited.link(transactions=60)
    operations = Operations(limited.worker)

    def ask(action: str, **arguments: Any) -> dict[str, Any]:
        answer = operations.perform({"action": action, **arguments}, Deadline.after(30))
        assert "error" not in answer, answer
        return answer

    assert limited.sync(account).verdict == VERIFIED
    bank.amend(account)
    bank.add(account, rows=[{"amount": -1}])
    limited.sync(account, kind=RunKind.FULL)
    bank.remove(account)
    limited.sync(account, kind=RunKind.FULL)
    pipeline.rows(
        """CREATE OR REPLACE FUNCTION pipeline_now() RETURNS timestamptz
           AS $$ SELECT clock_timestamp() + interval '2 days' $$ LANGUAGE sql VOLATILE"""
    )
    limited.sync(account, kind=RunKind.FULL)
    bank.remint(account)
    limited.sync(account, kind=RunKind.FULL)
    open_ones = [row["id"] for row in ask("duplicates.list")["suspicions"]]
    assert open_ones
    assert ask("duplicates.decide", ids=open_ones, same=True, decided_by="ada")["decided"] == open_ones
    assert ask("verify.account", account_id=account)["verdict"]["kind"] != "mismatch"
    assert ask("verify.account", account_id=account, live=True)["verdict"]["kind"] != "mismatch"
    assert ask("backfill.plan", account_id=account, **{"from": "2020-01-01", "to": "2020-03-31"})["windows"]
    assert ask("backfill.start", account_id=account, **{"from": "2020-01-01", "to": "2020-01-31"})["run_id"]
    assert ask("accounts.import", account_ids=[account])["known"] == [account]
    assert len(ask("accounts.list")["accounts"]) == 1
    pipeline.rows("UPDATE bank_accounts SET next_attempt_at = pipeline_now() - interval '1 hour'")
    limited.tick()
    limited.wake(account)
    limited.worker.budget.pause(1.0, "test")
    assert limited.ask(account).status in {"completed", "paused", "accepted"}
    limited.close()


def test_migrations_are_the_owner_s(address: DatabaseAddress) -> None:
    """The functions' role cannot even look at the migrator's books, so that a wrong user is noticed at once."""
    with pytest.raises(Exception, match="permission denied"):
        migrate(replace(address, user="pipeline").url, MIGRATIONS)


def _refusal(database: Database, statement: str) -> str | None:
    """The SQLSTATE, None where it was done; a trigger's refusal counts as done, for it came too late."""
    try:
        database.rows(statement)
    except StatementRefused as refused:
        return None if "append-only" in str(refused) else refused.sqlstate
    return None
