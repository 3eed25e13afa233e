"""The gate of a release: what rolls back, what holds, and that nothing else promotes."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_pipeline.core.release_cohort import SLA_SECONDS, Cohort, EndedRun, cohort_of, percentile
from mono_pipeline.core.release_gate import (
    ALERTING_LAG_SECONDS,
    HIGH_FAILURE_RATE,
    LATENCY_SLA,
    REQUIRED_ALERTS,
    ZERO_TRANSACTIONS,
    FiringAlerts,
    GateDecision,
    GateLimits,
    GateReason,
    Observation,
    judge_release,
)
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hypothesis.strategies import SearchStrategy

NONE: frozenset[str] = frozenset()
WELL = Cohort(accounts=1, completed=5, fetches=5, p95_seconds=0.4, verified=5)
SILENT = FiringAlerts(canary=NONE, fleet=NONE, fleet_before=NONE)
HEALTHY = Observation(open_seconds=ALERTING_LAG_SECONDS, canary=WELL, rest=WELL, rest_before=WELL, alerts=SILENT)


def alerts(canary: Iterable[str] = (), fleet: Iterable[str] = (), before: Iterable[str] = ()) -> FiringAlerts:
    """Alerts that can be told."""
    return FiringAlerts(canary=frozenset(canary), fleet=frozenset(fleet), fleet_before=frozenset(before))


def decided(seen: Observation) -> tuple[str, str]:
    """Decision and reason."""
    verdict = judge_release(seen)
    assert verdict.sentence
    return verdict.decision.value, verdict.reason.value


def test_a_healthy_window_is_promoted() -> None:
    """Four complete runs in time, all alerts silent, the lag over."""
    assert decided(HEALTHY) == ("promote", "healthy")
    four = replace(WELL, completed=4, fetches=4, verified=4)
    assert decided(replace(HEALTHY, canary=four)) == ("promote", "healthy")


CASES = {
    "a mismatch": (replace(HEALTHY, canary=replace(WELL, mismatches=1)), "roll_back", "mismatch"),
    "a mismatch in the first second": (
        replace(HEALTHY, open_seconds=1, canary=Cohort(completed=1, mismatches=1)),
        "roll_back",
        "mismatch",
    ),
    "a duplicate suspicion": (replace(HEALTHY, canary=replace(WELL, suspicions=1)), "roll_back", "duplicate_suspicion"),
    "two failures of seven": (replace(HEALTHY, canary=replace(WELL, failed=2)), "roll_back", "error_ratio"),
    "nothing but failures": (
        replace(HEALTHY, canary=Cohort(failed=4, errors={"mono_server_error": 4})),
        "roll_back",
        "error_ratio",
    ),
    "failures before the lag is over": (
        replace(HEALTHY, open_seconds=60, canary=Cohort(failed=4)),
        "roll_back",
        "error_ratio",
    ),
    "three failures and nothing else": (
        replace(HEALTHY, canary=Cohort(failed=3)),
        "hold",
        "insufficient_data",
    ),
    "one failure of six": (replace(HEALTHY, canary=replace(WELL, failed=1)), "hold", "error_ratio"),
    "one failure of ten": (replace(HEALTHY, canary=replace(WELL, completed=9, failed=1)), "promote", "healthy"),
    "two slow fetches": (
        replace(HEALTHY, canary=replace(WELL, slow=2, p95_seconds=2.1)),
        "roll_back",
        "latency",
    ),
    "one slow fetch": (replace(HEALTHY, canary=replace(WELL, slow=1, p95_seconds=9.0)), "hold", "latency"),
    "slow fetches below the percentile": (replace(HEALTHY, canary=replace(WELL, slow=2)), "promote", "healthy"),
    "exactly the SLA": (replace(HEALTHY, canary=replace(WELL, p95_seconds=SLA_SECONDS)), "promote", "healthy"),
    "the lag not over": (replace(HEALTHY, open_seconds=ALERTING_LAG_SECONDS - 1), "hold", "alerting_lag"),
    "three complete runs": (
        replace(HEALTHY, canary=replace(WELL, completed=3, fetches=3)),
        "hold",
        "insufficient_data",
    ),
    "no run at all": (replace(HEALTHY, canary=Cohort()), "hold", "insufficient_data"),
    "full histories alone": (
        replace(HEALTHY, canary=replace(WELL, fetches=0, p95_seconds=None)),
        "hold",
        "insufficient_data",
    ),
    "the rest fails more than before": (
        replace(HEALTHY, rest=replace(WELL, completed=8, failed=2)),
        "roll_back",
        "rest_worse",
    ),
    "the rest fails as before": (
        replace(HEALTHY, rest=replace(WELL, failed=5), rest_before=replace(WELL, failed=5)),
        "promote",
        "healthy",
    ),
    "one failure of the rest": (replace(HEALTHY, rest=replace(WELL, completed=3, failed=1)), "promote", "healthy"),
    "two failures of three of the rest": (
        replace(HEALTHY, rest=Cohort(completed=1, failed=2)),
        "promote",
        "healthy",
    ),
    "a mismatch of the rest": (replace(HEALTHY, rest=replace(WELL, mismatches=1)), "roll_back", "rest_worse"),
    "a mismatch of the rest that was there before": (
        replace(HEALTHY, rest=replace(WELL, mismatches=1), rest_before=replace(WELL, mismatches=1)),
        "promote",
        "healthy",
    ),
    "the canary's failure rate": (
        replace(HEALTHY, alerts=alerts([HIGH_FAILURE_RATE], [HIGH_FAILURE_RATE])),
        "roll_back",
        "alert_firing",
    ),
    "the canary's latency": (replace(HEALTHY, alerts=alerts([LATENCY_SLA])), "roll_back", "alert_firing"),
    "the canary's zero transactions": (replace(HEALTHY, alerts=alerts([ZERO_TRANSACTIONS])), "hold", "alert_firing"),
    "an alert of the rest": (replace(HEALTHY, alerts=alerts([], [LATENCY_SLA])), "roll_back", "rest_worse"),
    "zero transactions of the rest": (
        replace(HEALTHY, alerts=alerts([], [ZERO_TRANSACTIONS])),
        "hold",
        "rest_worse",
    ),
    "an alert of the rest that fired before": (
        replace(HEALTHY, alerts=alerts([], [LATENCY_SLA], [LATENCY_SLA])),
        "promote",
        "healthy",
    ),
    "an alert before the lag is over": (
        replace(HEALTHY, open_seconds=60, alerts=alerts([LATENCY_SLA])),
        "hold",
        "alerting_lag",
    ),
    "alerts that nobody can read": (replace(HEALTHY, alerts=FiringAlerts()), "hold", "alerts_unknown"),
    "the canary's alerts unknown": (replace(HEALTHY, alerts=replace(SILENT, canary=None)), "hold", "alerts_unknown"),
    "the alerts before unknown": (
        replace(HEALTHY, alerts=replace(SILENT, fleet_before=None)),
        "hold",
        "alerts_unknown",
    ),
    "without alerts, as was said": (
        replace(HEALTHY, alerts=FiringAlerts(), alerts_waived=True),
        "promote",
        "healthy",
    ),
    "a mismatch, without alerts": (
        replace(HEALTHY, canary=replace(WELL, mismatches=1), alerts_waived=True),
        "roll_back",
        "mismatch",
    ),
    "too little, and the latency alert": (
        replace(HEALTHY, canary=Cohort(completed=1), alerts=alerts([LATENCY_SLA])),
        "roll_back",
        "alert_firing",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_window_has_one_verdict(case: str) -> None:
    """And the reason is the one that an operator must act on."""
    seen, decision, reason = CASES[case]

    assert decided(seen) == (decision, reason)


def test_every_decision_and_reason_is_one_that_happens() -> None:
    """No word of the gate is dead."""
    verdicts = [judge_release(seen) for seen, _, _ in CASES.values()]

    assert {verdict.decision for verdict in verdicts} == set(GateDecision)
    assert {verdict.reason for verdict in verdicts} == set(GateReason)


def test_a_verdict_names_its_numbers() -> None:
    """Who reads it at nine in the morning needs no second command to know why."""
    failing = Cohort(completed=2, failed=3, errors={"mono_refused": 1, "mono_server_error": 2})
    slow = replace(WELL, slow=5, p95_seconds=7.25)

    assert judge_release(replace(HEALTHY, canary=failing)).sentence == (
        "3 of 5 runs failed (mono_refused 1, mono_server_error 2)"
    )
    assert judge_release(replace(HEALTHY, canary=slow)).sentence == "p95 of 5 fetches is 7.2 s, the SLA is 2 s"
    assert judge_release(replace(HEALTHY, open_seconds=60)).sentence == "open for 60 s; an alert may take 420 s"


def test_limits_are_settings() -> None:
    """A window of a minute with a lag of none, as tests have it."""
    quick = GateLimits(alerting_lag_seconds=0, min_completed_runs=1, max_error_ratio=0.5, max_p95_seconds=10)
    seen = replace(HEALTHY, open_seconds=0, canary=replace(WELL, completed=1, fetches=1, p95_seconds=9.0, failed=1))

    assert judge_release(seen, quick).decision is GateDecision.PROMOTE


def made[T](record: Callable[..., T], **fields: SearchStrategy[object]) -> SearchStrategy[T]:
    """As `st.builds`, which would ask for the record's signature, and so for its annotations at run time."""
    return st.fixed_dictionaries(fields).map(lambda chosen: record(**chosen))


small = st.integers(0, 6)
cohorts = made(
    Cohort,
    completed=small,
    incomplete=small,
    failed=small,
    stopped=small,
    fetches=small,
    p95_seconds=st.none() | st.floats(0, 5),
    slow=small,
    mismatches=st.integers(0, 1),
    suspicions=st.integers(0, 1),
)
sets = st.none() | st.frozensets(st.sampled_from(REQUIRED_ALERTS))
windows = made(
    Observation,
    open_seconds=st.floats(0, 1000),
    canary=cohorts,
    rest=cohorts,
    rest_before=cohorts,
    alerts=made(FiringAlerts, canary=sets, fleet=sets, fleet_before=sets),
    alerts_waived=st.booleans(),
)


@given(windows)
def test_what_is_promoted_has_nothing_against_it(seen: Observation) -> None:
    """Whatever else was seen: each condition of the release holds by itself."""
    canary = seen.canary
    if judge_release(seen).decision is not GateDecision.PROMOTE:
        return

    assert canary.completed >= 4
    assert canary.mismatches == canary.suspicions == 0
    assert canary.error_ratio <= 0.1
    assert canary.p95_seconds is not None
    assert canary.p95_seconds <= 2
    assert seen.open_seconds >= ALERTING_LAG_SECONDS
    if not seen.alerts_waived:
        assert seen.alerts.canary == NONE
        assert seen.alerts.fleet is not None
        assert seen.alerts.fleet_before is not None
        assert seen.alerts.fleet <= seen.alerts.fleet_before


@given(windows)
def test_more_harm_never_mends_a_verdict(seen: Observation) -> None:
    """A mismatch on top of anything is rolled back."""
    worse = replace(seen, canary=replace(seen.canary, mismatches=1))

    assert judge_release(worse).decision is GateDecision.ROLL_BACK


def run(account: str = "a", status: str = "completed", kind: str = "incremental", **more: object) -> EndedRun:
    """One run."""
    verdict = {"completed": VerdictKind.VERIFIED, "incomplete": VerdictKind.UNVERIFIABLE}.get(status)
    return EndedRun(
        account_id=account,
        kind=RunKind(kind),
        status=RunStatus(status),
        **({"verdict": verdict, "seconds": 0.5, "rows_seen": 3} | more),  # type: ignore[arg-type]
    )


def test_a_cohort_is_the_sum_of_its_runs() -> None:
    """Each status, verdict and reason is counted once; full histories are no fetches, stopped runs no failures."""
    cohort = cohort_of(
        [
            run(),
            run(account="b", seconds=2.5),
            run(rows_seen=0),
            run(verdict=VerdictKind.MISMATCH),
            run(kind="full", seconds=80.0),
            run(status="incomplete"),
            run(status="failed", error_code="mono_server_error", seconds=9.0),
            run(status="failed", error_code="mono_refused"),
            run(status="failed", error_code="mono_server_error"),
            run(status="stopped"),
        ],
        suspicions=2,
    )

    assert cohort == Cohort(
        accounts=2,
        completed=5,
        incomplete=1,
        failed=3,
        stopped=1,
        errors={"mono_refused": 1, "mono_server_error": 2},
        fetches=5,
        p95_seconds=2.5,
        slow=1,
        zero_runs=1,
        verified=4,
        unverifiable=1,
        mismatches=1,
        suspicions=2,
    )
    assert cohort.judged_runs == 9
    assert cohort.error_ratio == pytest.approx(1 / 3)


def test_of_no_runs_there_is_no_percentile() -> None:
    """And no failure: nothing is known, and nothing is made up."""
    assert cohort_of([], suspicions=0) == Cohort()
    assert Cohort().error_ratio == 0
    assert percentile([]) is None


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (4, 4), (19, 19), (20, 19), (21, 20), (100, 95)])
def test_the_percentile_is_the_nearest_rank(count: int, rank: int) -> None:
    """Of few fetches it is the slowest; order does not matter."""
    assert percentile([float(number) for number in range(count, 0, -1)]) == rank
