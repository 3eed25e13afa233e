"""What one invocation's work on a run took and brought, told to the observer as it ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.adapters.postgres import StatementRefused
from mono_pipeline.core.classify import ErrorReason, classify
from mono_pipeline.core.errors import DatabaseUnavailable, PipelineError
from mono_pipeline.core.observer import Outcome, Stage
from mono_pipeline.core.run import RowCounts, RunKind, RunStatus

if TYPE_CHECKING:
    from mono_pipeline.core.observer import Observer
    from mono_pipeline.core.run import LeasedRun
    from mono_pipeline.core.verdict import Verdict

SLA_SECONDS: Final = 2.0  # the fetch of an incremental run


def fetch_stage(run: LeasedRun) -> Stage:
    """What the fetch of this run is measured as: only an incremental one reads so little that it has an SLA."""
    return Stage.SYNC if run.kind is RunKind.INCREMENTAL else Stage.BACKFILL


class RunWatch:
    """Watches one invocation's work on one run.

    `counts` are the run's over all its invocations, once it has ended; before, what this one has landed.
    """

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._began = time.monotonic()
        self._seconds: dict[Stage, float] = {}
        self.counts = RowCounts()

    @property
    def fetch_seconds(self) -> float | None:
        """How long Mono's answers were waited for, without the waits for the rate budget; None where none was read."""
        return self._seconds.get(Stage.SYNC, self._seconds.get(Stage.BACKFILL))

    def stage(self, run: LeasedRun, stage: Stage, seconds: float, outcome: Outcome) -> None:
        """A stage of a pass took so long."""
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds
        self._observer.stage(run, stage, seconds, outcome)
        if stage is Stage.SYNC and seconds > SLA_SECONDS:
            self._observer.event("mono.fetch.latency_sla_exceeded", run, sync_seconds=round(seconds, 3))

    def broke(self, run: LeasedRun, error: Exception) -> None:
        """The work ends in an error of ours; the run stays open, and goes on with the next delivery or tick."""
        reason = classify(error).reason if isinstance(error, PipelineError) else ErrorReason.UNEXPECTED
        ours = isinstance(error, DatabaseUnavailable | StatementRefused)
        stage = Stage.PERSIST if ours else fetch_stage(run)
        self._observer.error(run, stage, reason)
        self._observer.event("mono.run.broke", run, error=type(error).__name__, reason=reason, stage=stage)

    def ended(
        self,
        run: LeasedRun,
        status: RunStatus,
        *,
        verdict: Verdict | None = None,
        error_code: str | None = None,
        waited: float,
    ) -> None:
        """The one line that says all of a run, or of its part that this invocation did.

        `waited` is how long it waited for the rate budget, in seconds.
        """
        name = "mono.pipeline.continues" if status is RunStatus.RUNNING else "mono.pipeline.completed"
        self._observer.event(
            name,
            run,
            status=status,
            error_code=error_code,
            requested_by=run.requested_by,
            pass_number=run.pass_number,
            window_start=run.days and run.days.start.isoformat(),
            window_end=run.days and run.days.end.isoformat(),
            rate_wait_seconds=round(waited, 3),
            total_seconds=round(time.monotonic() - self._began, 3),
            **_said(verdict),
            **{f"{stage}_seconds": round(seconds, 3) for stage, seconds in self._seconds.items()},
            rows_seen=self.counts.seen,
            rows_inserted=self.counts.inserted,
            rows_updated=self.counts.updated,
            rows_unchanged=self.counts.unchanged,
            rows_quarantined=self.counts.quarantined,
        )


def _said(verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {}
    first = verdict.first_bad_day
    return {"verdict": verdict.kind, "verdict_reason": verdict.reason, "first_bad_day": first and first.isoformat()}
