"""The large table that is measured is the migrated one with rows that it would take, in both of its layouts."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from bench.amended_rows import amend
from bench.table_layout import HISTORY_ROWS, ROWS_PER_ACCOUNT, Layout, fill
from bench.table_questions import Questionnaire
from mono_pipeline.adapters.postgres import Database
from mono_pipeline.adapters.statements import statements
from tests.integration.conftest import database_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.postgres import PostgresServer

pytestmark = pytest.mark.integration

ROWS = 2_000
ONE_TABLE, PARTITIONED = Layout(partitions=0), Layout(partitions=4)
_INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename = 'bank_transactions' ORDER BY indexname"


@contextmanager
def migrated(server: PostgresServer, template: str) -> Iterator[Database]:
    """A database of its own at the newest schema."""
    name = f"large_{uuid4().hex}"
    administrator = Database(database_address(server, "postgres"))
    administrator.rows(f"CREATE DATABASE {name} TEMPLATE {template}")
    database = Database(database_address(server, name))
    yield database
    database.close()
    administrator.rows(f"DROP DATABASE {name} WITH (FORCE)")
    administrator.close()


def answers(database: Database, layout: Layout) -> dict[str, list[dict[str, Any]]]:
    """What each question answers, of the first of two accounts."""
    fill(database, layout, rows=ROWS, progress=lambda _: None)
    questionnaire = Questionnaire(database, layout, rows=ROWS)
    for question in questionnaire.questions():
        timing = questionnaire.ask(question, repetitions=1)
        assert timing.warm > 0 < timing.scattered
        assert "Execution Time" in timing.plan
    return {question.name: questionnaire.answer(question, 1) for question in questionnaire.questions()}


def test_both_layouts_answer_the_same(server: PostgresServer, template: str) -> None:
    """And what is timed is what it is called: a thousand rows land, twenty are amended, a chain of balances holds."""
    with migrated(server, template) as one, migrated(server, template) as other:
        flat, partitioned = answers(one, ONE_TABLE), answers(other, PARTITIONED)

    assert partitioned == flat
    assert flat["land_first_rows: 1,000 rows"] == [{"inserted": 1_000, "updated": 0}]
    assert flat["land_rows: 20 new, 100 unchanged"] == [{"inserted": 20, "updated": 0}]
    assert flat["land_rows: 20 amended"] == [{"inserted": 0, "updated": 20}]
    assert [row["holds"] for row in flat["chain_to: 1,000 rows"]] == [True]
    assert len(flat["newest page of 100"]) == 100
    assert len(flat["change feed, 1,000 rows"]) == ROWS - 2 * HISTORY_ROWS  # all that came after both first histories


def test_the_rows_are_such_as_the_table_takes_and_its_indexes_are_those_of_the_migrations(
    server: PostgresServer, template: str
) -> None:
    """They are loaded without its checks, keys and indexes."""
    with migrated(server, template) as database:
        indexes = database.rows(_INDEXES)
        fill(database, ONE_TABLE, rows=ROWS, progress=lambda _: None)
        unvalidated = database.rows(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'bank_transactions'::regclass AND NOT convalidated"
        )
        for row in unvalidated:
            database.rows(f"ALTER TABLE bank_transactions VALIDATE CONSTRAINT {row['conname']}")
        counts = database.rows(
            """SELECT account_id, count(*) AS rows, count(*) FILTER (WHERE id <= :first) AS history
               FROM bank_transactions GROUP BY 1 ORDER BY 1""",
            first=2 * HISTORY_ROWS,
        )
        assert database.rows(_INDEXES) == indexes

    assert len(unvalidated) > 3
    assert counts == [{"account_id": one, "rows": ROWS_PER_ACCOUNT, "history": HISTORY_ROWS} for one in (1, 2)]


def test_a_partitioned_table_is_asked_with_the_account_that_its_key_needs() -> None:
    """Where the product's text has changed, what adapts it must find its place again."""
    text = statements("flush")["land_rows"]

    assert PARTITIONED.statement(text).count("t.id = c.stored_id AND t.account_id = :account_id") == 2
    assert ONE_TABLE.statement(text) == text


def test_an_amended_row_stays_on_its_page_only_without_the_index_of_changes(
    server: PostgresServer, template: str
) -> None:
    """Each amendment moves `changed_at`: room on the page does not make it a heap-only update."""
    with migrated(server, template) as database:
        fill(database, ONE_TABLE, rows=ROWS, progress=lambda _: None)
        roomy = amend(database, fillfactor=90, change_feed=True)
        without = amend(database, fillfactor=90, change_feed=False)

    assert (roomy.updates, roomy.hot) == (ROWS // 10, 0)
    assert (without.updates, without.hot) == (ROWS // 10, ROWS // 10)
