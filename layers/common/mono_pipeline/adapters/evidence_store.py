"""What complete passes prove, in PostgreSQL: absences, suspicions of double ids, covered days, running balances."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.balance_chain import BalanceChain, ChainState, DayBalances, judge_chain
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.removal import MissingRow

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from mono_pipeline.adapters.postgres import Database, Row
    from mono_pipeline.core.run import LeasedRun
    from mono_pipeline.core.verdict import Verdict

_SQL = statements("evidence")


class PassExtent(Struct, frozen=True, kw_only=True):
    """`oldest_shown` is the oldest booking day of the pass, None when it showed no row; `covered_rows` are stored ones.

    `now` is the database's clock.
    """

    oldest_shown: date | None
    covered_rows: int
    now: datetime


class Questions(Struct, frozen=True, kw_only=True):
    """How many open questions an account has, of each kind."""

    suspicions: int
    removals: int
    quarantined: int


class EvidenceStore:
    """Everything here runs inside the transaction that ends a run, under its fence."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def questions(self, run: LeasedRun) -> Questions:
        """What stands open of the account."""
        return Questions(**self._database.rows(_SQL["open_questions"], account_id=run.account.id)[0])

    def extent(self, run: LeasedRun) -> PassExtent:
        """How far back the pass showed rows, and how many are stored on the days it covers."""
        row = self._database.rows(_SQL["pass_extent"], **_scope(run))[0]
        return PassExtent(oldest_shown=row["oldest_shown"], covered_rows=row["covered_rows"], now=row["now"])

    def missing(self, run: LeasedRun) -> list[MissingRow]:
        """Stored rows on covered days that the pass did not show."""
        return [
            MissingRow(
                mono_transaction_id=row["mono_transaction_id"],
                booking_date=row["booking_date"],
                first_missed_at=row["first_missed_at"],
                fresh_then=row["fresh_then"],
                came_broken=row["came_broken"],
            )
            for row in self._database.rows(_SQL["missing_rows"], **_scope(run))
        ]

    def forget_absences(self, run: LeasedRun, missing: Iterable[str]) -> None:
        """Clear the evidence against covered rows that are not among `missing`."""
        self._database.rows(
            _SQL["forget_absences"], account_id=run.account.id, missing=list(missing), **_days(run.days)
        )

    def note_absences(self, run: LeasedRun, missing: Iterable[str]) -> None:
        """Keep the first absence of each of `missing`."""
        self._database.rows(
            _SQL["note_absences"],
            account_id=run.account.id,
            run_id=run.run_id,
            missing=list(missing),
            fresh_as_of=run.account.fresh_as_of,
        )

    def disappear(self, run: LeasedRun, gone: Iterable[str]) -> int:
        """Supersede each of `gone` by a version that says that the bank no longer shows it; how many there were."""
        return len(
            self._database.rows(_SQL["disappear"], account_id=run.account.id, run_id=run.run_id, gone=list(gone))
        )

    def suspect_duplicates(self, run: LeasedRun, missing: Iterable[str]) -> int:
        """Pair missing rows with newly shown ones of the same fingerprint; how many suspicions were raised."""
        return len(
            self._database.rows(
                _SQL["suspect_duplicates"],
                account_id=run.account.id,
                run_id=run.run_id,
                pass_number=run.pass_number,
                missing=list(missing),
            )
        )

    def settle_twins(self, run: LeasedRun) -> None:
        """Drop suspicions whose two ids this pass shows: they are two transactions."""
        self._database.rows(
            _SQL["settle_twins"], account_id=run.account.id, run_id=run.run_id, pass_number=run.pass_number
        )

    def suspected(self, run: LeasedRun) -> set[str]:
        """The old ids of open suspicions."""
        rows = self._database.rows(_SQL["open_suspicions"], account_id=run.account.id)
        return {row["old_id"] for row in rows}

    def cover(self, run: LeasedRun, verdict: Verdict) -> None:
        """Enter the covered days in the ledger."""
        self._database.rows(
            _SQL["cover"], account_id=run.account.id, run_id=run.run_id, verdict=verdict.kind, **_days(run.days)
        )

    def chain(self, run: LeasedRun, *, closing: int | None) -> BalanceChain:
        """The running balances of the covered days, judged; `closing` (minor units) is where they should end, if known.

        The chain is nearly always as it should be, which takes a quarter of the time to see.
        """
        if closing is not None:
            scope = {"account_id": run.account.id, **_days(run.days)}
            found = self._database.rows(_SQL["chain_to"], closing=closing, **scope)[0]
            if found["holds"]:
                opening = _whole(found["opening"])
                return BalanceChain(
                    state=ChainState.HOLDS, opening=opening, closing=None if opening is None else closing
                )
        return judge_chain(self._balances(run, run.days))

    def chain_before(self, run: LeasedRun) -> BalanceChain:
        """The running balances of the days just before the covered ones, judged; no day at all holds.

        They reach back to the newest day that the pass did not read. The day in between was read too, more or less of
        it, and agrees with the covered ones whatever became of the days before it.
        """
        if run.days is None:
            return judge_chain([])
        read_from, last = run.days.widened(1).start, run.days.start - timedelta(days=1)
        row = self._database.rows(_SQL["day_before"], account_id=run.account.id, day=read_from)[0]
        return judge_chain(self._balances(run, DateWindow(start=row["day"] or last, end=last)))

    def _balances(self, run: LeasedRun, days: DateWindow | None) -> list[DayBalances]:
        """The running balances of each of `days` (None: every day) that has rows, oldest first."""
        rows = self._database.rows(_SQL["day_balances"], account_id=run.account.id, **_days(days))
        return [_day_balances(row) for row in rows]

    def ask_for_deep_read(self, run: LeasedRun) -> None:
        """Make the account's deep re-read due now."""
        self._database.rows(_SQL["ask_for_deep_read"], account_id=run.account.id)


def _day_balances(row: Row) -> DayBalances:
    return DayBalances(
        day=row["day"],
        rows=row["rows"],
        without=row["without"],
        loose_ends=row["loose_ends"],
        opening=_whole(row["opening"]),
        closing=_whole(row["closing"]),
    )


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _scope(run: LeasedRun) -> dict[str, Any]:
    return {
        "account_id": run.account.id,
        "run_id": run.run_id,
        "pass_number": run.pass_number,
        **_days(run.days),
    }


def _days(days: DateWindow | None) -> dict[str, date | None]:
    return {"covered_start": days.start if days else None, "covered_end": days.end if days else None}
