"""Whether a release may go on: promote, hold or roll back, by what was seen of its accounts and of the rest.

Harm that our own tables prove rolls back at once: to wait would only do more of it. Nothing is promoted before the
window is older than an alert takes to be raised, nor on fewer than four complete runs, nor on alerts that nobody can
read.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct, field

from mono_pipeline.core.release_cohort import SLA_SECONDS, Cohort

if TYPE_CHECKING:
    from collections.abc import Iterator

HIGH_FAILURE_RATE: Final = "MonoPipelineHighFailureRate"
LATENCY_SLA: Final = "MonoPipelineLatencySLA"
ZERO_TRANSACTIONS: Final = "MonoPipelineZeroTransactions"
REQUIRED_ALERTS: Final = (HIGH_FAILURE_RATE, LATENCY_SLA, ZERO_TRANSACTIONS)

# From a fault to Alertmanager: 385 s were measured at the shipped pace (docs/monitoring.md).
ALERTING_LAG_SECONDS: Final = 420.0
MIN_COMPLETED_RUNS: Final = 4
MAX_ERROR_RATIO: Final = 0.1  # as MonoPipelineErrorRatioHigh
_A_SERIES: Final = 2  # one failure or one slow fetch is none


class GateDecision(StrEnum):
    """What to do with the release."""

    PROMOTE = "promote"
    HOLD = "hold"
    ROLL_BACK = "roll_back"


class GateReason(StrEnum):
    """Why."""

    HEALTHY = "healthy"
    MISMATCH = "mismatch"
    DUPLICATE_SUSPICION = "duplicate_suspicion"
    ERROR_RATIO = "error_ratio"
    LATENCY = "latency"
    ALERT_FIRING = "alert_firing"
    REST_WORSE = "rest_worse"
    ALERTING_LAG = "alerting_lag"
    INSUFFICIENT_DATA = "insufficient_data"
    ALERTS_UNKNOWN = "alerts_unknown"


class GateLimits(Struct, frozen=True, kw_only=True):
    """What is tolerated. `alerting_lag_seconds` is how long after a fault its alert is raised at the latest."""

    alerting_lag_seconds: float = ALERTING_LAG_SECONDS
    min_completed_runs: int = MIN_COMPLETED_RUNS
    max_error_ratio: float = MAX_ERROR_RATIO
    max_p95_seconds: float = SLA_SECONDS


class FiringAlerts(Struct, frozen=True, kw_only=True):
    """Which of the three required alerts fire, each set None where nobody can tell.

    Attributes:
        canary: by the canary's own accounts.
        fleet: by all accounts together, now.
        fleet_before: as `fleet`, when the window was opened.
    """

    canary: frozenset[str] | None = None
    fleet: frozenset[str] | None = None
    fleet_before: frozenset[str] | None = None

    @property
    def are_known(self) -> bool:
        """Whether all three can be told."""
        return None not in (self.canary, self.fleet, self.fleet_before)

    @property
    def new_of_the_rest(self) -> frozenset[str]:
        """What fires now and did not before, and is not of the canary's making."""
        if self.fleet is None or self.fleet_before is None:
            return frozenset()
        return self.fleet - self.fleet_before - (self.canary or frozenset())


class Observation(Struct, frozen=True, kw_only=True):
    """What is known of a window.

    Attributes:
        open_seconds: for how long it has been open.
        canary: the accounts that are judged.
        rest: all others, in the same window.
        rest_before: all others, before it was opened.
        alerts: of the canary and of all.
        alerts_waived: somebody has said, with a reason on record, that it is judged without alerts.
    """

    open_seconds: float
    canary: Cohort
    rest: Cohort = field(default_factory=Cohort)
    rest_before: Cohort = field(default_factory=Cohort)
    alerts: FiringAlerts = field(default_factory=FiringAlerts)
    alerts_waived: bool = False


class GateVerdict(Struct, frozen=True, kw_only=True):
    """What to do, why, and the same in one sentence with its numbers."""

    decision: GateDecision
    reason: GateReason
    sentence: str


def judge_release(seen: Observation, limits: GateLimits | None = None) -> GateVerdict:
    """Return the verdict on a window: harm before doubt, doubt before going on."""
    limits = limits or GateLimits()
    for reason, sentence in _harm(seen, limits):
        return GateVerdict(decision=GateDecision.ROLL_BACK, reason=reason, sentence=sentence)
    for reason, sentence in _doubt(seen, limits):
        return GateVerdict(decision=GateDecision.HOLD, reason=reason, sentence=sentence)
    sentence = f"{seen.canary.completed} complete runs, {seen.canary.verified} verified, nothing out of order"
    return GateVerdict(decision=GateDecision.PROMOTE, reason=GateReason.HEALTHY, sentence=sentence)


def _harm(seen: Observation, limits: GateLimits) -> Iterator[tuple[GateReason, str]]:
    canary = seen.canary
    if canary.mismatches:
        yield GateReason.MISMATCH, f"{canary.mismatches} runs ended in a mismatch: what is stored is not the bank's"
    if canary.suspicions:
        yield GateReason.DUPLICATE_SUSPICION, f"{canary.suspicions} transactions may have come under a second id"
    if _fails(canary, limits) and canary.failed >= _A_SERIES and canary.judged_runs >= limits.min_completed_runs:
        yield GateReason.ERROR_RATIO, _failures(canary)
    if _slow(canary, limits) and canary.slow >= _A_SERIES and canary.fetches >= limits.min_completed_runs:
        yield GateReason.LATENCY, _slowness(canary, limits)
    yield from _harm_to_the_rest(seen, limits)
    if not seen.alerts_waived and seen.open_seconds >= limits.alerting_lag_seconds:
        yield from _alarmed(seen.alerts)


def _harm_to_the_rest(seen: Observation, limits: GateLimits) -> Iterator[tuple[GateReason, str]]:
    rest, before = seen.rest, seen.rest_before
    if rest.mismatches and not before.mismatches:
        yield GateReason.REST_WORSE, f"{rest.mismatches} runs of other accounts ended in a mismatch, none did before"
    more = rest.error_ratio - before.error_ratio
    if more > limits.max_error_ratio and rest.failed >= _A_SERIES and rest.judged_runs >= limits.min_completed_runs:
        yield GateReason.REST_WORSE, f"of the other accounts {_failures(rest)}, before it were {before.error_ratio:.0%}"


def _alarmed(alerts: FiringAlerts) -> Iterator[tuple[GateReason, str]]:
    # An account without transactions is usual; that alert alone is a doubt, not a harm.
    urgent = sorted((alerts.canary or frozenset()) - {ZERO_TRANSACTIONS})
    if urgent:
        yield GateReason.ALERT_FIRING, f"{', '.join(urgent)} fires for the accounts that are judged"
    others = sorted(alerts.new_of_the_rest - {ZERO_TRANSACTIONS})
    if others:
        yield GateReason.REST_WORSE, f"{', '.join(others)} fires for other accounts and did not before"


def _doubt(seen: Observation, limits: GateLimits) -> Iterator[tuple[GateReason, str]]:
    canary, lag = seen.canary, limits.alerting_lag_seconds
    if seen.open_seconds < lag:
        yield GateReason.ALERTING_LAG, f"open for {seen.open_seconds:.0f} s; an alert may take {lag:.0f} s"
    if canary.completed < limits.min_completed_runs or canary.p95_seconds is None:
        yield GateReason.INSUFFICIENT_DATA, _too_little(canary, limits)
    if _fails(canary, limits):
        yield GateReason.ERROR_RATIO, _failures(canary)
    if _slow(canary, limits):
        yield GateReason.LATENCY, _slowness(canary, limits)
    if seen.alerts_waived:
        return
    if not seen.alerts.are_known:
        yield GateReason.ALERTS_UNKNOWN, "whether the three required alerts fire cannot be told"
    if seen.alerts.canary:
        yield GateReason.ALERT_FIRING, f"{', '.join(sorted(seen.alerts.canary))} fires for the accounts that are judged"
    if seen.alerts.new_of_the_rest:
        names = ", ".join(sorted(seen.alerts.new_of_the_rest))
        yield GateReason.REST_WORSE, f"{names} fires for other accounts and did not before"


def _fails(cohort: Cohort, limits: GateLimits) -> bool:
    return cohort.error_ratio > limits.max_error_ratio


def _slow(cohort: Cohort, limits: GateLimits) -> bool:
    return cohort.p95_seconds is not None and cohort.p95_seconds > limits.max_p95_seconds


def _failures(cohort: Cohort) -> str:
    why = ", ".join(f"{reason} {count}" for reason, count in cohort.errors.items())
    return f"{cohort.failed} of {cohort.judged_runs} runs failed{f' ({why})' if why else ''}"


def _slowness(cohort: Cohort, limits: GateLimits) -> str:
    return f"p95 of {cohort.fetches} fetches is {cohort.p95_seconds:.1f} s, the SLA is {limits.max_p95_seconds:g} s"


def _too_little(cohort: Cohort, limits: GateLimits) -> str:
    if cohort.completed >= limits.min_completed_runs:
        return f"{cohort.completed} complete runs, but none that the SLA is about: all were full histories"
    return f"{cohort.completed} complete runs, {limits.min_completed_runs} are needed"
