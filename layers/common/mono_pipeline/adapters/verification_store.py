"""What the tables say of themselves, in PostgreSQL. Nothing here writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.adapters.evidence_store import Questions
from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.balance_chain import BalanceChain, DayBalances, judge_chain
from mono_pipeline.core.coverage import Stretch
from mono_pipeline.core.day_digest import DayDigest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from mono_pipeline.adapters.postgres import Database, Row
    from mono_pipeline.core.booking import DateWindow
    from mono_pipeline.core.run import Account

_SQL = statements("verification")
_EVIDENCE = statements("evidence")


class History(Struct, frozen=True, kw_only=True):
    """`older_versions` there are; `broken` transactions have gaps in theirs, `example` is one of them."""

    older_versions: int
    broken: int
    example: str | None


class Rebuilt(Struct, frozen=True, kw_only=True):
    """Live rows and their net sum (minor units) as the table holds them, and as the versions rebuild them."""

    held: tuple[int, int]
    rebuilt: tuple[int, int]


class VerificationStore:
    """Reads one account at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def standing_run(self, account: Account) -> Row | None:
        """The run whose verdict stands: the newest with one, unless it has not read what an older one found wrong."""
        return self._database.row(_SQL["standing_run"], account_id=account.id)

    def full_run(self, account: Account) -> Row | None:
        """The newest run with a verdict that read everything."""
        return self._database.row(_SQL["full_run"], account_id=account.id)

    def newest_end(self, account: Account) -> Row | None:
        """The newest run that ended."""
        return self._database.row(_SQL["newest_end"], account_id=account.id)

    def history(self, account: Account) -> History:
        """Whether every transaction's versions are 1..n without gaps."""
        row = self._database.rows(_SQL["history_gaps"], account_id=account.id)[0]
        return History(older_versions=row["older_versions"], broken=row["broken"], example=row["example"])

    def rebuilt(self, account: Account) -> Rebuilt:
        """The live rows, held and rebuilt."""
        row = self._database.rows(_SQL["rebuilt"], account_id=account.id, mono_account_id=account.mono_account_id)[0]
        return Rebuilt(
            held=(row["held_rows"], int(row["held_net"])), rebuilt=(row["rebuilt_rows"], int(row["rebuilt_net"]))
        )

    def questions(self, account: Account) -> Questions:
        """What stands open."""
        return Questions(**self._database.rows(_EVIDENCE["open_questions"], account_id=account.id)[0])

    def balance(self, account: Account) -> int | None:
        """The balance (minor units) that the newest run noted."""
        balance: int | None = self._database.rows(_SQL["stored_balance"], account_id=account.id)[0]["balance_minor"]
        return balance

    def chain(self, account: Account, days: DateWindow | None) -> BalanceChain:
        """The running balances of these days (None: every day), judged."""
        rows = self._database.rows(_EVIDENCE["day_balances"], account_id=account.id, **_covered(days))
        return judge_chain([_day_balances(row) for row in rows])

    def clock(self) -> tuple[date, datetime]:
        """Today in Lagos, and now."""
        row = self._database.rows(_SQL["today"])[0]
        return row["today"], row["now"]

    def coverage(self, account: Account, days: DateWindow, *, overlap_days: int) -> list[Stretch]:
        """Which of `days` were read, in stretches of one state, oldest first."""
        rows = self._database.rows(
            _SQL["coverage"],
            mono_account_id=account.mono_account_id,
            from_day=days.start,
            to_day=days.end,
            overlap_days=overlap_days,
        )
        return [
            Stretch(first=row["from_day"], last=row["to_day"], state=row["state"], oldest_read_at=row["read_at"])
            for row in rows
        ]

    def digest_of_rows(self, rows: str) -> dict[date, DayDigest]:
        """The digest per day of rows as pages have them (a JSON array as text)."""
        return {row["day"]: _digest(row) for row in self._database.rows(_SQL["digest_of_rows"], rows=rows)}

    def digest_of_stored(
        self, account: Account, days: DateWindow | None, *, set_aside: Iterable[str]
    ) -> dict[date, DayDigest]:
        """The digest per day of the stored rows, without the ids `set_aside`."""
        rows = self._database.rows(
            _SQL["digest_of_stored"], account_id=account.id, set_aside=list(set_aside), **_from_to(days)
        )
        return {row["day"]: _digest(row) for row in rows}

    def canonical_totals(self, account: Account, days: DateWindow | None) -> DayDigest:
        """Rows, credits and debits of what counts; no `weight`."""
        row = self._database.rows(_SQL["canonical_totals"], mono_account_id=account.mono_account_id, **_from_to(days))[
            0
        ]
        return DayDigest(rows=row["rows"], credits=int(row["credits"]), debits=int(row["debits"]))

    def undecided(self, account: Account) -> dict[str, str]:
        """Stored ids that the bank need not show, each with the reason."""
        return {row["id"]: row["reason"] for row in self._database.rows(_SQL["undecided"], account_id=account.id)}

    def shown_of(self, ids: Iterable[str], rows: str) -> list[str]:
        """Which of `ids` are in rows as pages have them."""
        return [row["id"] for row in self._database.rows(_SQL["undecided_in"], ids=list(ids), rows=rows)]


def _digest(row: Row) -> DayDigest:
    return DayDigest(
        rows=row["rows"], credits=int(row["credits"]), debits=int(row["debits"]), weight=int(row["weight"])
    )


def _day_balances(row: Row) -> DayBalances:
    return DayBalances(
        day=row["day"],
        rows=row["rows"],
        without=row["without"],
        loose_ends=row["loose_ends"],
        opening=None if row["opening"] is None else int(row["opening"]),
        closing=None if row["closing"] is None else int(row["closing"]),
    )


def _covered(days: DateWindow | None) -> dict[str, date | None]:
    return {"covered_start": days.start if days else None, "covered_end": days.end if days else None}


def _from_to(days: DateWindow | None) -> dict[str, date | None]:
    return {"from_day": days.start if days else None, "to_day": days.end if days else None}
