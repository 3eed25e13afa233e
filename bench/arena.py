"""The databases of a benchmark: a fresh one for each contestant and round on one server, and what it holds after."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.workload import Truth
from local.postgres import BIN
from local.results import ROOT
from mono_pipeline.adapters.migrator import migrate
from mono_pipeline.adapters.postgres import Database, DatabaseAddress

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.postgres import PostgresServer

# Merged tables that a second run must not write: the transactions and their history.
WRITE_ONCE: Final = ("bank_transactions", "bank_transaction_versions")


class Arena:
    """A server with default durability (fsync, synchronous commit)."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @contextmanager
    def database(self, name: str, *, schema: bool) -> Iterator[str]:
        """The URL of a fresh database, with our schema where asked (deployed beforehand), dropped afterwards."""
        self.rows("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.rows("postgres", f"CREATE DATABASE {name}")
        if schema:
            migrate(self._server.url(name), ROOT / "migrations")
        yield self._server.url(name).replace("postgres@", "postgres:trusted@")  # dlt insists on a password
        self.rows("postgres", f"DROP DATABASE {name} WITH (FORCE)")

    def settle(self, name: str) -> None:
        """Wait until nobody is connected to a database, and write out what is dirty: each run starts from the same."""
        busy = (
            f"SELECT count(*) AS n FROM pg_stat_activity WHERE datname = '{name}' AND backend_type = 'client backend'"  # noqa: S608 - our own name
        )
        while self.rows("postgres", busy)[0]["n"]:
            time.sleep(0.02)
        self.rows("postgres", "CHECKPOINT")

    def counted(self, name: str, statement: str) -> Truth:
        """What a contestant's tables come to."""
        row = self.rows(name, statement)[0]
        return Truth(rows=row["rows"], credits=row["credits"], debits=row["debits"])

    def rows_written(self, name: str) -> int:
        """Rows inserted, updated and deleted so far in the tables that are written once, by `pg_stat_user_tables`."""
        tables = ", ".join(f"'{table}'" for table in WRITE_ONCE)
        written = f"""SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint AS n
                      FROM pg_stat_user_tables WHERE relname IN ({tables})"""  # noqa: S608 - our own names
        return int(self.rows(name, written)[0]["n"])

    def pages_read(self, name: str) -> int:
        """Pages of transactions that our newest run of each account read."""
        newest = "SELECT DISTINCT ON (account_id) pages_read FROM sync_runs ORDER BY account_id, started_at DESC"
        return int(self.rows(name, f"SELECT coalesce(sum(pages_read), 0)::bigint AS n FROM ({newest}) r")[0]["n"])  # noqa: S608 - constant

    def copy_seconds(self, name: str, file: Path) -> float:
        """The limit of the store: seconds for one COPY of our rows into a table with the same indexes and constraints.

        `file` takes the rows in between.
        """
        psql = [str(BIN / "psql"), "--no-psqlrc", "-q", "-v", "ON_ERROR_STOP=1", self._server.url(name), "-c"]
        self.rows(name, "CREATE TABLE again (LIKE bank_transactions INCLUDING ALL)")
        self.rows(name, "ALTER TABLE again ADD FOREIGN KEY (account_id) REFERENCES bank_accounts (id)")
        self.rows(name, "ALTER TABLE again ALTER COLUMN id DROP IDENTITY")
        subprocess.run([*psql, f"\\copy bank_transactions TO {file}"], check=True)
        self.rows("postgres", "CHECKPOINT")
        began = time.perf_counter()
        subprocess.run([*psql, f"\\copy again FROM {file}"], check=True)
        return time.perf_counter() - began

    def rows(self, name: str, statement: str) -> list[dict[str, int]]:
        """Rows of one statement, on a connection of its own."""
        database = Database(
            DatabaseAddress(
                host="127.0.0.1", port=self._server.port, database=name, user="postgres", timeout_seconds=120
            )
        )
        try:
            return database.rows(statement)
        finally:
            database.close()
