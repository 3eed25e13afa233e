"""Says which accounts are staler than they may be: a sync of a dead link succeeds for weeks, and only this tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mono_pipeline.adapters.freshness_store import FreshnessStore
from mono_pipeline.core.freshness import has_own_metric

if TYPE_CHECKING:
    from mono_pipeline.adapters.freshness_store import StaleAccount
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.collaborators import Collaborators

EVENT: Final = "mono.account.stale"
_BATCH: Final = 200


class StaleAccounts:
    """Serves the tick."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators
        self._store = FreshnessStore(collaborators.database, slo_hours=collaborators.settings.freshness_slo_hours)

    def tell(self, deadline: Deadline) -> int:
        """Tell of every breach that nobody was told of, and how many accounts are stale in all; returns that number.

        A tick that dies in between tells again: the mark and the telling are one commit.
        """
        while not deadline.expired:
            with self._with.database.transaction():
                stale = self._store.take_stale(limit=_BATCH)
                for account in stale:
                    self._tell(account)
            if len(stale) < _BATCH:
                break
        count = self._store.count_stale()
        self._with.observer.stale_accounts(count)
        return count

    def _tell(self, account: StaleAccount) -> None:
        self._with.observer.event(
            EVENT,
            None,
            account_id=account.mono_account_id,
            fresh_as_of=account.fresh_as_of and account.fresh_as_of.isoformat(),
            hours_old=round(account.hours_old, 1),
            slo_hours=account.slo_hours,
            link_status=account.link_status,
            realtime=account.policy,
        )
        if has_own_metric(self._with.settings.account_metrics_mode):
            self._with.observer.stale_accounts(1, account_id=account.mono_account_id)
