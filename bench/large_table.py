"""`python -m bench.large_table --rows 100000000`: the table of transactions when it is large, whole and partitioned.

A PostgreSQL of its own fills the migrated table by generate_series, a thousand rows an account, once as the
migrations have it and once PARTITION BY HASH (account_id), one after the other. Asked are the product's own
statements; their plans go to `.local/large_table_plans/`, the figures to `.local/large_table.json`. An amended row is
written with two fillfactors besides. 100 million rows take 37 GB and a few more while indexes are made; it stops where
less than 8 GB of the disk are left.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.amended_rows import amend
from bench.disk_watch import DiskWatch
from bench.table_layout import Layout, fill
from bench.table_questions import Questionnaire
from local.migrate import MIGRATIONS
from local.ports import LOOPBACK
from local.postgres import SUPERUSER, PostgresServer
from local.results import STATE, ResultRow, write_results
from mono_pipeline.adapters.migrator import migrate
from mono_pipeline.adapters.postgres import Database, DatabaseAddress

if TYPE_CHECKING:
    from collections.abc import Iterator

PLANS: Final = STATE / "large_table_plans"
DISK_RESERVE: Final = 8 * 10**9
AMENDED_OF: Final = 200_000
_SETTINGS: Final = {
    "fsync": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "maintenance_work_mem": "1GB",
    "shared_buffers": "4GB",
    "max_parallel_maintenance_workers": "2",
    "max_wal_size": "4GB",
    "TimeZone": "UTC",
}
_TABLES: Final = "SELECT oid FROM pg_class WHERE relkind = 'r' AND relname ~ '^bank_transactions(_[0-9]+)?$'"
_INDEXES: Final = f"""
SELECT substring(pg_get_indexdef(indexrelid) FROM 'USING btree (.*)$') AS of, sum(pg_relation_size(indexrelid)) AS size
FROM pg_index WHERE indrelid IN ({_TABLES}) GROUP BY 1 ORDER BY 1
"""  # noqa: S608 - of the line above
_PATIENCE: Final = 6 * 3600.0  # seconds that one statement may take


def main() -> None:
    """Fill, ask, write down; size by size and layout by layout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000_000], help="a thousand or more; several sizes")
    parser.add_argument("--partitions", type=int, default=64)
    parser.add_argument("--keep", type=Path, help="where the clusters go, and stay; else they are removed")
    asked = parser.parse_args()
    folder = asked.keep or STATE / "bench" / "large_table"
    results = fillfactors(folder / "amended", keep=asked.keep is not None)
    for rows in asked.rows:
        for layout in (Layout(partitions=0), Layout(partitions=asked.partitions)):
            results += measured(folder / f"{rows}-{layout.partitions}", layout, rows=rows, keep=asked.keep is not None)
            print(write_results("large_table", results), flush=True)


def measured(cluster: Path, layout: Layout, *, rows: int, keep: bool) -> list[ResultRow]:
    """All figures of one layout. Raises DiskNearlyFull; the cluster is gone then too."""
    key = f"{rows}.{layout.partitions}"
    with _cluster(cluster, keep=keep) as (database, server):
        began = time.monotonic()
        fill(database, layout, rows=rows, progress=lambda what: _say(f"{rows:,} {layout.name}: {what}", began))
        filled = time.monotonic() - began
        results = [
            ResultRow(id=f"{key}.fill", what=f"{layout.name}, {rows:,} rows: fill", value=round(filled), unit="s"),
            *(
                ResultRow(id=f"{key}.{part}", what=f"{layout.name}, {rows:,} rows: {part}", value=size, unit="bytes")
                for part, size in _sizes(database).items()
            ),
        ]
        _let_go_of_cached(server.data_dir)
        questionnaire = Questionnaire(database, layout, rows=rows)
        plans = []
        for question in questionnaire.questions():
            timing = questionnaire.ask(question)
            plans.append(f"-- {question.name}\n{timing.plan}\n")
            for kind, value in (("warm", timing.warm), ("scattered", timing.scattered)):
                what = f"{layout.name}, {rows:,} rows: {question.name}, {kind}"
                results.append(
                    ResultRow(id=f"{key}.{question.name}.{kind}", what=what, value=round(value, 2), unit="ms")
                )
            _say(f"{question.name}: {timing.scattered:.2f} ms scattered, {timing.warm:.2f} ms warm", began)
        if layout.partitions:
            for question in questionnaire.questions()[1:3]:
                told, plan = questionnaire.as_it_stands(question)
                plans.append(f"-- {question.name}, text as it stands\n{plan}\n")
                what = f"{layout.name}, {rows:,} rows: {question.name}, text as it stands"
                rounded = None if told is None else round(told, 2)
                results.append(ResultRow(id=f"{key}.{question.name}.as_it_stands", what=what, value=rounded, unit="ms"))
                _say(f"{question.name}: {rounded} ms, text as it stands", began)
        PLANS.mkdir(parents=True, exist_ok=True)
        (PLANS / f"{rows}-{layout.name.replace(' ', '_')}.txt").write_text("\n".join(plans))
    return results


def fillfactors(cluster: Path, *, keep: bool) -> list[ResultRow]:
    """What an amended row costs at fillfactor 100 and 90, with and without the index of changes."""
    with _cluster(cluster, keep=keep) as (database, _):
        fill(database, Layout(partitions=0), rows=AMENDED_OF, progress=lambda _: None)
        results = []
        for fillfactor in (100, 90):
            for feed in (True, False):
                told = amend(database, fillfactor=fillfactor, change_feed=feed)
                name = f"fillfactor {fillfactor}, {'with' if feed else 'without'} bank_transactions_changes"
                for figure, value, unit in told.figures():
                    row = ResultRow(
                        id=f"amended.{fillfactor}.{feed}.{figure}", what=f"{name}: {figure}", value=value, unit=unit
                    )
                    results.append(row)
                print(name, told)
        return results


@contextmanager
def _cluster(cluster: Path, *, keep: bool) -> Iterator[tuple[Database, PostgresServer]]:
    shutil.rmtree(cluster, ignore_errors=True)
    cluster.parent.mkdir(parents=True, exist_ok=True)
    try:
        with PostgresServer.start(cluster, settings=_SETTINGS) as server, DiskWatch(server, reserve=DISK_RESERVE):
            migrate(server.url(), MIGRATIONS)
            database = Database(
                DatabaseAddress(
                    host=LOOPBACK, port=server.port, database=SUPERUSER, user=SUPERUSER, timeout_seconds=_PATIENCE
                )
            )
            yield database, server
            database.close()
    finally:
        if not keep:
            shutil.rmtree(cluster, ignore_errors=True)
            cluster.with_name(f"{cluster.name}.log").unlink(missing_ok=True)


def _sizes(database: Database) -> dict[str, int]:
    """Bytes of the heap, and of each index over all partitions by the columns it is of."""
    heap = database.rows(f"SELECT sum(pg_relation_size(oid)) AS size FROM ({_TABLES}) t")[0]  # noqa: S608 - own text
    indexes = database.rows(_INDEXES)
    return {"table": int(heap["size"]), **{f"index {row['of']}": int(row["size"]) for row in indexes}}


def _let_go_of_cached(data_dir: Path) -> None:
    """Ask the kernel to forget the cluster's files (what is written already): then the first reads are the disk's."""
    for path in (data_dir / "base").rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def _say(what: str, began: float) -> None:
    print(f"{time.monotonic() - began:7.0f} s  {what}", flush=True)


if __name__ == "__main__":
    main()
