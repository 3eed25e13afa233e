"""A window of time as the tables have it: which runs ended, by whose accounts, and what began when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.release_cohort import EndedRun
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from mono_pipeline.adapters.postgres import Database, Row

_SQL = statements("release")
_ACCOUNTS_AT_ONCE: Final = 10_000


class AccountNames(Struct, frozen=True, kw_only=True):
    """Every Mono id of an account: the first, by which the flag deals, the present one and all former ones."""

    first: str
    present: str
    all: frozenset[str]


class SeenRun(Struct, frozen=True, kw_only=True):
    """A run that ended, with its account; `inside` the window, or before it.

    `bank_data_seconds` is how old the bank's own data of the account are now, None where nobody knows.
    """

    names: AccountNames
    run: EndedRun
    inside: bool
    bank_data_seconds: float | None


class Starts(Struct, frozen=True, kw_only=True):
    """What began after an instant.

    Attributes:
        now: the database's clock.
        started: runs that began.
        last_started_at: when the last of them did.
        working: runs that hold a lease now.
        waiting: runs that are asked for and have not begun.
    """

    now: datetime
    started: int
    last_started_at: datetime | None
    working: int
    waiting: int


class ReleaseObservatory:
    """Looks, and writes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def now(self) -> datetime:
        """The database's clock."""
        now: datetime = self._database.rows(_SQL["pipeline_clock"])[0]["now"]
        return now

    def ended_runs(self, *, since: datetime, baseline_from: datetime) -> list[SeenRun]:
        """Runs that ended since `since`, and those of the baseline before it."""
        rows = self._database.rows(_SQL["ended_runs"], **{"since": since, "from": baseline_from})
        return [_seen(row) for row in rows]

    def suspicions(self, *, since: datetime) -> list[tuple[AccountNames, int]]:
        """Duplicate suspicions raised since an instant, by account."""
        rows = self._database.rows(_SQL["raised_suspicions"], since=since)
        return [(_names(row), row["raised"]) for row in rows]

    def accounts(self) -> Iterator[AccountNames]:
        """Every account that can be read."""
        after = 0
        while rows := self._database.rows(_SQL["accounts_by_name"], after=after, limit=_ACCOUNTS_AT_ONCE):
            yield from (_names(row) for row in rows)
            after = rows[-1]["id"]

    def stand(self, accounts: Sequence[str]) -> list[Row]:
        """How accounts stand, by their present ids: link, freshness and newest run."""
        return self._database.rows(_SQL["how_accounts_stand"], accounts=list(accounts))

    def starts(self, *, since: datetime) -> Starts:
        """What began after an instant."""
        return Starts(**self._database.rows(_SQL["started_runs"], since=since)[0])


def _names(row: Row) -> AccountNames:
    first, present = row["first_mono_account_id"], row["mono_account_id"]
    return AccountNames(first=first, present=present, all=frozenset({first, present, *row["former"]}))


def _seen(row: Row) -> SeenRun:
    names = _names(row)
    run = EndedRun(
        account_id=names.present,
        kind=RunKind(row["kind"]),
        status=RunStatus(row["status"]),
        verdict=VerdictKind(row["verdict"]) if row["verdict"] else None,
        error_code=row["error_code"],
        seconds=row["seconds"],
        rows_seen=row["rows_seen"],
    )
    return SeenRun(names=names, run=run, inside=row["inside"], bank_data_seconds=row["bank_data_seconds"])
