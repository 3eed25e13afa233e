"""Transactions in PostgreSQL: a flush lands rows and digest together; a pass is checked against the tables."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mono_pipeline.adapters.extended_query import EncodedText
from mono_pipeline.adapters.postgres import StatementRefused
from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.completeness import PassTotals
from mono_pipeline.core.errors import LeaseLost
from mono_pipeline.core.run import RowCounts
from mono_pipeline.core.verdict import DifferingDay

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from mono_pipeline.adapters.postgres import Database, Row
    from mono_pipeline.adapters.run_store import RunStore
    from mono_pipeline.core.run import LeasedRun
    from mono_pipeline.core.wire import TransactionPage

_SQL = statements("flush")


class PassReading(Struct, frozen=True, kw_only=True):
    """What a finished pass read; `newest_day` is None when it read no row."""

    totals: PassTotals
    newest_day: date | None


class TransactionStore:
    """The rows of `bank_transactions`, their superseded versions, quarantine, and the digests of the pass."""

    def __init__(self, database: Database, runs: RunStore) -> None:
        self._database = database
        self._runs = runs

    def flush(self, run: LeasedRun, pages: Sequence[TransactionPage]) -> RowCounts:
        """Land the rows of consecutive pages in one transaction. Raises LeaseLost with nothing written."""
        flush = _Flush.of(run, pages)
        try:
            written = self._commit(run, flush, pages, first=run.account.last_full_read_at is None)
        except StatementRefused as refused:
            if refused.constraint != "one_row_per_transaction":
                raise
            # of a first history nothing is stored yet, but for what an interrupted run left or a drifting page repeats
            written = self._commit(run, flush, pages, first=False)
        return _counts(pages, inserted=written["inserted"], updated=written["updated"])

    def remember(self, run: LeasedRun, totals: PassTotals, *, trusted: bool) -> None:
        """Keep what a complete pass landed, so that its rows are recognised when they come again unchanged.

        In the transaction that ends the run. A pass that showed an id twice is not kept: its last word on that row is
        not in each of its flushes. Where the tables cannot be `trusted` to hold what was landed, nothing is kept, and
        the next pass compares row by row.
        """
        if not trusted:
            self._database.rows(_SQL["forget_landed"], account_id=run.account.id)
        elif totals.rows_read == totals.distinct_rows:
            self._database.rows(
                _SQL["remember_landed"],
                account_id=run.account.id,
                run_id=run.run_id,
                pass_number=run.pass_number,
                everything=run.days is None,
            )

    def pass_reading(self, run: LeasedRun) -> PassReading:
        """The counts of the current pass over all its flushes. Raises LeaseLost where there is none any more.

        A pass that was read to its end has one at least, be it of an empty page: whoever took the account over has
        ended the run, or begun its next pass.
        """
        row = self._database.rows(_SQL["pass_totals"], run_id=run.run_id, pass_number=run.pass_number)[0]
        if row["highest_total"] is None:
            raise LeaseLost
        totals = PassTotals(
            rows_read=int(row["rows_read"]),
            distinct_rows=row["distinct_rows"],
            lowest_total=row["lowest_total"],
            highest_total=row["highest_total"],
        )
        return PassReading(totals=totals, newest_day=row["newest_day"])

    def agrees(self, run: LeasedRun) -> bool:
        """Whether the pass and the tables agree on the covered days, told by one sum over all of them."""
        row = self._database.rows(
            _SQL["agrees"],
            account_id=run.account.id,
            run_id=run.run_id,
            pass_number=run.pass_number,
            covered_start=run.days.start if run.days else None,
            covered_end=run.days.end if run.days else None,
        )[0]
        return bool(row["agrees"])

    def differing_days(self, run: LeasedRun, *, set_aside: Iterable[str]) -> list[DifferingDay]:
        """Covered days on which the pass and the tables, without the ids `set_aside`, do not agree."""
        rows = self._database.rows(
            _SQL["differing_days"],
            account_id=run.account.id,
            run_id=run.run_id,
            pass_number=run.pass_number,
            covered_start=run.days.start if run.days else None,
            covered_end=run.days.end if run.days else None,
            set_aside=list(set_aside),
        )
        return [_differing_day(row) for row in rows]

    def rows_outside(self, run: LeasedRun) -> int:
        """How many stored rows lie outside the days that the run covers."""
        row = self._database.rows(
            _SQL["rows_outside"],
            account_id=run.account.id,
            covered_start=run.days.start if run.days else None,
            covered_end=run.days.end if run.days else None,
        )[0]
        return int(row["rows"])

    def open_quarantine(self, run: LeasedRun, *, rows_read: int) -> int:
        """How many quarantined rows stand open, once those are closed that this pass of `rows_read` answers."""
        self._database.rows(
            _SQL["close_quarantined"],
            account_id=run.account.id,
            run_id=run.run_id,
            pass_number=run.pass_number,
            everything=run.days is None and rows_read > 0,  # an empty pass is evidence of nothing
        )
        return int(self._database.rows(_SQL["open_quarantine"], account_id=run.account.id)[0]["open"])

    def _commit(self, run: LeasedRun, flush: _Flush, pages: Sequence[TransactionPage], *, first: bool) -> Row:
        """How many rows were inserted and updated. With `first`, none of them is looked for among those stored."""
        with self._database.transaction():
            row_changes = self._runs.hold(run).row_changes
            if first:
                written = self._write("land_first_rows", flush, row_changes)
            else:
                written = self._recognised(flush, row_changes) or self._write("land_rows", flush, row_changes)
            self._quarantine(run, pages)
        return written

    def _recognised(self, flush: _Flush, row_changes: int) -> Row | None:
        """The same for rows of which it is known that they stand as they are; else None."""
        if flush.content is None:
            return None
        return self._database.row(
            _SQL["recognise_rows"], content=flush.content, row_changes=row_changes, **flush.parameters
        )

    def _write(self, statement: str, flush: _Flush, row_changes: int) -> Row:
        return self._database.rows(
            _SQL[statement], rows=flush.rows_json, content=flush.content, row_changes=row_changes, **flush.parameters
        )[0]

    def _quarantine(self, run: LeasedRun, pages: Sequence[TransactionPage]) -> None:
        rejected = [
            {"mono_transaction_id": row.mono_transaction_id, "reason": row.reason, "payload": row.payload}
            for page in pages
            for row in page.rejected
        ]
        if rejected:
            self._database.rows(
                _SQL["quarantine"], account_id=run.account.id, run_id=run.run_id, rejected=json.dumps(rejected)
            )


class _Flush(Struct, frozen=True, kw_only=True):
    """A flush as its statements take it. `content` is None where rows were rejected: it is never recognised."""

    rows_json: EncodedText
    content: bytes | None
    parameters: dict[str, Any]

    @classmethod
    def of(cls, run: LeasedRun, pages: Sequence[TransactionPage]) -> _Flush:
        rows, totals = _joined(pages), [page.total for page in pages]
        rejected = _rejected_keys(pages)
        return cls(
            rows_json=rows,
            content=None if rejected else _content(run.account.currency, rows),
            parameters={
                "account_id": run.account.id,
                "run_id": run.run_id,
                "covered_start": run.days.start if run.days else None,
                "covered_end": run.days.end if run.days else None,
                "pass_number": run.pass_number,
                "first_page": pages[0].number,
                "last_page": pages[-1].number,
                "rows_read": sum(page.seen for page in pages),
                "lowest_total": min(totals),
                "highest_total": max(totals),
                "pages": len(pages),
                "mono_total": totals[-1],
                "currency": run.account.currency,
                "rejected": json.dumps(rejected),
                "quarantined": len(rejected),
            },
        )


def _joined(pages: Sequence[TransactionPage]) -> EncodedText:
    """One JSON array of the arrays of several pages, joined as text: rows are never objects in Python here."""
    rows = ",".join(page.rows_json[1:-1] for page in pages if page.row_count)
    return EncodedText(f"[{rows}]".encode())


def _content(currency: str, rows: bytes) -> bytes:
    """What a flush is recognised by; a row without a currency has the account's."""
    content = sha256(currency.encode())
    content.update(rows)
    return content.digest()


def _rejected_keys(pages: Sequence[TransactionPage]) -> list[str]:
    """What tells quarantined rows apart when distinct rows are counted: id or raw row, and which of its kind."""
    keys: list[str] = []
    for page in pages:
        seen_on_page: dict[str, int] = {}
        for row in page.rejected:
            key = row.mono_transaction_id or row.payload
            seen_on_page[key] = seen_on_page.get(key, 0) + 1
            keys.append(f"rejected:{seen_on_page[key]}:{key}")
    return keys


def _counts(pages: Sequence[TransactionPage], *, inserted: int, updated: int) -> RowCounts:
    seen = sum(page.seen for page in pages)
    quarantined = sum(len(page.rejected) for page in pages)
    return RowCounts(
        seen=seen,
        inserted=inserted,
        updated=updated,
        unchanged=seen - quarantined - inserted - updated,
        quarantined=quarantined,
    )


def _differing_day(row: Row) -> DifferingDay:
    """Sums come as numeric because a day may exceed bigint; they are whole minor units all the same."""
    return DifferingDay(
        day=row["day"],
        bank_rows=row["bank_rows"],
        stored_rows=row["stored_rows"],
        bank_credits=int(row["bank_credits"]),
        stored_credits=int(row["stored_credits"]),
        bank_debits=int(row["bank_debits"]),
        stored_debits=int(row["stored_debits"]),
    )
