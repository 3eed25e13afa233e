"""What the use cases talk to, built once an environment by `bootstrap`."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from mono_pipeline.adapters.account_store import AccountStore
    from mono_pipeline.adapters.dead_letter_queue import DeadLetterQueue
    from mono_pipeline.adapters.evidence_store import EvidenceStore
    from mono_pipeline.adapters.flag_reader import FlagReader
    from mono_pipeline.adapters.mono_client import MonoClient
    from mono_pipeline.adapters.postgres import Database
    from mono_pipeline.adapters.queue import WorkQueue
    from mono_pipeline.adapters.rate_budget import RateBudget
    from mono_pipeline.adapters.run_store import RunStore
    from mono_pipeline.adapters.settings import Settings
    from mono_pipeline.adapters.transaction_store import TransactionStore
    from mono_pipeline.core.observer import Observer
    from mono_pipeline.usecases.patience import Patience


class Collaborators(Struct, frozen=True, kw_only=True):
    """The adapters of one environment. `patience` makes a fresh allowance of sleep."""

    database: Database
    accounts: AccountStore
    runs: RunStore
    transactions: TransactionStore
    evidence: EvidenceStore
    budget: RateBudget
    mono: MonoClient
    flag: FlagReader
    daily: WorkQueue
    backfill: WorkQueue
    dead_letters: DeadLetterQueue
    settings: Settings
    observer: Observer
    executor: Executor
    patience: Callable[[], Patience]

    def in_one_invocation(self) -> Collaborators:
        """The same, where whatever is done one after the other sleeps out of one allowance."""
        patience = self.patience()
        return replace(self, patience=lambda: patience)

    def queue_of(self, source: str) -> WorkQueue:
        """The work queue of the name that `source`, an SQS ARN, ends in."""
        name = source.rsplit(":", 1)[-1]
        return self.backfill if self.settings.backfill_queue_url.endswith(f"/{name}") else self.daily
