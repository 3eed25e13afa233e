"""What it costs to amend stored rows: whether the new version stays on the page, and in which indexes it is entered."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mono_pipeline.adapters.postgres import Database

ROUNDS: Final = 5
_EVERY: Final = 50  # a fiftieth of the rows is amended in a round: 2 %

_COPY = """
DROP TABLE IF EXISTS amended;
CREATE TABLE amended (LIKE bank_transactions INCLUDING ALL) WITH (fillfactor = {fillfactor}, autovacuum_enabled = off);
INSERT INTO amended OVERRIDING SYSTEM VALUE SELECT * FROM bank_transactions ORDER BY id;
{without}
VACUUM ANALYZE amended;
CHECKPOINT
"""
_WITHOUT_FEED = """
DO $$ BEGIN EXECUTE (SELECT 'DROP INDEX ' || indexrelid::regclass FROM pg_index
  WHERE indrelid = 'amended'::regclass AND pg_get_indexdef(indexrelid) LIKE '%(changed\\_at, id)'); END $$
"""
# the columns that land_rows sets
_AMEND = """
UPDATE amended SET amount_minor = amount_minor, direction = direction, currency = currency,
       narration = left(narration, 30) || ' REVERSED', category = category, balance_after_minor = balance_after_minor,
       occurred_at = occurred_at, booking_date = booking_date, occurred_text = occurred_text, extra = extra,
       disappeared_at = NULL, version = version + 1, changed_at = greatest(pipeline_now(), changed_at),
       run_id = gen_random_uuid()
WHERE id % :every::bigint = :nth::bigint
"""


@dataclass(frozen=True, kw_only=True)
class Amended:
    """`updates` rows amended, `hot` of them without a new index entry; sizes before and after in bytes."""

    updates: int
    hot: int
    table_before: int
    table_after: int
    indexes_before: int
    indexes_after: int
    wal: int
    seconds: float

    def figures(self) -> Iterator[tuple[str, float, str]]:
        """Name, value and unit."""
        yield "updates that were HOT", round(100 * self.hot / self.updates, 1), "%"
        yield "table before", self.table_before, "bytes"
        yield "table after", self.table_after, "bytes"
        yield "indexes before", self.indexes_before, "bytes"
        yield "indexes after", self.indexes_after, "bytes"
        yield "WAL for a row", round(self.wal / self.updates), "bytes"
        yield "time for a row", round(self.seconds / self.updates * 1e6, 1), "us"


def amend(database: Database, *, fillfactor: int, change_feed: bool) -> Amended:
    """Amend a tenth of a copy of the table, a fiftieth a round, and read PostgreSQL's own counts.

    Without `change_feed` the copy lacks the index on (changed_at, id).
    """
    without = "" if change_feed else _WITHOUT_FEED
    for statement in _COPY.format(fillfactor=fillfactor, without="--;").split(";\n"):
        if statement.startswith("--"):
            if without:
                database.rows(without)
        else:
            database.rows(statement)
    table_before, indexes_before = _sizes(database)
    wal_before, began = _wal(database), time.perf_counter()
    for nth in range(ROUNDS):
        database.rows(_AMEND.replace(":every", str(_EVERY)).replace(":nth", str(nth)))
    seconds, wal = time.perf_counter() - began, _wal(database) - wal_before
    database.rows("SELECT pg_stat_force_next_flush()")
    counts = database.rows("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'amended'")[0]
    table_after, indexes_after = _sizes(database)
    return Amended(
        updates=counts["n_tup_upd"],
        hot=counts["n_tup_hot_upd"],
        table_before=table_before,
        table_after=table_after,
        indexes_before=indexes_before,
        indexes_after=indexes_after,
        wal=wal,
        seconds=seconds,
    )


def _sizes(database: Database) -> tuple[int, int]:
    row = database.rows("SELECT pg_relation_size('amended') AS t, pg_indexes_size('amended') AS i")[0]
    return row["t"], row["i"]


def _wal(database: Database) -> int:
    return int(database.rows("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS bytes")[0]["bytes"])
