"""Migrations: each file once, whoever runs them and however often; half of one never stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from local.postgres import PostgresServer
from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.migrator import migrate, migration_files, pending
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.core.errors import ConfigurationError
from mono_pipeline.core.verdict import VERIFIED
from tests.harness import Pipeline
from tests.monitoring_programs import lacks
from tests.postgres_versions import EARLIER, binaries

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

MIGRATIONS = Path(__file__).parents[2] / "migrations"


@pytest.fixture
def empty(server: PostgresServer) -> Iterator[DatabaseAddress]:
    """A database without a schema."""
    name = f"empty_{uuid4().hex}"
    admin = Database(DatabaseAddress(host="127.0.0.1", port=server.port, database="postgres", user="postgres"))
    admin.rows(f"CREATE DATABASE {name}")
    yield DatabaseAddress(host="127.0.0.1", port=server.port, database=name, user="postgres")
    admin.rows(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


def test_a_second_run_has_nothing_to_do(empty: DatabaseAddress) -> None:
    """Every file is applied once, in its order."""
    everything = tuple(file.stem for file in migration_files(MIGRATIONS))

    assert pending(empty.url, MIGRATIONS) == everything
    assert migrate(empty.url, MIGRATIONS) == everything
    assert pending(empty.url, MIGRATIONS) == ()
    assert migrate(empty.url, MIGRATIONS) == ()


def test_two_runners_at_once_apply_each_file_once(empty: DatabaseAddress) -> None:
    """The second waits for the first, and then finds nothing to do."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        applied = list(pool.map(lambda _: migrate(empty.url, MIGRATIONS), range(4)))

    everything = tuple(file.stem for file in migration_files(MIGRATIONS))
    assert sorted(applied) == [(), (), (), everything]


def test_an_interrupted_run_leaves_nothing_behind(empty: DatabaseAddress, tmp_path: Path) -> None:
    """A second file that is broken takes the first one back with it; put right, both are applied."""
    (tmp_path / "0001_pre_first.sql").write_text("CREATE TABLE first (id int);")
    broken = tmp_path / "0002_pre_second.sql"
    broken.write_text("CREATE TABLE second (id int); SELECT 1 / 0;")

    with pytest.raises(Exception, match="division by zero"):
        migrate(empty.url, tmp_path)

    assert _tables(empty) & {"first", "second"} == set()
    broken.write_text("CREATE TABLE second (id int);")
    assert migrate(empty.url, tmp_path) == ("0001_pre_first", "0002_pre_second")
    assert {"first", "second"} <= _tables(empty)


def test_before_a_deployment_trailing_post_files_wait(empty: DatabaseAddress, tmp_path: Path) -> None:
    """What only the new code can live with is applied after the old code is gone."""
    for name in ("0001_pre_one", "0002_post_two", "0003_pre_three", "0004_post_four"):
        (tmp_path / f"{name}.sql").write_text(f"CREATE TABLE t{name[:4]} (id int);")

    assert migrate(empty.url, tmp_path, phase="pre") == ("0001_pre_one", "0002_post_two", "0003_pre_three")
    assert pending(empty.url, tmp_path) == ("0004_post_four",)
    assert migrate(empty.url, tmp_path) == ("0004_post_four",)


def test_a_newer_database_is_left_as_it_is(empty: DatabaseAddress, tmp_path: Path) -> None:
    """A rollback deploys older files: they must not touch what is already beyond them."""
    for name in ("0001_pre_one", "0002_pre_two"):
        (tmp_path / f"{name}.sql").write_text(f"CREATE TABLE t{name[:4]} (id int);")
    migrate(empty.url, tmp_path)
    (tmp_path / "0002_pre_two.sql").unlink()

    assert migrate(empty.url, tmp_path) == ()


@pytest.mark.parametrize(
    "name", ["1_pre_short.sql", "0002_mid_phase.sql", "0002_pre_Capital.sql", "0002_pre_.sql", "0001_pre_again.sql"]
)
def test_a_file_that_is_not_named_as_agreed_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything is applied: a number used twice would be a matter of luck."""
    (tmp_path / "0001_pre_one.sql").write_text("")
    (tmp_path / name).write_text("")

    with pytest.raises(ConfigurationError):
        migration_files(tmp_path)


def test_a_folder_without_files_is_refused(tmp_path: Path) -> None:
    """An artifact that was built without them must not look like an up-to-date database."""
    with pytest.raises(ConfigurationError):
        migration_files(tmp_path)


def test_a_migration_waits_for_nobody_and_takes_no_longer_than_a_minute(empty: DatabaseAddress, tmp_path: Path) -> None:
    """What each file runs under: a lock that another holds is given up, so that readers never queue up behind it."""
    (tmp_path / "0001_pre_limits.sql").write_text(
        """CREATE TABLE limits AS
           SELECT current_setting('lock_timeout') AS lock, current_setting('statement_timeout') AS run"""
    )

    migrate(empty.url, tmp_path)

    assert _rows(empty, "SELECT * FROM limits") == [{"lock": "4s", "run": "1min"}]


def test_a_migration_that_finds_a_table_locked_gives_up_and_leaves_nothing(
    empty: DatabaseAddress, tmp_path: Path
) -> None:
    """A reader in a long transaction holds the table: the migration ends with an error, and goes through later."""
    (tmp_path / "0001_pre_first.sql").write_text("CREATE TABLE first (id int);")
    migrate(empty.url, tmp_path)
    (tmp_path / "0002_pre_second.sql").write_text("CREATE TABLE second (id int); ALTER TABLE first ADD name text;")
    reader = Database(empty)

    with reader.transaction():
        reader.rows("SELECT * FROM first")
        with pytest.raises(Exception, match="lock timeout"):
            migrate(empty.url, tmp_path)
    reader.close()

    assert "second" not in _tables(empty)
    assert migrate(empty.url, tmp_path) == ("0002_pre_second",)


@pytest.mark.parametrize("release", EARLIER)
def test_schema_and_engine_work_on_earlier_releases(release: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Migrated twice, and an account synced twice. `make postgres-test` runs all tests of the database on each."""
    programs = binaries(release)
    if programs is None:
        lacks(f"no PostgreSQL {release} here: make postgres")
    monkeypatch.setattr("local.postgres.SERVER", programs)
    with (
        TemporaryDirectory(prefix="mono-pipeline-") as folder,
        PostgresServer.start(Path(folder) / "earlier", settings={"fsync": "off"}) as earlier,
    ):
        address = DatabaseAddress(host="127.0.0.1", port=earlier.port, database="postgres", user="postgres")
        assert migrate(address.url, MIGRATIONS)
        assert migrate(address.url, MIGRATIONS) == ()
        pipeline = Pipeline(address, Sandbox(seed="earlier"))
        assert int(pipeline.rows("SHOW server_version_num")[0]["server_version_num"]) // 10_000 == release
        pipeline.rows("UPDATE provider_budget SET tokens = 3000")  # nobody sleeps here until a new bucket has filled
        account = pipeline.link(transactions=50, days=5)
        assert pipeline.sync(account).verdict == VERIFIED
        pipeline.sandbox.amend(account)
        assert pipeline.sync(account).verdict == VERIFIED
        assert pipeline.stored(account) == pipeline.truth(account)
        assert pipeline.tick().requested == 0
        pipeline.close()


def _tables(address: DatabaseAddress) -> set[str]:
    return {row["tablename"] for row in _rows(address, "SELECT tablename FROM pg_tables")}


def _rows(address: DatabaseAddress, statement: str) -> list[dict[str, Any]]:
    database = Database(address)
    try:
        return database.rows(statement)
    finally:
        database.close()
