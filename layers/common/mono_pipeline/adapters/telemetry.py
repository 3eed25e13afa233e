"""Metrics and logs of a function: EMF for CloudWatch, and one JSON line an event.

Nothing that is told here can fail the work it is told of: a line that cannot be written is lost.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from msgspec import Struct, field

from mono_pipeline.adapters import metric_words as words
from mono_pipeline.adapters.emf import (
    DEAD_LETTERS,
    DECISIONS,
    ERRORS,
    IDS,
    PROVIDER_DOWN,
    QUARANTINED,
    RATE_WAIT,
    RUNS,
    SERVICE,
    STAGE_SECONDS,
    STALE,
    TICKS,
    VERDICTS,
    WEBHOOK_EFFECTS,
    ZERO,
    Sample,
    emf_record,
    write_line,
)
from mono_pipeline.adapters.log_fields import clean_fields
from mono_pipeline.adapters.metric_words import known
from mono_pipeline.core.account_metrics import AccountMetrics
from mono_pipeline.core.classify import ErrorReason, classify
from mono_pipeline.core.errors import DatabaseUnavailable, PipelineError
from mono_pipeline.core.observer import Outcome, Stage
from mono_pipeline.core.run import RunStatus
from mono_pipeline.core.verdict import VerdictKind, VerdictReason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mono_pipeline.core.flag import FlagReading
    from mono_pipeline.core.run import LeasedRun

logger = Logger(service=SERVICE, location=None)

# An event is INFO unless it is here.
_ERRORS: Final = {
    "mono.fetch.failed",
    "mono.flag.out_of_order",
    "mono.invocation.failed",
    "mono.message.poison",
    "mono.run.broke",
}
_WARNINGS: Final = {
    "mono.account.stale",
    "mono.dead_letter.not_sent",
    "mono.fetch.latency_sla_exceeded",
    "mono.provider.circuit_opened",
    "mono.rows.quarantined",
}


class _Invocation(Struct):
    """What the lines of one invocation have in common. A new one begins with nothing of the one before it."""

    request_id: str | None = None
    correlation_id: str | None = None
    told: set[str] = field(default_factory=set)  # reasons of errors that are counted already


class Telemetry:
    """The observer of a deployed function.

    `accounts` says which accounts have metrics of their own; settings know it, once they are read.
    """

    accounts = AccountMetrics()
    _now = _Invocation()

    def begin(self, *, request_id: str | None, correlation_id: str | None = None) -> None:
        """An invocation begins, or one message of a batch. The request's own id stands in for a correlation id."""
        self._now = _Invocation(request_id=request_id, correlation_id=correlation_id or request_id)

    def correlate(self, correlation_id: str) -> None:
        """What goes on from here was asked for under this id."""
        self._now = _Invocation(request_id=self._now.request_id, correlation_id=correlation_id)

    def stage(self, run: LeasedRun, stage: Stage, seconds: float, outcome: Outcome) -> None:
        """`…_stage_seconds` by stage and outcome."""
        said = {"stage": known(stage, words.STAGES), "outcome": known(outcome, words.OUTCOMES)}
        own = self._own(run, failing=outcome == Outcome.ERROR)
        self._emit(run, Sample(metric=STAGE_SECONDS, value=round(seconds, 6), words=said, account=own))

    def error(self, run: LeasedRun, stage: Stage, reason: str) -> None:
        """`…_errors_total` by stage and reason."""
        self._count_error(run, stage, known(reason, words.ERROR_REASONS))

    def zero_transactions(self, run: LeasedRun) -> None:
        """`…_zero_transactions_total`: 1."""
        self._emit(run, Sample(metric=ZERO, value=1, account=self._own(run, failing=False)))

    def stale_accounts(self, count: int, *, account_id: str | None = None) -> None:
        """`…_stale_accounts`, a gauge; and 1 for an account by itself, when its breach is told of."""
        if account_id is None:
            self._emit(None, Sample(metric=STALE, value=count))
        elif self.accounts.wants(account_id, failing=True):
            self._emit(
                None, Sample(metric=STALE, value=count, fleet=False, account=True), ids={"account_id": account_id}
            )

    def event(self, name: str, run: LeasedRun | None, **fields: Any) -> None:
        """One log line, and the metrics that are counted from it."""
        if run is not None:
            fields = {
                "account_id": run.account.mono_account_id,
                "run_id": str(run.run_id),
                "correlation_id": run.correlation_id,
                "kind": run.kind,
                **fields,
            }
        self._log(name, fields)
        samples = _COUNTED[name](fields) if name in _COUNTED else []
        if name == "mono.pipeline.completed" and fields["status"] == RunStatus.COMPLETED and fields["rows_seen"]:
            own = run is not None and self._own(run, failing=False)
            samples.append(Sample(metric=ZERO, value=0, account=own))
        ids = {name: str(fields[name]) for name in IDS if fields.get(name)}
        for together in _apart(samples):
            self._emit(run, *together, ids=ids)

    def tick(self) -> None:
        """`…_ticks_total`, and a zero for every series that an alert waits for: CloudWatch lists new ones late."""
        self._emit(None, Sample(metric=TICKS, value=1))
        zeros = [Sample(metric=metric, value=0) for metric in (ZERO, DEAD_LETTERS, RATE_WAIT, PROVIDER_DOWN)]
        mismatch = {"verdict": VerdictKind.MISMATCH, "reason": VerdictReason.DAYS_DIFFER}
        self._emit(None, *zeros, Sample(metric=VERDICTS, value=0, words=mismatch))
        for stage, reason in words.error_pairs():
            self._emit(None, Sample(metric=ERRORS, value=0, words={"stage": stage, "reason": reason}))

    def failed(self, error: Exception) -> None:
        """An invocation, or a message of it, ends in an error: counted, unless its run has counted it."""
        reason = classify(error).reason if isinstance(error, PipelineError) else ErrorReason.UNEXPECTED
        if reason in self._now.told:
            return
        stage = Stage.PERSIST if isinstance(error, DatabaseUnavailable) else Stage.SYNC
        self._log("mono.invocation.failed", {"error": type(error).__name__, "reason": reason, "stage": stage})
        self._count_error(None, stage, reason)

    def flag_out_of_order(self, reading: FlagReading) -> None:
        """The flag is malformed, missing or unreadable, so that everybody is off or soon will be."""
        self._log("mono.flag.out_of_order", {"flag_problem": reading.problem, "detail": reading.detail})
        self._count_error(None, words.FLAG, known(f"flag_{reading.problem}", words.FLAG_PROBLEMS))

    def _count_error(self, run: LeasedRun | None, stage: str, reason: str) -> None:
        self._now.told.add(reason)
        own = run is not None and self._own(run, failing=True)
        said = {"stage": known(stage, words.STAGES), "reason": reason}
        self._emit(run, Sample(metric=ERRORS, value=1, words=said, account=own))

    def _own(self, run: LeasedRun, *, failing: bool) -> bool:
        return self.accounts.wants(run.account.mono_account_id, failing=failing)

    def _log(self, name: str, fields: Mapping[str, Any]) -> None:
        cleaned = clean_fields(
            {"correlation_id": self._now.correlation_id, "function_request_id": self._now.request_id, **fields}
        )
        say = logger.error if name in _ERRORS else logger.warning if name in _WARNINGS else logger.info
        say(name, extra=cleaned)

    def _emit(self, run: LeasedRun | None, *samples: Sample, ids: Mapping[str, str | None] | None = None) -> None:
        if run is not None:
            ids = {
                "account_id": run.account.mono_account_id,
                "run_id": str(run.run_id),
                "correlation_id": run.correlation_id,
            }
        ids = ids or {}
        write_line(emf_record(*samples, at=time.time(), ids={"correlation_id": self._now.correlation_id, **ids}))


def _ended(fields: Mapping[str, Any]) -> list[Sample]:
    """What is counted of a run that ended."""
    samples = [
        Sample(metric=RUNS, value=1, words={"status": known(fields["status"], words.STATUSES)}),
        Sample(metric=RATE_WAIT, value=fields["rate_wait_seconds"]),
    ]
    if (verdict := fields.get("verdict")) is not None:
        reason = known(fields.get("verdict_reason") or words.NONE, words.VERDICT_REASONS)
        said = {"verdict": known(verdict, words.VERDICT_KINDS), "reason": reason}
        samples.append(Sample(metric=VERDICTS, value=1, words=said))
    return samples


def _gone_on(fields: Mapping[str, Any]) -> list[Sample]:
    """A run that was not ended: only what it has waited."""
    return [Sample(metric=RATE_WAIT, value=fields["rate_wait_seconds"])]


def _quarantined(fields: Mapping[str, Any]) -> list[Sample]:
    return [
        Sample(metric=QUARANTINED, value=rows, words={"reason": known(reason, words.REJECTIONS)})
        for reason, rows in fields["reasons"].items()
    ]


def _decided(fields: Mapping[str, Any]) -> list[Sample]:
    reason = known(fields["flag_reason"], words.FLAG_REASONS)
    return [Sample(metric=DECISIONS, value=fields.get("count", 1), words={"reason": reason})]


def _given_up(fields: Mapping[str, Any]) -> list[Sample]:
    """A fetch that failed is one only where its account failed too often with it."""
    return [Sample(metric=DEAD_LETTERS, value=1)] if fields.get("dead_lettered", True) else []


def _provider_down(_: Mapping[str, Any]) -> list[Sample]:
    return [Sample(metric=PROVIDER_DOWN, value=1)]


def _served(effect: str) -> Callable[[Mapping[str, Any]], list[Sample]]:
    """What is counted of a webhook's event by what came of it."""
    return lambda _: [Sample(metric=WEBHOOK_EFFECTS, value=1, words={"effect": effect})]


_COUNTED: Final[dict[str, Callable[[Mapping[str, Any]], list[Sample]]]] = {
    "mono.pipeline.completed": _ended,
    "mono.pipeline.continues": _gone_on,
    "mono.rows.quarantined": _quarantined,
    "mono.flag.decided": _decided,
    "mono.fetch.failed": _given_up,
    "mono.message.poison": _given_up,
    "mono.provider.circuit_opened": _provider_down,
    "mono.provider.still_down": _provider_down,
    **{f"mono.webhook.{effect}": _served(effect) for effect in words.EFFECTS},
}


def _apart(samples: list[Sample]) -> list[list[Sample]]:
    """In as few lines as may be: samples that need one member for two values stand in lines of their own."""
    lines: list[list[Sample]] = []
    for sample in samples:
        for line in lines:
            if all(sample.metric is not one.metric and not sample.words.keys() & one.words.keys() for one in line):
                line.append(sample)
                break
        else:
            lines.append([sample])
    return lines
