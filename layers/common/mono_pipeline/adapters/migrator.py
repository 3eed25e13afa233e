"""Applies the numbered SQL files of a folder, in order, once each, with Alembic keeping the books.

Files are named `NNNN_pre_what.sql` (before the new code is live) or `NNNN_post_what.sql` (after the old code is gone).
Only the ops function and the local stack have Alembic and SQLAlchemy; nothing else imports this module.
"""

from __future__ import annotations

import re
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Literal, override

from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from mono_pipeline.core.errors import ConfigurationError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from alembic.runtime.migration import RevisionStep
    from sqlalchemy.engine import Connection, Engine

Phase = Literal["pre", "all"]

_FILE_NAME = re.compile(r"(?P<number>\d{4})_(?P<phase>pre|post)_[a-z0-9_]+\.sql")
# Any number that nothing else in the database uses; it makes runners queue up behind each other.
_ADVISORY_LOCK = 7_218_402_113


class SqlScripts(ScriptDirectory):
    """The SQL files of a folder as Alembic revisions: the number is the revision, the order is the chain."""

    def __init__(self, folder: Path) -> None:
        self.files = migration_files(folder)
        super().__init__(str(folder))

    @override
    def _load_revisions(self) -> Iterator[Script]:
        previous: str | None = None
        for file in self.files:
            module = ModuleType(file.stem)
            module.__doc__ = file.stem
            module.revision = _number(file)  # type: ignore[attr-defined]  # what Alembic reads from a revision's module
            module.down_revision = previous  # type: ignore[attr-defined]
            module.upgrade = partial(_execute, file)  # type: ignore[attr-defined]
            previous = _number(file)
            yield Script(module, previous, str(file))


def migration_files(folder: Path) -> list[Path]:
    """The SQL files of `folder` in their order; a name that is not of the form, or a number used twice, is an error."""
    files = sorted(folder.glob("*.sql"))
    numbers = [_number(file) for file in files]
    for file in files:
        if not _FILE_NAME.fullmatch(file.name) or numbers.count(_number(file)) > 1:
            raise ConfigurationError(file.name, "a migration is named NNNN_pre_what.sql or NNNN_post_what.sql, once")
    if not files:
        raise ConfigurationError(str(folder), "holds no migrations")
    return files


def migrate(
    url: str, folder: Path, *, phase: Phase = "all", ssl_context: ssl.SSLContext | None = None
) -> tuple[str, ...]:
    """Bring the database at `url` (postgresql://...) to the newest schema and return the names of what was applied.

    `phase="pre"` stops before trailing post-deploy files. Everything pending is applied in one transaction, so that an
    interrupted run leaves nothing behind; a second runner waits, and then finds nothing to do.
    """
    scripts = SqlScripts(folder)
    with _engine(url, ssl_context).begin() as connection:
        _queue_up(connection)
        return _apply(connection, scripts, _target(scripts.files, phase))


def pending(url: str, folder: Path, *, ssl_context: ssl.SSLContext | None = None) -> tuple[str, ...]:
    """The names of the files that the database at `url` does not have yet."""
    scripts = SqlScripts(folder)
    with _engine(url, ssl_context).connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision() or ""
    return tuple(file.stem for file in scripts.files if _number(file) > current)


def _engine(url: str, ssl_context: ssl.SSLContext | None) -> Engine:
    # pg8000's own default would verify nothing and fall back to plain text, so it is told either way.
    return create_engine(
        url.replace("postgresql://", "postgresql+pg8000://", 1),
        connect_args={"ssl_context": ssl_context or False},
        poolclass=NullPool,
    )


def _queue_up(connection: Connection) -> None:
    """Wait for another runner as long as it may take, then never wait long for anybody else's lock."""
    for statement in (
        "SET LOCAL search_path = public",
        "SET LOCAL statement_timeout = '60s'",
        f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})",
        "SET LOCAL lock_timeout = '4s'",
    ):
        connection.exec_driver_sql(statement)


def _target(files: list[Path], phase: Phase) -> str:
    """The revision to stop at: the last one, or before deployment the last that is not trailing post files."""
    numbers = [_number(file) for file in files if phase == "all" or "_pre_" in file.name]
    return numbers[-1] if numbers else ""


def _apply(connection: Connection, scripts: SqlScripts, target: str) -> tuple[str, ...]:
    applied: list[str] = []

    def steps(heads: tuple[str, ...], _context: MigrationContext) -> list[RevisionStep]:
        current = max(heads, default="")
        if target <= current:  # a database that is newer than these files is left as it is
            return []
        applied.extend(file.stem for file in scripts.files if current < _number(file) <= target)
        return scripts._upgrade_revs(target, current or "base")  # noqa: SLF001 - what alembic.command.upgrade calls

    MigrationContext.configure(connection, opts={"fn": steps}).run_migrations(connection=connection)
    return tuple(applied)


def _execute(file: Path, connection: Connection) -> None:
    """Run a whole file: only the simple query protocol takes several statements at once."""
    driver = connection.connection.driver_connection
    driver.execute_simple(file.read_text())  # type: ignore[union-attr]  # pg8000's own connection, untyped


def _number(file: Path) -> str:
    return file.name[:4]
