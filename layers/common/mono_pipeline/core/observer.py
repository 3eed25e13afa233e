"""What a run tells the outside of what it does; metrics and logs are made of it elsewhere."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mono_pipeline.core.run import LeasedRun


class Stage(StrEnum):
    """The stages that are timed. `sync` is the fetch of an incremental run, `backfill` that of a full history."""

    SYNC = "sync"
    BACKFILL = "backfill"
    TRANSFORM = "transform"
    PERSIST = "persist"


class Outcome(StrEnum):
    """How a stage ended."""

    OK = "ok"
    ERROR = "error"


class Observer(Protocol):
    """Told of every stage, error and event of a run. It never fails the work it watches."""

    def stage(self, run: LeasedRun, stage: Stage, seconds: float, outcome: Outcome) -> None:
        """A stage of a run took so long."""

    def error(self, run: LeasedRun, stage: Stage, reason: str) -> None:
        """Something failed for a reason of the closed list."""

    def zero_transactions(self, run: LeasedRun) -> None:
        """A complete pass read no row."""

    def stale_accounts(self, count: int, *, account_id: str | None = None) -> None:
        """So many accounts are staler than they may be; with `account_id`, that one is (1)."""

    def event(self, name: str, run: LeasedRun | None, **fields: Any) -> None:
        """Something happened that an operator may look for, e.g. `mono.fetch.started`."""
