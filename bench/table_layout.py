"""The table of transactions in one of two layouts, filled by PostgreSQL itself: one table, or partitions by account.

The table is that of the migrations. Indexes, constraints, triggers and views are read from the catalogue before it
makes way, and are made again from that text once the rows are in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.postgres import Database

ROWS_PER_ACCOUNT: Final = 1_000
HISTORY_ROWS: Final = (
    700  # landed in one go when the account was linked; the others came two a day, between all others'
)
ROWS_A_DAY: Final = 2
FIRST_CAME: Final = datetime(2026, 1, 1, tzinfo=UTC)
NEW_ACCOUNTS: Final = 100  # linked, and nothing of them is stored yet; their ids come after all others'
_CHUNK: Final = 1_000_000
_PRIMARY_KEY: Final = "PRIMARY KEY (id)"
_PARTITIONED_KEY: Final = "PRIMARY KEY (account_id, id)"

_MAKES_WAY = """
ALTER TABLE bank_transactions RENAME TO as_migrated;
CREATE TABLE bank_transactions
  (LIKE as_migrated INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING STORAGE INCLUDING COMMENTS) {partitioned};
DROP TABLE as_migrated CASCADE
"""

_ACCOUNTS = """
INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, currency)
SELECT lpad(to_hex(n), 24, '0'), lpad(to_hex(n), 24, '0'), 'NGN' FROM generate_series(1, :accounts::bigint) n
"""

# Two rows a day, a credit and a debit that is one naira smaller: the running balance is known without adding up.
_ROWS = """
INSERT INTO bank_transactions
  (id, account_id, mono_transaction_id, amount_minor, direction, currency, narration, category, balance_after_minor,
   occurred_at, booking_date, occurred_text, changed_at, run_id)
OVERRIDING SYSTEM VALUE
SELECT n + 1, account, '68' || substr(md5(n::text), 1, 22),
       CASE WHEN nth % 2 = 0 THEN step ELSE step - 100 END, CASE WHEN nth % 2 = 0 THEN 'credit' ELSE 'debit' END, 'NGN',
       'NIP/KUDA/SANDBOX CUSTOMER/TRANSFER ' || n, CASE WHEN nth % 4 = 0 THEN 'transfer' END,
       1000000 + 100 * day + CASE WHEN nth % 2 = 0 THEN step ELSE 100 END,
       timestamptz '2025-02-15 23:00+00' + day * interval '1 day', date '2025-02-16' + day::int,
       (date '2025-02-15' + day::int)::text || 'T23:00:00.000Z',
       timestamptz '2026-01-01 00:00+00' + came * interval '1 second', md5((n / 1000)::text)::uuid
FROM (SELECT n, account, nth, nth / 2 AS day, 10000 + (account * 7919 + nth / 2 * 104729) % 1000003 AS step, came
        FROM (SELECT n,
                     CASE WHEN n < :first THEN n / :history ELSE (n - :first) / 2 % :accounts END + 1 AS account,
                     CASE WHEN n < :first THEN n % :history
                          ELSE :history + (n - :first) / (2 * :accounts) * 2 + n % 2 END AS nth,
                     CASE WHEN n < :first THEN n / :history * 86400 / :accounts
                          ELSE 86400 + (n - :first) / 2 * 86400 / :accounts END AS came
                FROM generate_series(:low, :high) n) placed) valued
"""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """`partitions` by hash of the account; 0 is one table, as the migrations have it."""

    partitions: int

    @property
    def name(self) -> str:
        """As the results call it."""
        return f"hash of {self.partitions}" if self.partitions else "one table"

    def statement(self, text: str) -> str:
        """A statement of the product as this layout needs it.

        The product's own finds the row to amend by its `id` alone. Without an index that begins with `id`, which a
        partitioned table cannot have as its key, that is a search through every partition: so it names the account too.
        """
        if not self.partitions:
            return text
        return text.replace("t.id = c.stored_id", "t.id = c.stored_id AND t.account_id = :account_id")


@dataclass(frozen=True, kw_only=True)
class _Dependents:
    constraints: list[str]
    unvalidated: list[str]
    indexes: list[str]
    triggers: list[str]
    views: list[str]
    references: list[str]


def fill(database: Database, layout: Layout, *, rows: int, progress: Callable[[str], None]) -> None:
    """Put `rows` transactions, a thousand an account, into a freshly migrated database.

    Checks are made again NOT VALID: they hold for what comes, and the rows that are there are not read once more.
    """
    dependents = _dependents(database, layout)
    accounts = rows // ROWS_PER_ACCOUNT
    numbers = {"accounts": accounts, "history": HISTORY_ROWS, "first": accounts * HISTORY_ROWS}
    with database.transaction():  # in the transaction that made the table: then its rows write no WAL
        _make_way(database, layout)
        database.rows(_ACCOUNTS, accounts=accounts + NEW_ACCOUNTS)
        for low in range(0, rows, _CHUNK):
            high = min(low + _CHUNK, rows) - 1
            bounds = {**numbers, "low": low, "high": high}
            database.rows(_inlined(_ROWS, bounds))
            progress(f"{high + 1:,} rows")
    for made in (dependents.constraints, dependents.indexes, dependents.unvalidated, dependents.triggers):
        for definition in made:
            database.rows(definition)
            progress(definition[:100])
    for definition in (*dependents.views, *dependents.references):
        database.rows(definition)
    database.rows("SELECT setval(pg_get_serial_sequence('bank_transactions', 'id'), :rows::bigint)", rows=rows)
    progress("vacuum")
    database.rows("VACUUM ANALYZE bank_transactions")
    database.rows("VACUUM ANALYZE bank_accounts")
    database.rows("CHECKPOINT")


def _inlined(statement: str, numbers: dict[str, int]) -> str:
    """With its numbers as constants, which is what folds them."""
    for name, number in numbers.items():
        statement = statement.replace(f":{name}", f"{number}::bigint")
    return statement


def _make_way(database: Database, layout: Layout) -> None:
    partitioned = "PARTITION BY HASH (account_id)" if layout.partitions else ""
    for statement in _MAKES_WAY.format(partitioned=partitioned).split(";"):
        database.rows(statement)
    for number in range(layout.partitions):
        database.rows(
            f"CREATE TABLE bank_transactions_{number} PARTITION OF bank_transactions "
            f"FOR VALUES WITH (MODULUS {layout.partitions}, REMAINDER {number})"
        )


def _dependents(database: Database, layout: Layout) -> _Dependents:
    """What the migrated table has, as statements, the widest index first: sorting it needs room beside the table."""
    constraints = database.rows(
        """SELECT conname AS name, contype AS kind, pg_get_constraintdef(oid) AS text FROM pg_constraint
           WHERE conrelid = 'bank_transactions'::regclass AND contype IN ('p', 'u', 'c') ORDER BY contype DESC"""
    )
    keys: list[str] = []
    checks: list[str] = []
    for row in constraints:
        text = row["text"]
        if row["kind"] == "p":
            if text != _PRIMARY_KEY:
                raise RuntimeError(f"the primary key is not the one this measurement knows: {text}")
            text = _PARTITIONED_KEY if layout.partitions else text
        added = f"ALTER TABLE bank_transactions ADD CONSTRAINT {row['name']} {text}"
        (checks if row["kind"] == "c" else keys).append(added + (" NOT VALID" if row["kind"] == "c" else ""))
    return _Dependents(
        constraints=keys,
        unvalidated=checks,
        indexes=_texts(
            database,
            """SELECT pg_get_indexdef(indexrelid) AS text FROM pg_index i
               WHERE indrelid = 'bank_transactions'::regclass
                 AND NOT EXISTS (SELECT FROM pg_constraint c
                                  WHERE c.conindid = i.indexrelid AND c.contype IN ('p', 'u'))""",
        ),
        triggers=_texts(
            database,
            """SELECT pg_get_triggerdef(oid) AS text FROM pg_trigger
               WHERE tgrelid = 'bank_transactions'::regclass AND NOT tgisinternal ORDER BY tgname""",
        ),
        views=_texts(
            database,
            """SELECT format('CREATE VIEW %I AS %s', viewname, definition) AS text FROM pg_views
               WHERE schemaname = 'public' AND definition LIKE '%bank_transactions%' ORDER BY viewname""",
        ),
        references=_texts(
            database,
            """SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
                             pg_get_constraintdef(oid)) AS text
               FROM pg_constraint WHERE confrelid = 'bank_transactions'::regclass AND contype = 'f' ORDER BY conname""",
        ),
    )


def _texts(database: Database, statement: str) -> list[str]:
    return [row["text"] for row in database.rows(statement)]
