"""The figures of a period of a release: what ended in it, by slot and by account, and its dead letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.release_cohort import SLA_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from mono_pipeline.adapters.postgres import Database, Row

_SQL = statements("release_figures")


class Period(Struct, frozen=True, kw_only=True):
    """From `since` to `until`, both included, in slots of so many seconds that are counted from `since`."""

    since: datetime
    until: datetime
    slot_seconds: float


class ReleaseFiguresStore:
    """Looks, and writes nothing. `accounts` are Mono ids, present or former; one that is erased by now is nobody's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def runs(self, period: Period, accounts: Sequence[str]) -> list[Row]:
        """What ended in each slot, the named accounts and the others apart; the first row is the whole period."""
        return self._database.rows(_SQL["runs_by_slot"], **_asked(period, accounts), sla_seconds=SLA_SECONDS)

    def errors(self, period: Period) -> list[Row]:
        """Failed runs of each slot by reason."""
        return self._database.rows(_SQL["errors_by_slot"], **_asked(period, ()))

    def accounts(self, period: Period, accounts: Sequence[str], *, limit: int) -> list[Row]:
        """The accounts that had a run that ended, the worst first."""
        return self._database.rows(_SQL["accounts_of_period"], **_asked(period, accounts), limit=limit)

    def verdicts(self, period: Period, ids: Sequence[int]) -> list[Row]:
        """How the runs of accounts ended in each slot, by their internal keys."""
        return self._database.rows(_SQL["verdicts_by_slot"], **_asked(period, ()), ids=list(ids))

    def given_up(self, period: Period, *, limit: int) -> list[Row]:
        """Accounts that became dead letters and are so still."""
        return self._database.rows(_SQL["accounts_given_up"], since=period.since, until=period.until, limit=limit)

    def archived(self, period: Period, *, limit: int) -> list[Row]:
        """Messages that were taken off the queue without being done, in groups."""
        return self._database.rows(_SQL["letters_archived"], since=period.since, until=period.until, limit=limit)

    def actions(self, period: Period, *, limit: int) -> list[Row]:
        """What was done about dead letters."""
        return self._database.rows(_SQL["actions_on_letters"], since=period.since, until=period.until, limit=limit)


def _asked(period: Period, accounts: Sequence[str]) -> dict[str, Any]:
    return {
        "since": period.since,
        "until": period.until,
        "slot_seconds": period.slot_seconds,
        "accounts": list(accounts),
    }
