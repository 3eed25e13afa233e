"""A real PostgreSQL for a test run, and a database of its own for each test."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from local.postgres import PostgresServer
from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.migrator import migrate
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from tests.harness import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIGRATIONS = Path(__file__).parents[2] / "migrations"
_TEMPLATE = "pipeline_template"
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """One server for all tests of a process.

    Not below pytest's own folder: each new pytest on the machine closes that to all but its owner, and PostgreSQL,
    which root hands to another user, would lose its files in the middle of a test.
    """
    with (
        TemporaryDirectory(prefix="mono-pipeline-") as folder,
        PostgresServer.start(Path(folder) / "cluster", settings=_FAST) as started,
    ):
        yield started


@pytest.fixture(scope="session")
def template(server: PostgresServer) -> str:
    """A database at the newest schema, to be copied."""
    _sql(server, f"CREATE DATABASE {_TEMPLATE}")
    migrate(server.url(_TEMPLATE), MIGRATIONS)
    # as in a database in use: a rate budget begins empty, and no test really sleeps until it has filled
    database = Database(database_address(server, _TEMPLATE))
    database.rows("UPDATE provider_budget SET refilled_at = refilled_at - interval '1 hour'")
    database.close()
    return _TEMPLATE


@pytest.fixture
def address(server: PostgresServer, template: str) -> Iterator[DatabaseAddress]:
    """A fresh copy of the template for one test."""
    name = f"test_{uuid4().hex}"
    _sql(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield database_address(server, name)
    _sql(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def new_pipeline(address: DatabaseAddress) -> Iterator[Callable[..., Pipeline]]:
    """Makes a pipeline with settings of the test's choice."""
    made: list[Pipeline] = []

    def make(*, sandbox: Sandbox | None = None, **settings: object) -> Pipeline:
        made.append(Pipeline(address, sandbox or Sandbox(seed="integration"), **settings))
        return made[-1]

    yield make
    for pipeline in made:
        pipeline.close()


@pytest.fixture
def pipeline(new_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """A pipeline with the usual settings."""
    return new_pipeline()


def database_address(server: PostgresServer, name: str) -> DatabaseAddress:
    """Where a database of the test server is."""
    return DatabaseAddress(host="127.0.0.1", port=server.port, database=name, user="postgres")


def _sql(server: PostgresServer, statement: str) -> None:
    database = Database(database_address(server, "postgres"))
    database.rows(statement)
    database.close()
