"""Each role has its own limits, by the migrations alone: what a session sets would pin a proxy's connection."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from mono_pipeline.adapters.migrator import migrate
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from tests.integration.conftest import MIGRATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.postgres import PostgresServer

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def migrated(server: PostgresServer) -> Iterator[DatabaseAddress]:
    """A database made by the migrations, not copied: what belongs to a database is not copied with it."""
    name = f"limits_{uuid4().hex}"
    admin = Database(DatabaseAddress(host="127.0.0.1", port=server.port, database="postgres", user="postgres"))
    admin.rows(f"CREATE DATABASE {name}")
    migrate(server.url(name), MIGRATIONS)
    yield DatabaseAddress(host="127.0.0.1", port=server.port, database=name, user="postgres")
    admin.rows(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


@pytest.mark.parametrize(
    ("role", "statement", "lock", "idle"),
    [
        ("pipeline", "1min", "15s", "1min"),
        ("ops", "4min", "15s", "1min"),
        ("reader", "30s", "5s", "30s"),
        ("monitor", "10s", "2s", "10s"),
    ],
)
def test_a_role_is_limited(migrated: DatabaseAddress, role: str, statement: str, lock: str, idle: str) -> None:
    """In time, and in where it looks for names: nobody puts a table of theirs before ours."""
    database = Database(replace(migrated, user=role))
    limits = {
        name: database.rows(f"SHOW {name}")[0][name]
        for name in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "search_path")
    }
    database.close()

    assert list(limits.values()) == [statement, lock, idle, "public, pg_temp"]
