"""Migrations: each file once, whoever runs them and however often; half of one never stays."""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from local.postgres import PostgresServer
from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.migrator import migrate, migration_files, pending
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.core.errors import ConfigurationError
from mono_pipeline.core.verdict import VERIFIED
from tests.harness import Pipeline

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


def test_schema_and_engine_work_on_postgresql_15(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest release that is supported, where this machine has one: migrated twice, and an account synced twice."""
    binaries = _postgresql_15()
    if binaries is None:
        pytest.skip("no PostgreSQL 15 on this machine")
    monkeypatch.setattr("local.postgres.BIN", binaries)
    with (
        TemporaryDirectory(prefix="mono-pipeline-") as folder,
        PostgresServer.start(Path(folder) / "fifteen", settings={"fsync": "off"}) as fifteen,
    ):
        address = DatabaseAddress(host="127.0.0.1", port=fifteen.port, database="postgres", user="postgres")
        assert migrate(address.url, MIGRATIONS)
        assert migrate(address.url, MIGRATIONS) == ()
        pipeline = Pipeline(address, Sandbox(seed="fifteen"))
        assert pipeline.rows("SHOW server_version_num")[0]["server_version_num"].startswith("15")
        pipeline.rows("UPDATE provider_budget SET tokens = 3000")  # nobody sleeps here until a new bucket has filled
        account = pipeline.link(transactions=50, days=5)
        assert pipeline.sync(account).verdict == VERIFIED
        pipeline.sandbox.amend(account)
        assert pipeline.sync(account).verdict == VERIFIED
        assert pipeline.stored(account) == pipeline.truth(account)
        assert pipeline.tick().requested == 0
        pipeline.close()


def _postgresql_15() -> Path | None:
    found = [Path("/usr/lib/postgresql/15/bin/postgres"), Path(shutil.which("postgres") or "/nowhere")]
    for program in found:
        if program.exists():
            told = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout  # noqa: S603
            if " 15." in told:
                return program.parent
    return None


def _tables(address: DatabaseAddress) -> set[str]:
    database = Database(address)
    try:
        return {row["tablename"] for row in database.rows("SELECT tablename FROM pg_tables")}
    finally:
        database.close()
