"""One run of one account: read the whole window page by page, land it flush by flush, and say whether it is the bank's.

A run may span several invocations. Where it stands is in PostgreSQL after every flush and nowhere else, so that a kill
at any point costs at most the pages since the last flush.
"""

from __future__ import annotations

from copy import replace
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.adapters.comparison_store import ComparisonStore
from mono_pipeline.adapters.rate_budget import OPEN_SECONDS
from mono_pipeline.core import schedule
from mono_pipeline.core.classify import ErrorReason, TreatmentKind, classify
from mono_pipeline.core.completeness import MAX_PASSES, PassJudgement, PassOutcome, judge_pass, judge_unclear_total
from mono_pipeline.core.errors import (
    LeaseLost,
    MonoError,
    MonoRateLimited,
    MonoUnreachable,
    ProviderPaused,
)
from mono_pipeline.core.reading import plan_reading
from mono_pipeline.core.run import BACKFILL, LinkStatus, RunKind, RunStatus
from mono_pipeline.core.verdict import Verdict, VerdictKind, VerdictReason, unverifiable
from mono_pipeline.usecases.closer_look import CloserLook
from mono_pipeline.usecases.conclusion import Conclusion
from mono_pipeline.usecases.paid_calls import PaidCalls
from mono_pipeline.usecases.pass_run import GRACE_SECONDS, PassRun, PassStop
from mono_pipeline.usecases.run_watch import RunWatch, fetch_stage

if TYPE_CHECKING:
    from mono_pipeline.adapters.transaction_store import PassReading
    from mono_pipeline.core.classify import Treatment
    from mono_pipeline.core.dead_letter import FailureStreak
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.discrepancy import Discrepancy
    from mono_pipeline.core.run import LeasedRun
    from mono_pipeline.core.wire import AccountSnapshot
    from mono_pipeline.usecases.collaborators import Collaborators

_DOWN = frozenset({ErrorReason.MONO_UNREACHABLE, ErrorReason.MONO_SERVER_ERROR})  # an outage, if others see it too


class RunEnd(Struct, frozen=True, kw_only=True):
    """How this invocation left a run. `RUNNING` means that it goes on later: out of time, or nobody may call Mono."""

    run: LeasedRun
    status: RunStatus
    verdict: Verdict | None = None
    error_code: str | None = None
    blocked: str | None = None
    paused: ProviderPaused | None = None
    dead_lettered: bool = False


class _DaysDiffer(Exception):
    """A conclusion that is taken back, so that Mono can be asked for the rows before the run ends."""

    def __init__(self, conclusion: Conclusion) -> None:
        super().__init__("days differ")
        self.conclusion = conclusion


class AccountSync:
    """Works on one leased run."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators
        self._watch = RunWatch(collaborators.observer)

    def run(self, run: LeasedRun, deadline: Deadline) -> RunEnd:
        """Read, land and judge until the run ends, time is up, or nobody may call Mono.

        Raises LeaseLost when another run took the account over, DatabaseUnavailable when PostgreSQL is gone; in both
        cases what was flushed stays and the rest is read again.
        """
        self._with.observer.event("mono.fetch.started", run)
        calls = PaidCalls(
            budget=self._with.budget,
            patience=self._with.patience(),
            executor=self._with.executor,
            deadline=deadline,
            background=run.kind is RunKind.FULL or run.requested_by == BACKFILL,
        )
        try:
            return self._told(self._read_or_fail(run, deadline, calls), calls)
        except ProviderPaused as pause:
            return self._told(self._paused(run, pause), calls)
        except LeaseLost:
            raise
        except Exception as error:
            self._watch.broke(run, error)
            raise
        finally:
            self._with.budget.give_back()

    def _read_or_fail(self, run: LeasedRun, deadline: Deadline, calls: PaidCalls) -> RunEnd:
        try:
            return self._read_and_judge(run, deadline, calls)
        except MonoError as error:
            if deadline.expired and isinstance(error, MonoUnreachable):
                return self._out_of_time(run)
            return self._mono_failed(run, error, deadline, calls)

    def _read_and_judge(self, run: LeasedRun, deadline: Deadline, calls: PaidCalls) -> RunEnd:
        snapshot = self._snapshot(run, deadline, calls)
        reading = plan_reading(run)
        while True:
            read = PassRun(
                self._with, run, reading, deadline=deadline, calls=calls, snapshot=snapshot, watch=self._watch
            )
            stop = read.go()
            if stop is PassStop.OUT_OF_TIME:
                return self._out_of_time(run)
            if stop is PassStop.FLAG_OFF:
                return self._end(run, RunStatus.STOPPED, retry=schedule.STOPPED_RETRY)
            if stop is PassStop.NOT_READY:
                return self._incomplete(run, VerdictReason.NOT_READY, retry=schedule.NOT_READY_RETRY)
            found = self._with.transactions.pass_reading(run)
            judgement = judge_pass(
                found.totals,
                end=read.end,
                windowed=reading.window is not None,
                totals_ignore_window=run.account.totals_ignore_window,
            )
            if judgement.outcome is PassOutcome.DRIFTED and run.pass_number < MAX_PASSES:
                self._with.observer.event("mono.fetch.drifted", run, pass_number=run.pass_number)
                run = replace(run, pass_number=self._with.runs.begin_next_pass(run), pages_done=0)
                continue
            if not found.totals.rows_read:
                snapshot = self._snapshot(run, deadline, calls)
            if not snapshot.vouches_for(found.totals.rows_read):
                return self._incomplete(run, VerdictReason.NOT_READY, retry=schedule.NOT_READY_RETRY)
            closer = CloserLook(
                collaborators=self._with,
                calls=calls,
                deadline=deadline.later(GRACE_SECONDS),
                account=run.account,
                today=run.today,
            )
            return self._judge(run, found, judgement, read, closer)

    def _snapshot(self, run: LeasedRun, deadline: Deadline, calls: PaidCalls) -> AccountSnapshot:
        """The account's own page: whether its data are ready, and its balance."""
        until = deadline.later(GRACE_SECONDS)
        snapshot = calls.once(partial(self._with.mono.account, run.account.mono_account_id, deadline=until))
        self._with.accounts.note_snapshot(run, snapshot, lease_seconds=self._with.settings.lease_seconds)
        return snapshot

    def _judge(
        self, run: LeasedRun, found: PassReading, judgement: PassJudgement, read: PassRun, closer: CloserLook
    ) -> RunEnd:
        unclear = judgement.outcome is PassOutcome.TOTAL_UNCLEAR
        if unclear:
            judgement = judge_unclear_total(
                windowed_total=found.totals.highest_total,
                unfiltered_total=read.unfiltered_total(),
                rows_outside=self._with.transactions.rows_outside(run),
            )
        if judgement.outcome is not PassOutcome.COMPLETE:
            reason = judgement.reason or VerdictReason.TOTAL_DIFFERS
            return self._incomplete(run, reason, retry=schedule.INCOMPLETE_RETRY)
        try:
            return self._complete(run, read.snapshot, found, totals_ignore_window=unclear)
        except _DaysDiffer as seen:
            around = closer.at(seen.conclusion.differing, set_aside=seen.conclusion.set_aside)
        return self._complete(run, read.snapshot, found, totals_ignore_window=unclear, around=around)

    def _complete(
        self,
        run: LeasedRun,
        snapshot: AccountSnapshot,
        found: PassReading,
        *,
        totals_ignore_window: bool,
        around: Discrepancy | None = None,
    ) -> RunEnd:
        """Verdict, watermark and the end of the run, in one commit. A mismatch ends only together with its rows."""
        with self._with.database.transaction():
            self._with.runs.hold(run)
            conclusion = Conclusion(self._with, run, snapshot)
            verdict = conclusion.draw(found)
            if verdict.kind is VerdictKind.MISMATCH and around is None:
                raise _DaysDiffer(conclusion)
            self._with.transactions.remember(run, found.totals, trusted=verdict.kind is not VerdictKind.MISMATCH)
            landed = self._with.runs.finish_complete(
                run,
                verdict,
                # what is stored is not what was read: the window must not move past it
                newest_day=None if verdict.kind is VerdictKind.MISMATCH else found.newest_day,
                totals_ignore_window=totals_ignore_window,
                interval_seconds=self._with.settings.sync_interval_hours * 3600,
                deep_read_days=self._with.settings.deep_read_days,
                fetch_seconds=self._watch.fetch_seconds,
            )
            if verdict.kind is VerdictKind.MISMATCH and around is not None:
                ComparisonStore(self._with.database).keep(run.run_id, around)
        self._watch.counts = landed
        if found.totals.rows_read == 0:
            self._with.observer.zero_transactions(run)
            self._with.observer.event("mono.fetch.zero_transactions", run)
        self._with.observer.event("mono.fetch.completed", run)
        return RunEnd(run=run, status=RunStatus.COMPLETED, verdict=verdict)

    def _incomplete(self, run: LeasedRun, reason: VerdictReason, *, retry: float) -> RunEnd:
        return self._end(run, RunStatus.INCOMPLETE, verdict=unverifiable(reason), retry=retry)

    def _out_of_time(self, run: LeasedRun) -> RunEnd:
        self._with.runs.release(run)
        return RunEnd(run=run, status=RunStatus.RUNNING)

    def _paused(self, run: LeasedRun, pause: ProviderPaused) -> RunEnd:
        """The run stays open and goes on when the pause is over; nobody's receive count is burnt."""
        self._with.runs.release(run, next_attempt_seconds=pause.seconds)
        return RunEnd(run=run, status=RunStatus.RUNNING, paused=pause)

    def _mono_failed(self, run: LeasedRun, error: MonoError, deadline: Deadline, calls: PaidCalls) -> RunEnd:
        """What the error table says, once the attempts in place are used up."""
        treatment = classify(error)
        if isinstance(error, MonoRateLimited):  # everybody is held back already
            return self._paused(run, ProviderPaused(treatment.defer_seconds, treatment.reason))
        if self._shuts_out_everybody(run, treatment, deadline, calls):
            return self._circuit_opened(run, treatment)
        blocked = treatment.kind in {TreatmentKind.PROVIDER_SUSPECT, TreatmentKind.ACCOUNT_BLOCKED}
        failed = self._end(
            run,
            RunStatus.FAILED,
            error_code=treatment.reason,
            error=error,
            retry=treatment.defer_seconds,
            counts=not blocked,
        )
        if blocked:
            self._with.accounts.block(run.account.id, status=LinkStatus.REFUSED, retry_seconds=treatment.defer_seconds)
            return replace(failed, blocked=treatment.reason)
        return failed

    def _provider_fails(self, deadline: Deadline, calls: PaidCalls) -> bool:
        """Whether the account list cannot be had either: then this account is not to blame."""
        try:
            calls.once(partial(self._with.mono.accounts, page=1, deadline=deadline.later(GRACE_SECONDS)))
        except MonoError:
            return True
        return False

    def _shuts_out_everybody(self, run: LeasedRun, treatment: Treatment, deadline: Deadline, calls: PaidCalls) -> bool:
        """Whether the circuit is open now, for Mono serves nobody: as a probe says, or accounts in a row."""
        if treatment.kind is TreatmentKind.PROVIDER_SUSPECT and self._provider_fails(deadline, calls):
            self._with.budget.open_circuit(treatment.reason)
            return True
        return treatment.reason in _DOWN and self._with.budget.failed(run.account.id, treatment.reason)

    def _circuit_opened(self, run: LeasedRun, treatment: Treatment) -> RunEnd:
        self._with.observer.error(run, fetch_stage(run), treatment.reason)
        self._with.observer.event("mono.provider.circuit_opened", run, reason=treatment.reason)
        return self._paused(run, ProviderPaused(OPEN_SECONDS, treatment.reason))

    def _end(  # every way to end without success
        self,
        run: LeasedRun,
        status: RunStatus,
        *,
        verdict: Verdict | None = None,
        error_code: str | None = None,
        error: MonoError | None = None,
        retry: float = 0.0,
        counts: bool = True,
    ) -> RunEnd:
        interval = self._with.settings.sync_interval_hours * 3600
        streak, self._watch.counts = self._with.runs.finish_without_success(
            run,
            status,
            verdict=verdict,
            error_code=error_code,
            counts=counts,
            fetch_seconds=self._watch.fetch_seconds,
            retry=lambda failures: max(retry, schedule.after_failures(failures, interval_seconds=interval)),
        )
        if error_code is not None:
            self._tell_failure(run, error_code, error, streak)
        dead = streak.owes_letter
        return RunEnd(run=run, status=status, verdict=verdict, error_code=error_code, dead_lettered=dead)

    def _tell_failure(self, run: LeasedRun, error_code: str, error: MonoError | None, streak: FailureStreak) -> None:
        self._with.observer.error(run, fetch_stage(run), error_code)
        self._with.observer.event(
            "mono.fetch.failed",
            run,
            reason=error_code,
            problem=str(error),
            streak=streak.failures,
            dead_lettered=streak.owes_letter,
        )
        if streak.owes_letter:
            # what only a failure needs is not for every start to load
            from mono_pipeline.core.dead_letter import FetchFailed  # noqa: PLC0415
            from mono_pipeline.usecases.failure_letters import FailureLetters  # noqa: PLC0415

            FailureLetters(self._with).send(FetchFailed.of(run, error_code=error_code, streak=streak.failures))

    def _told(self, end: RunEnd, calls: PaidCalls) -> RunEnd:
        self._watch.ended(end.run, end.status, verdict=end.verdict, error_code=end.error_code, waited=calls.waited)
        return end
