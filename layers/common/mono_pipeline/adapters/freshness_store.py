"""Which accounts are staler than their SLO allows, and whether somebody was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.adapters.statements import statements
from mono_pipeline.core.realtime import RealtimePolicy
from mono_pipeline.core.run import LinkStatus

if TYPE_CHECKING:
    from datetime import datetime

    from mono_pipeline.adapters.postgres import Database

_SQL = statements("freshness")
TOLD_AGAIN_SECONDS: Final = 86_400


class StaleAccount(Struct, frozen=True, kw_only=True):
    """An account whose SLO is broken. `fresh_as_of` None is never confirmed; `hours_old` counts from then on, too."""

    mono_account_id: str
    fresh_as_of: datetime | None
    hours_old: float
    slo_hours: int
    link_status: LinkStatus
    policy: RealtimePolicy


class FreshnessStore:
    """What `bank_accounts` says of freshness. `slo_hours` is that of accounts without one of their own."""

    def __init__(self, database: Database, *, slo_hours: int) -> None:
        self._database = database
        self._slo_hours = slo_hours

    def take_stale(self, *, limit: int) -> list[StaleAccount]:
        """Stale accounts of which somebody is to be told now: once a breach, and again after a day.

        Marks them as told; in a transaction, they are only once it commits.
        """
        rows = self._database.rows(
            _SQL["take_stale"], slo_hours=self._slo_hours, again_seconds=TOLD_AGAIN_SECONDS, limit=limit
        )
        return [
            StaleAccount(
                mono_account_id=row["mono_account_id"],
                fresh_as_of=row["fresh_as_of"],
                hours_old=row["hours_old"],
                slo_hours=row["slo_hours"],
                link_status=LinkStatus(row["link_status"]),
                policy=RealtimePolicy(row["realtime"]),
            )
            for row in rows
        ]

    def count_stale(self) -> int:
        """How many accounts are stale now."""
        return int(self._database.rows(_SQL["count_stale"], slo_hours=self._slo_hours)[0]["accounts"])

    def set_slo(self, account_id: int, slo_hours: int | None) -> None:
        """From how many hours on the account is stale; None for the setting's."""
        self._database.rows(_SQL["set_slo"], account_id=account_id, slo_hours=slo_hours)
