"""Whatever row lands, PostgreSQL reads: one that it could not read would fail a whole flush."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pg8000.native
import pytest
from hypothesis import HealthCheck, given, settings

from mono_pipeline.core.errors import MonoUnintelligible
from tests.unit.wire.wire_mutations import mutated_bodies
from tests.unit.wire.wire_pages import page_of, page_of_text, parse, row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.postgres import PostgresServer

pytestmark = pytest.mark.integration

EXACTLY: Any = {"parse_int": Decimal, "parse_float": Decimal}
READ = """
SELECT id, amount, type, currency, narration, category, balance, date, CAST(extra AS text)
  FROM json_to_recordset(CAST(:rows AS json)) AS landed (
       id text, amount bigint, type text, currency text, narration text, category text, balance bigint,
       date timestamptz, extra jsonb)
"""


@pytest.fixture(scope="module")
def connection(server: PostgresServer) -> Iterator[pg8000.native.Connection]:
    """A connection that nothing is written through."""
    opened = pg8000.native.Connection("postgres", host="127.0.0.1", port=server.port, database="postgres")
    yield opened
    opened.close()


def read_back(connection: pg8000.native.Connection, rows_json: str) -> list[Any]:
    """The rows as PostgreSQL understands them."""
    rows: list[Any] = connection.run(READ, rows=rows_json)
    return rows


def assert_reads_the_same(connection: pg8000.native.Connection, rows_json: str) -> None:
    """PostgreSQL's rows are those of a JSON library, instants and unknown fields included."""
    names = ("id", "amount", "type", "currency", "narration", "category", "balance")
    for stored, sent in zip(read_back(connection, rows_json), json.loads(rows_json, **EXACTLY), strict=True):
        assert stored[:7] == [sent[name] for name in names]
        assert stored[7] == datetime.fromisoformat(sent["date"])
        assert json.loads(stored[8] or "null", **EXACTLY) == sent.get("extra")


@pytest.mark.parametrize(
    "value",
    ["0e999", "0e-999", "-0.0", "1e308", "1e-308", "5e-324", "9" * 308, "0." + "1" * 998, "[" * 63 + "]" * 63, "1.10"],
)
def test_an_unknown_number_at_the_limit_is_one_postgresql_holds(
    connection: pg8000.native.Connection, value: str
) -> None:
    """The limits of the wire lie within PostgreSQL's."""
    page = parse(page_of_text(json.dumps(row())[:-1] + f', "metadata": {value}}}'))
    assert page.row_count == 1
    assert_reads_the_same(connection, page.rows_json)


@pytest.mark.parametrize(
    "written",
    [
        "2025-06-18T07:02:34Z",
        "2025-06-18T22:59:59.999999999Z",
        "2026-05-16T00:00:00+01:00",
        "2026-05-16T00:00:00.123456-0930",
        "2026-05-16T00:00:00+14:59",
        "2026-05-16T00:00:00.1-00:00",
        "1990-01-01T00:00:00+01:00",
    ],
)
def test_every_form_of_an_instant_is_the_same_instant_to_postgresql(
    connection: pg8000.native.Connection, written: str
) -> None:
    """Text goes through, so that both must read it alike."""
    page = parse(page_of(row(date=written)))
    assert page.row_count == 1
    assert_reads_the_same(connection, page.rows_json)


# Reading changes nothing, so that examples may share the connection.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(body=mutated_bodies())
def test_whatever_lands_postgresql_reads(connection: pg8000.native.Connection, body: bytes) -> None:
    """Text, unknown fields and all, out of pages that were tampered with."""
    try:
        page = parse(body)
    except MonoUnintelligible:
        return
    assert_reads_the_same(connection, page.rows_json)
