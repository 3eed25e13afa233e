"""The database of a first deployment: the SQL of docs/deploy.md, then the migrations, and nobody is a superuser."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from local.postgres import PostgresServer
from mono_pipeline.adapters.migrator import migrate, migration_files
from mono_pipeline.adapters.postgres import Database, DatabaseAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "deploy.md").read_text()


@pytest.fixture(scope="module")
def rds() -> Iterator[PostgresServer]:
    """A server of its own (roles belong to a server) with what Amazon RDS has: the role `rds_iam`."""
    with (
        TemporaryDirectory(prefix="mono-pipeline-") as folder,
        PostgresServer.start(Path(folder) / "cluster", settings={"fsync": "off"}) as server,
    ):
        yield server


@contextmanager
def log_in(server: PostgresServer, user: str, database: str) -> Iterator[Database]:
    """A connection."""
    connection = Database(DatabaseAddress(host="127.0.0.1", port=server.port, database=database, user=user))
    yield connection
    connection.close()


def test_the_guide_s_owner_can_migrate_and_every_role_comes_in_by_iam(rds: PostgresServer) -> None:
    """Neither a superuser nor a password is needed, from nothing to the newest schema.

    The master of Amazon RDS is no superuser either: it makes roles and databases, and may let others into `rds_iam`.
    """
    (written,) = re.findall(r"```sql\n(.*?)```", GUIDE, re.DOTALL)
    with log_in(rds, "postgres", "postgres") as provider:
        for statement in (
            "CREATE ROLE rds_iam",
            "CREATE ROLE master LOGIN CREATEROLE CREATEDB",
            "GRANT rds_iam TO master WITH ADMIN OPTION, INHERIT FALSE, SET FALSE",
        ):
            provider.rows(statement)
    with log_in(rds, "master", "postgres") as master:
        for statement in filter(str.strip, written.replace("postgres", "master").split(";")):
            master.rows(statement)
        given = master.rows(
            "SELECT FROM pg_auth_members WHERE roleid = 'pipeline_owner'::regrole AND member = 'master'::regrole "
            "AND grantor = 'master'::regrole"
        )
    assert given == [], "the master stays a member of a role that comes in by tokens alone"

    url = f"postgresql://pipeline_owner@127.0.0.1:{rds.port}/mono_pipeline"
    applied = migrate(url, ROOT / "migrations")

    assert len(applied) == len(migration_files(ROOT / "migrations"))
    with log_in(rds, "postgres", "postgres") as master:
        members = master.rows(
            "SELECT member::regrole::text AS role FROM pg_auth_members WHERE roleid = 'rds_iam'::regrole"
        )
        powerful = master.rows("SELECT rolname FROM pg_roles WHERE rolsuper AND rolname <> 'postgres'")
    assert {row["role"] for row in members} >= {"pipeline", "ops", "reader", "monitor", "pipeline_owner"}
    assert powerful == []
    with log_in(rds, "ops", "mono_pipeline") as ops:
        assert ops.rows("SHOW statement_timeout") == [{"statement_timeout": "4min"}]
