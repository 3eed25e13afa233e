"""What a sync, a verification and the platform ask of the table of transactions, timed and explained.

The statements are the product's own. Each is run in a transaction that is rolled back: the table is the same for all.
"""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from bench.table_layout import FIRST_CAME, HISTORY_ROWS, NEW_ACCOUNTS, ROWS_A_DAY, ROWS_PER_ACCOUNT
from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.table_layout import Layout
    from mono_pipeline.adapters.postgres import Database

REPETITIONS: Final = 31
_NEWEST_DAY: Final = "2026-06-30"
_DAILY: Final = (20, 100)  # new rows, and rows that are stored as they are
_NEVER_STORED: Final = 10**12  # rows are numbered from here, where no generated row is

# The platform's newest page: through the view that it is given, of one account.
NEWEST_PAGE: Final = """
SELECT * FROM canonical_bank_transactions WHERE mono_account_id = :mono_account_id
ORDER BY booking_date DESC, transaction_id LIMIT 100
"""
# The index bank_transactions_changes: "the platform polls changes in this order".
CHANGE_FEED: Final = """
SELECT * FROM bank_transactions WHERE (changed_at, id) > (:changed_at::timestamptz, :id::bigint)
ORDER BY changed_at, id LIMIT 1000
"""
_AS_THE_BANK_SHOWS_THEM = """
SELECT mono_transaction_id AS id, amount_minor AS amount, direction AS type, currency, narration, category,
       balance_after_minor AS balance, occurred_text AS date
FROM bank_transactions WHERE account_id = :account_id ORDER BY booking_date DESC, mono_transaction_id LIMIT :rows
"""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A statement, and what gives it its parameters for an account (1 to the number of accounts)."""

    name: str
    text: str
    parameters: Callable[[int], dict[str, Any]]
    counted: bool = False

    @property
    def timed(self) -> str:
        """`counted`: its rows are read and counted, not sent: what a client makes of them is not the table's."""
        if not self.counted:
            return self.text
        return f"SELECT count(answer) AS rows FROM ({self.text}) answer"  # noqa: S608 - this module's own text


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Medians in milliseconds: the same account again and again, and each time another one."""

    warm: float
    scattered: float
    plan: str


class Questionnaire:
    """All questions on one filled table."""

    def __init__(self, database: Database, layout: Layout, *, rows: int) -> None:
        self._database = database
        self._layout = layout
        self._rows = rows
        self._accounts = rows // ROWS_PER_ACCOUNT

    def questions(self) -> list[Question]:
        """In the order of a sync; then the platform's."""
        flush, evidence = statements("flush"), statements("evidence")
        return [
            Question(name="land_first_rows: 1,000 rows", text=flush["land_first_rows"], parameters=self._first_history),
            Question(name="land_rows: 20 new, 100 unchanged", text=flush["land_rows"], parameters=self._daily),
            Question(name="land_rows: 20 amended", text=flush["land_rows"], parameters=self._amended),
            Question(name="agrees: 1,000 rows", text=flush["agrees"], parameters=self._everything),
            Question(name="chain_to: 1,000 rows", text=evidence["chain_to"], parameters=self._chain),
            Question(name="newest page of 100", text=NEWEST_PAGE, parameters=_mono_account, counted=True),
            Question(name="change feed, 1,000 rows", text=CHANGE_FEED, parameters=self._place_in_feed, counted=True),
        ]

    def ask(self, question: Question, *, repetitions: int = REPETITIONS) -> Timing:
        """Scattered first, before anything is warm; the same accounts for each layout."""
        text = self._layout.statement(question.timed)
        chance = random.Random(question.name)  # noqa: S311 - which accounts are asked for is no secret
        accounts = [chance.randint(1, self._accounts) for _ in range(repetitions + 1)]
        scattered = median([self._milliseconds(text, question.parameters(one)) for one in accounts][1:])
        warm = median([self._milliseconds(text, question.parameters(accounts[0])) for _ in accounts][1:])
        explained = self._rolled_back(f"EXPLAIN (ANALYZE, BUFFERS, WAL) {text}", question.parameters(accounts[0]))[1]
        return Timing(warm=warm, scattered=scattered, plan=_plan(explained))

    def as_it_stands(self, question: Question) -> tuple[float | None, str]:
        """The product's own text on this layout: milliseconds, None where a minute did not do; and the plan."""
        parameters = question.parameters(self._accounts // 2)
        self._database.rows("SET statement_timeout = '60s'")
        milliseconds: float | None = None
        try:
            milliseconds = median(self._milliseconds(question.text, parameters) for _ in range(3))
        except DatabaseUnavailable as cancelled:
            if "57014" not in str(cancelled):  # query_canceled, by the timeout
                raise
        self._database.rows("RESET statement_timeout")
        return milliseconds, _plan(self._rolled_back(f"EXPLAIN {question.text}", parameters)[1])

    def answer(self, question: Question, account: int) -> list[dict[str, Any]]:
        """What the statement returns."""
        return self._rolled_back(self._layout.statement(question.text), question.parameters(account))[1]

    def _milliseconds(self, text: str, parameters: dict[str, Any]) -> float:
        return self._rolled_back(text, parameters)[0]

    def _rolled_back(self, text: str, parameters: dict[str, Any]) -> tuple[float, list[dict[str, Any]]]:
        self._database.rows("BEGIN")
        try:
            if "run_id" in parameters:
                self._database.rows(
                    """INSERT INTO sync_runs (run_id, account_id, kind, requested_by, correlation_id, started_at)
                       VALUES (:run_id::uuid, :account_id, 'full', 'bench', 'bench', pipeline_now())""",
                    run_id=parameters["run_id"],
                    account_id=parameters["account_id"],
                )
            began = time.perf_counter()
            rows = self._database.rows(text, **parameters)
            return (time.perf_counter() - began) * 1000, rows
        finally:
            self._database.rows("ROLLBACK")

    def _first_history(self, account: int) -> dict[str, Any]:
        """A thousand rows of an account of which nothing is stored."""
        account = self._accounts + 1 + account % NEW_ACCOUNTS
        first = _NEVER_STORED + account * ROWS_PER_ACCOUNT
        return _flush_of(account, [_new_row(number) for number in range(first, first + ROWS_PER_ACCOUNT)])

    def _daily(self, account: int) -> dict[str, Any]:
        new, unchanged = _DAILY
        first = _NEVER_STORED + account * ROWS_PER_ACCOUNT
        return _flush_of(
            account, [*map(_new_row, range(first, first + new)), *self._stored_rows(account, rows=unchanged)]
        )

    def _amended(self, account: int) -> dict[str, Any]:
        rows = self._stored_rows(account, rows=_DAILY[0])
        return _flush_of(account, [{**row, "narration": f"{row['narration']} REVERSED"} for row in rows])

    def _stored_rows(self, account: int, *, rows: int) -> list[dict[str, Any]]:
        return self._database.rows(_AS_THE_BANK_SHOWS_THEM, account_id=account, rows=rows)

    def _everything(self, account: int) -> dict[str, Any]:
        return {
            "account_id": account,
            "run_id": str(uuid4()),
            "pass_number": 1,
            "covered_start": None,
            "covered_end": None,
        }

    def _chain(self, account: int) -> dict[str, Any]:
        closing = 1_000_000 + 100 * ROWS_PER_ACCOUNT // 2
        return {"account_id": account, "covered_start": None, "covered_end": None, "closing": closing}

    def _place_in_feed(self, account: int) -> dict[str, Any]:
        """Where as many of the rows have come as the account has accounts before it."""
        share, histories = account / self._accounts, HISTORY_ROWS / ROWS_PER_ACCOUNT
        days = share / histories
        if share > histories:
            days = 1 + (share - histories) / (1 - histories) * (ROWS_PER_ACCOUNT - HISTORY_ROWS) / ROWS_A_DAY
        return {"changed_at": FIRST_CAME + timedelta(days=0.99 * days), "id": 0}


def _plan(explained: list[dict[str, Any]]) -> str:
    return "\n".join(str(next(iter(row.values()))) for row in explained)


def _mono_account(account: int) -> dict[str, Any]:
    return {"mono_account_id": f"{account:024x}"}


def _new_row(number: int) -> dict[str, Any]:
    return {
        "id": f"{number:024x}",
        "amount": 5_000,
        "type": "debit",
        "currency": "NGN",
        "narration": f"NIP/KUDA/SANDBOX CUSTOMER/TRANSFER {number}",
        "category": None,
        "balance": 1_000_000,
        "date": f"{_NEWEST_DAY}T23:00:00.000Z",
    }


def _flush_of(account: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "account_id": account,
        "run_id": str(uuid4()),
        "currency": "NGN",
        "rows": json.dumps(rows),
        "rejected": "[]",
        "pass_number": 1,
        "first_page": 1,
        "last_page": 10,
        "rows_read": len(rows),
        "lowest_total": len(rows),
        "highest_total": len(rows),
        "quarantined": 0,
        "pages": 10,
        "mono_total": len(rows),
        "content": None,
        "row_changes": 0,
        "covered_start": None,
        "covered_end": None,
    }
