"""The facade over pg8000: a connection that failed is dropped, an outage is an outage, a refusal a refusal."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from copy import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from pg8000 import core

from local.postgres import PostgresServer
from mono_pipeline.adapters.extended_query import EncodedText
from mono_pipeline.adapters.postgres import Database, DatabaseAddress, StatementRefused
from mono_pipeline.core.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


@pytest.fixture
def database(address: DatabaseAddress) -> Iterator[Database]:
    """One connection."""
    connection = Database(address)
    yield connection
    connection.close()


@pytest.fixture
def admin(address: DatabaseAddress) -> Iterator[Database]:
    """Another one, to do harm with."""
    connection = Database(address)
    yield connection
    connection.close()


def test_a_connection_that_went_stale_between_two_statements_is_replaced(database: Database, admin: Database) -> None:
    """A frozen environment thaws with a connection that the server closed long ago: its caller notices nothing."""
    _end_session(admin, _session(database))

    assert database.rows("SELECT 1 AS one") == [{"one": 1}]


def test_a_transaction_on_a_stale_connection_begins_on_a_new_one(database: Database, admin: Database) -> None:
    """BEGIN is the first statement of an invocation as often as not."""
    _end_session(admin, _session(database))

    with database.transaction():
        assert database.rows("SELECT 1 AS one") == [{"one": 1}]


def test_a_transaction_begins_with_its_first_statement_and_none_without(database: Database) -> None:
    """Whether it has parameters or not."""
    with database.transaction():
        pass
    assert not _is_in_transaction(database)

    for parameters in ({}, {"one": 1}):
        with database.transaction():
            database.rows("SELECT :one::int AS one" if parameters else "SELECT 1 AS one", **parameters)
            assert _is_in_transaction(database)
        assert not _is_in_transaction(database)


def test_a_transaction_whose_first_statement_is_refused_is_rolled_back(database: Database) -> None:
    """It had begun all the same: nothing of what follows would be written else."""
    database.rows("CREATE TABLE kept (id int CHECK (id < 100))")

    with pytest.raises(StatementRefused), database.transaction():
        database.rows("INSERT INTO kept VALUES (:id)", id=100)
    database.rows("INSERT INTO kept VALUES (:id)", id=1)

    assert database.rows("SELECT id FROM kept") == [{"id": 1}]


def test_the_rest_of_a_transaction_does_not_go_through_by_itself(database: Database, admin: Database) -> None:
    """Even where somebody took no notice of the outage."""
    database.rows("CREATE TABLE kept (id int)")

    with pytest.raises(DatabaseUnavailable), database.transaction():  # noqa: PT012 - all of it is the transaction
        database.rows("INSERT INTO kept VALUES (:id)", id=1)
        _end_session(admin, _session(database))
        with pytest.raises(DatabaseUnavailable):
            database.rows("INSERT INTO kept VALUES (:id)", id=2)
        database.rows("INSERT INTO kept VALUES (:id)", id=3)

    assert admin.rows("SELECT id FROM kept") == []
    assert database.rows("SELECT 1 AS one") == [{"one": 1}]


def test_a_connection_lost_in_a_transaction_is_an_outage_and_nothing_is_written(
    database: Database, admin: Database
) -> None:
    """Half of a transaction must never be run again on another connection."""
    database.rows("CREATE TABLE kept (id int)")

    with pytest.raises(DatabaseUnavailable), database.transaction():  # noqa: PT012 - all of it is the transaction
        database.rows("INSERT INTO kept VALUES (1)")
        _end_session(admin, _session(database))
        database.rows("INSERT INTO kept VALUES (2)")

    assert database.rows("SELECT * FROM kept") == []


def test_a_connection_lost_before_the_commit_is_an_outage(database: Database, admin: Database) -> None:
    """Whether it was committed is unknown: nobody may be told that it was."""
    database.rows("CREATE TABLE kept (id int)")

    with pytest.raises(DatabaseUnavailable), database.transaction():  # noqa: PT012 - all of it is the transaction
        database.rows("INSERT INTO kept VALUES (1)")
        _end_session(admin, _session(database))

    assert database.rows("SELECT * FROM kept") == []


def test_a_server_that_restarts_is_an_outage_and_then_there_again() -> None:
    """No connection is kept from before."""
    with (
        TemporaryDirectory(prefix="mono-pipeline-") as folder,
        PostgresServer.start(Path(folder) / "cluster", settings={"fsync": "off"}) as first,
    ):
        database = Database(DatabaseAddress(host="127.0.0.1", port=first.port, database="postgres", user="postgres"))
        assert database.rows("SELECT 1 AS one")
        first.stop("fast")
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                database.rows("SELECT 1 AS one")
        with PostgresServer.start(Path(folder) / "cluster", port=first.port, settings={"fsync": "off"}):
            assert database.rows("SELECT 1 AS one") == [{"one": 1}]
            database.close()


def test_a_timeout_drops_the_connection(address: DatabaseAddress) -> None:
    """After a read timeout its socket holds half an answer: the next statement gets a connection of its own."""
    database = Database(replace(address, timeout_seconds=0.5))
    before = _session(database)

    with pytest.raises(DatabaseUnavailable):
        database.rows("SELECT pg_sleep(30)")

    assert _session(database) != before
    database.close()


def test_a_timeout_is_not_run_again(address: DatabaseAddress, admin: Database) -> None:
    """It may have reached the server: only what surely did not is sent a second time."""
    admin.rows("CREATE SEQUENCE counted")
    database = Database(replace(address, timeout_seconds=0.5))
    database.rows("SELECT 1")

    with pytest.raises(DatabaseUnavailable):
        database.rows("SELECT nextval('counted'), pg_sleep(30)")

    assert admin.rows("SELECT last_value FROM counted") == [{"last_value": 1}]
    database.close()


def test_a_constraint_is_a_refusal_with_its_name(database: Database) -> None:
    """A defect of ours and no outage: it carries SQLSTATE and constraint, and the connection stays."""
    before = _session(database)

    with pytest.raises(StatementRefused) as refused:
        database.rows("INSERT INTO provider_budget (provider, tokens) VALUES ('mono', 1)")

    assert (refused.value.sqlstate, refused.value.constraint) == ("23505", "provider_budget_pkey")
    assert _session(database) == before


def test_a_refusal_in_a_transaction_takes_all_of_it_back(database: Database) -> None:
    """And the connection can be used on."""
    before = _session(database)
    database.rows("CREATE TABLE kept (id int PRIMARY KEY)")

    with pytest.raises(StatementRefused), database.transaction():  # noqa: PT012 - all of it is the transaction
        database.rows("INSERT INTO kept VALUES (1)")
        database.rows("INSERT INTO kept VALUES (1)")

    assert database.rows("SELECT * FROM kept") == []
    assert _session(database) == before


def test_any_exception_takes_a_transaction_back(database: Database) -> None:
    """Also one that has nothing to do with the database."""
    database.rows("CREATE TABLE kept (id int)")

    with pytest.raises(KeyboardInterrupt), database.transaction():  # noqa: PT012 - all of it is the transaction
        database.rows("INSERT INTO kept VALUES (1)")
        raise KeyboardInterrupt

    assert database.rows("SELECT * FROM kept") == []


@pytest.mark.parametrize("statement", ["SELECT 1 / 0", "SELECT nothing", "SELEC"])
def test_a_statement_that_is_wrong_is_a_refusal(database: Database, statement: str) -> None:
    """Retrying it would not help."""
    with pytest.raises(StatementRefused):
        database.rows(statement)


@pytest.mark.parametrize("state", ["40001", "40P01", "55P03", "57014", "53300"])
def test_what_passes_is_an_outage(database: Database, state: str) -> None:
    """Serialisation, deadlock, lock not to be had, cancelled, too many connections: later it works."""
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{state}'; END $$ "

    with pytest.raises(DatabaseUnavailable):
        database.rows(raising)

    assert database.rows("SELECT 1 AS one") == [{"one": 1}]


def test_nobody_listening_is_an_outage(address: DatabaseAddress) -> None:
    """So is a database that is not there, or a user who may not come in."""
    for where in (replace(address, port=1), replace(address, database="nowhere"), replace(address, user="nobody")):
        with pytest.raises(DatabaseUnavailable):
            Database(where).rows("SELECT 1")


def test_a_plain_server_is_refused_where_tls_is_asked_for(address: DatabaseAddress) -> None:
    """pg8000 by itself would go on in plain text."""
    demanding = replace(address, ssl_context=ssl.create_default_context())

    with pytest.raises(DatabaseUnavailable):
        Database(demanding).rows("SELECT 1")


def test_not_a_byte_of_the_user_or_password_goes_to_a_server_without_tls() -> None:
    """The server that answers `N` to the request for TLS has seen eight bytes, and sees no more."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering = threading.Thread(target=_refuse_tls, args=(listening, heard))
        answering.start()
        address = DatabaseAddress(
            host="127.0.0.1",
            port=listening.getsockname()[1],
            database="d",
            user="u",
            password=lambda: "secret",
            ssl_context=ssl.create_default_context(),
            timeout_seconds=5,
        )
        with pytest.raises(DatabaseUnavailable) as outage:
            Database(address).rows("SELECT 1")
        answering.join()

    assert heard == [struct.pack("!ii", 8, 80877103), b""]
    assert "secret" not in f"{outage.value!r} {address!r}"


def test_values_are_parameters_and_never_text(database: Database) -> None:
    """Whatever stands in a value."""
    wicked = "'; DROP TABLE bank_transactions; -- :other \\ $1 %s"

    assert database.row("SELECT :value::text AS value", value=wicked) == {"value": wicked}
    assert database.row("SELECT count(*) AS n FROM bank_transactions") == {"n": 0}


@pytest.mark.parametrize("parameters", [{}, {"value": "one"}])
def test_a_statement_is_one_round_trip(
    database: Database, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, str]
) -> None:
    """PostgreSQL is a network away: pg8000's own three trips would be most of the time of a small statement."""
    database.rows("SELECT 1")
    flush = Mock(wraps=core._flush)
    monkeypatch.setattr(core, "_flush", flush)

    assert len(database.rows(f"SELECT {':value::text' if parameters else '1'} AS value", **parameters)) == 1
    assert flush.call_count == 1


@pytest.mark.parametrize("times_before", [0, 1])
def test_a_transaction_begins_in_the_round_trip_of_its_first_statement(
    database: Database, monkeypatch: pytest.MonkeyPatch, times_before: int
) -> None:
    """Whether the statement is parsed there for the first time or kept; its end is a second one."""
    database.rows("CREATE TABLE kept (id int)")
    for number in range(times_before):
        database.rows(KEPT, id=number)
    flush = Mock(wraps=core._flush)
    monkeypatch.setattr(core, "_flush", flush)

    with database.transaction():
        assert database.rows(KEPT, id=7) == [{"id": 7}]

    assert flush.call_count == 2


def test_the_answer_to_an_interrupted_statement_is_not_taken_for_the_next_ones(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever ends the wait, Ctrl-C or a value that cannot be written, the connection is not used again."""
    database.rows("SELECT 1")
    with monkeypatch.context() as patched:
        patched.setattr(core.CoreConnection, "handle_messages", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            database.rows("SELECT :value::text AS value", value="of the first")

    assert database.rows("SELECT :value::text AS value", value="of the second") == [{"value": "of the second"}]


def _refuse_tls(listening: socket.socket, heard: list[bytes]) -> None:
    connection, _ = listening.accept()
    with connection:
        heard.append(connection.recv(1_024))
        connection.sendall(b"N")
        heard.append(connection.recv(1_024))


def _is_in_transaction(database: Database) -> bool:
    """An instant that goes by the transaction's beginning, and not by the statement's, stands still in one."""
    first, second = (database.rows("SELECT now() AS now")[0]["now"] for _ in range(2))
    return bool(first == second)


def _session(database: Database) -> int:
    return int(database.rows("SELECT pg_backend_pid() AS pid")[0]["pid"])


def _end_session(admin: Database, pid: int) -> None:
    """Wait until it is gone, so that its socket is closed when the next statement comes."""
    admin.rows("SELECT pg_terminate_backend(:pid::int, 5000)", pid=pid)


KEPT = """-- plan: kept
INSERT INTO kept VALUES (:id) RETURNING id"""


def test_a_statement_that_is_to_be_kept_is_parsed_once_a_connection(database: Database, admin: Database) -> None:
    """For other values and after a rollback too; the next connection knows nothing of it."""
    database.rows("CREATE TABLE kept (id int UNIQUE, CHECK (id < 100))")

    with pytest.raises(StatementRefused):  # a first time that fails is no first time
        database.rows(KEPT, id=100)
    found = [database.rows(KEPT, id=number) for number in (1, 2)]
    with pytest.raises(StatementRefused), database.transaction():
        database.rows(KEPT, id=1)
    found.append(database.rows(KEPT, id=3))

    assert found == [[{"id": 1}], [{"id": 2}], [{"id": 3}]]
    assert _parsed(database) == {"kept_1", "kept_2"}
    _end_session(admin, _session(database))
    assert database.rows(KEPT, id=4) == [{"id": 4}]
    assert _parsed(database) == {"kept_1"}


def test_a_kept_statement_that_somebody_forgot_is_an_outage_and_then_there_again(database: Database) -> None:
    """A proxy that resets sessions between two statements."""
    database.rows("CREATE TABLE kept (id int)")
    database.rows(KEPT, id=1)
    database.rows("DEALLOCATE ALL")

    with pytest.raises(DatabaseUnavailable):
        database.rows(KEPT, id=2)

    assert database.rows(KEPT, id=2) == [{"id": 2}]


def test_a_kept_statement_whose_columns_have_another_type_is_an_outage_and_then_there_again(
    database: Database, admin: Database
) -> None:
    """A migration between two statements of a warm environment."""
    database.rows("CREATE TABLE kept (id int)")
    database.rows(KEPT, id=1)
    admin.rows("ALTER TABLE kept ALTER COLUMN id TYPE text")

    with pytest.raises(DatabaseUnavailable):
        database.rows(KEPT, id=2)

    assert database.rows(KEPT, id="3") == [{"id": "3"}]


def test_what_the_server_cannot_do_is_a_refusal(database: Database) -> None:
    """It has the same SQLSTATE as a kept statement of before, and comes again for ever."""
    with pytest.raises(StatementRefused, match="0A000"):
        database.rows("SELECT count(*) FROM pg_class WHERE relname = :name FOR UPDATE", name="pg_class")


def test_text_that_is_encoded_already_arrives_as_the_text_itself(database: Database) -> None:
    """Rows of a flush are hashed and sent as the same bytes."""
    text = "₦ 1.000, Adébáyọ̀"

    asked = database.row("SELECT :a::text AS a, :b::text AS b", a=EncodedText(text.encode()), b=text)

    assert asked == {"a": text, "b": text}


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-01 16:53:00+00",
        "2026-12-01 16:53:00.123456+00",
        "2026-12-01 16:53:00.12+00",
        "0001-01-01 00:00:00+00",
        "9999-12-31 23:59:59.999999+00",
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Africa/Lagos", "Asia/Kolkata", "America/St_Johns"])
def test_an_instant_is_read_as_itself_in_any_zone_of_the_session(database: Database, text: str, zone: str) -> None:
    """Whatever the server's setting spells it as."""
    database.rows(f"SET TimeZone = '{zone}'")

    row = database.row(
        "SELECT :text::timestamptz AS at, extract(epoch FROM :text::timestamptz)::text AS seconds", text=text
    )

    assert row is not None
    if isinstance(row["at"], str):  # a year that Python does not know in this zone
        assert zone != "UTC"
        return
    seconds = (row["at"] - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert seconds == int(Decimal(row["seconds"]).scaleb(6))


@pytest.mark.parametrize("text", ["infinity", "-infinity", "10000-01-01", "0044-03-15 BC"])
@pytest.mark.parametrize("kind", ["date", "timestamptz"])
def test_a_day_or_instant_that_python_cannot_hold_is_its_text(database: Database, kind: str, text: str) -> None:
    """And no error, and no other day."""
    row = database.row(f"SELECT CAST(:text AS {kind}) AS told", text=text)

    assert row is not None
    assert isinstance(row["told"], str)
    assert row["told"].startswith(text[:5])


def test_a_day_is_a_date(database: Database) -> None:
    """And nothing with hours."""
    assert database.row("SELECT :day::date AS day", day="2026-02-28") == {"day": date(2026, 2, 28)}


def _parsed(database: Database) -> set[str]:
    return {row["name"] for row in database.rows("SELECT name FROM pg_prepared_statements")}
