"""A small typed face over pg8000, which is untyped; nothing else imports it.

One `Database` is one connection, made when first needed and kept while the Lambda environment is warm. A connection
that failed in any way is dropped, never reused: after a read timeout pg8000's socket is poisoned for good.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from pg8000 import converters, native
from pg8000.exceptions import DatabaseError as ServerError
from pg8000.exceptions import InterfaceError

from mono_pipeline.adapters.extended_query import ExtendedQuery
from mono_pipeline.core.discreet import Discreet
from mono_pipeline.core.errors import DatabaseUnavailable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

type Row = dict[str, Any]

# SQLSTATE classes that say "not now": connection, resources, operator intervention, transaction state, and a kept
# statement that whoever stands between us and the server has forgotten.
_PASSING_CLASSES = ("08", "53", "57", "25", "26")
_PASSING_STATES = {"40001", "40P01", "55P03"}
_CONNECTION_SPENT = ("08", "57", "25", "26")
# Where the server finds that a kept statement's columns have another type since. It has no SQLSTATE of its own.
_KEPT_PLAN_IS_OF_BEFORE = "RevalidateCachedQuery"
_KEPT_PLAN = "-- plan: kept\n"


class StatementRefused(Exception):
    """PostgreSQL refused a statement: a constraint, a right, a type. A defect of ours, not an outage."""

    def __init__(self, sqlstate: str, message: str, constraint: str | None) -> None:
        """`constraint` is the violated one's name, where there is one."""
        super().__init__(f"{sqlstate}: {message}")
        self.sqlstate = sqlstate
        self.constraint = constraint


class DatabaseAddress(Discreet, frozen=True, kw_only=True):
    """Where PostgreSQL is and how to get in. `ssl_context` None means plain text: only for a local server."""

    hidden = frozenset({"password"})

    host: str
    port: int
    database: str
    user: str
    password: Callable[[], str] | None = None  # called at each connect: an IAM token ages
    ssl_context: ssl.SSLContext | None = None
    timeout_seconds: float = 30.0

    @property
    def url(self) -> str:
        """As `postgresql://user:password@host:port/database`, for the migrator. Holds the password: never log it."""
        password = f":{quote(self.password(), safe='')}" if self.password else ""
        return f"postgresql://{quote(self.user, safe='')}{password}@{self.host}:{self.port}/{self.database}"


class _Prepared(NamedTuple):
    text: str
    values: Callable[[dict[str, Any]], tuple[Any, ...]]
    keep: bool


class Database:
    """One connection to PostgreSQL. Not for use by two threads at once."""

    def __init__(self, address: DatabaseAddress) -> None:
        self._address = address
        self._connection: Any = None
        self._query: ExtendedQuery | None = None
        self._to_begin = False
        self._in_transaction = False

    def rows(self, statement: str, **parameters: Any) -> list[Row]:
        """Run `statement` (`:name` placeholders) and return its rows. Raises DatabaseUnavailable or StatementRefused.

        One that says `-- plan: kept` is parsed and planned once a connection, for any values: only where no value could
        ask for another plan. Outside a transaction a statement must be safe to run twice, which happens when a kept
        connection was closed; the first one of a transaction always is.
        """
        if self._connection is None or self._in_transaction:
            return self._execute(statement, parameters)
        try:
            return self._execute(statement, parameters)
        except _ConnectionWasStale:
            # A frozen environment thaws with a connection that the server closed long ago. Nobody can tell it from one
            # that was cut while the statement ran: hence safe to run twice.
            return self._execute(statement, parameters)

    def row(self, statement: str, **parameters: Any) -> Row | None:
        """The first row of `statement`, or None."""
        found = self.rows(statement, **parameters)
        return found[0] if found else None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside commits together or not at all. No HTTP call may be made inside.

        It begins with its first statement, in the same round trip.
        """
        self._to_begin = True
        try:
            yield
        except BaseException:
            begun, self._to_begin, self._in_transaction = self._in_transaction, False, False
            if begun:
                self._roll_back()
            raise
        try:
            if self._in_transaction:
                # cut off, it may be done all the same: never taken for a statement on a stale connection
                self._execute("COMMIT", {})
        finally:
            self._to_begin = self._in_transaction = False

    def close(self) -> None:
        """Drop the connection; the next statement makes a new one."""
        connection, self._connection, self._query = self._connection, None, None
        if connection is not None:
            try:
                connection.close()
            except (InterfaceError, OSError):
                return  # already gone, which is what was asked

    def _roll_back(self) -> None:
        if self._connection is None:
            return
        try:
            self._execute("ROLLBACK", {})
        except DatabaseUnavailable:
            self.close()  # the server rolls back what a lost connection left open

    def _execute(self, statement: str, parameters: dict[str, Any]) -> list[Row]:
        prepared = _prepare(statement)
        values = prepared.values(parameters)
        fresh = self._connection is None
        if fresh:
            if self._in_transaction:  # the rest of it must not go through by itself
                raise DatabaseUnavailable("PostgreSQL cut the connection in this transaction")
            self._connect()
        try:
            context = self._exchange(prepared, values)
        except (InterfaceError, OSError) as error:
            self.close()
            if not fresh and not self._in_transaction and _closed_before_use(error):
                raise _ConnectionWasStale from error
            raise DatabaseUnavailable(f"PostgreSQL cut the connection: {type(error).__name__}") from error
        except ServerError as error:
            self._begun()
            raise self._translated(error) from error
        except BaseException:
            self.close()  # half an exchange is on its way
            raise
        self._begun()
        names = [column["name"] for column in context.columns or ()]
        return [dict(zip(names, values, strict=True)) for values in context.rows or ()]

    def _exchange(self, prepared: _Prepared, values: tuple[Any, ...]) -> Any:
        if values and self._query is not None:
            return self._query.run(prepared.text, values, keep=prepared.keep, begin=self._to_begin)
        if self._to_begin:
            self._connection.execute_simple("BEGIN")
        return self._connection.execute_simple(prepared.text)

    def _begun(self) -> None:
        if self._to_begin:
            self._to_begin, self._in_transaction = False, True

    def _connect(self) -> None:
        where = self._address
        try:
            self._connection = native.Connection(
                where.user,
                host=where.host,
                port=where.port,
                database=where.database,
                password=where.password() if where.password else None,
                # pg8000's default verifies nothing and falls back to plain text, so it is told either way
                ssl_context=where.ssl_context or False,
                timeout=where.timeout_seconds,
                application_name="mono-pipeline",
            )
        except (InterfaceError, ServerError, OSError) as error:
            problem = f"cannot connect to PostgreSQL at {where.host}:{where.port} as {where.user}: {_reason(error)}"
            raise DatabaseUnavailable(problem) from error
        self._connection.register_in_adapter(converters.TIMESTAMPTZ, _instant)
        self._connection.register_in_adapter(converters.DATE, _day)
        self._query = ExtendedQuery(self._connection)

    def _translated(self, error: ServerError) -> Exception:
        details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        state, message = str(details.get("C", "?????")), str(details.get("M", error))
        of_before = details.get("R") == _KEPT_PLAN_IS_OF_BEFORE
        if of_before or state.startswith(_PASSING_CLASSES) or state in _PASSING_STATES:
            if of_before or state.startswith(_CONNECTION_SPENT):
                self.close()
            return DatabaseUnavailable(f"PostgreSQL: {state} {message}")
        return StatementRefused(state, message, details.get("n"))


class _ConnectionWasStale(DatabaseUnavailable):
    """A kept connection was found closed by its first use."""


def _closed_before_use(error: Exception) -> bool:
    """Whether the server had gone before this statement could reach it; a timeout may have reached it."""
    return not isinstance(error, TimeoutError)


def _instant(text: str) -> Any:
    """A timestamptz as the server spells it, read in a fiftieth of the time of pg8000's strptime."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # infinity, and years that Python does not know
        return converters.timestamptz_in(text)


def _day(text: str) -> Any:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return converters.date_in(text)


def _reason(error: Exception) -> str:
    details = error.args[0] if error.args else ""
    return str(details.get("M", "refused")) if isinstance(details, dict) else type(error).__name__


@cache
def _prepare(statement: str) -> _Prepared:
    """`:name` placeholders as pg8000 wants them. Cached: pg8000 reads a statement one character at a time in Python."""
    text, values = native.to_statement(statement)
    return _Prepared(text, values, _KEPT_PLAN in text)
