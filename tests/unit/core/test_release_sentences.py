"""What a verdict on a window says in words, and the numbers at which it turns."""

from __future__ import annotations

from copy import replace

from mono_pipeline.core.release_cohort import SLA_SECONDS, Cohort
from mono_pipeline.core.release_gate import (
    ALERTING_LAG_SECONDS,
    HIGH_FAILURE_RATE,
    LATENCY_SLA,
    ZERO_TRANSACTIONS,
    FiringAlerts,
    GateDecision,
    GateLimits,
    GateReason,
    GateVerdict,
    Observation,
    judge_release,
)

NONE: frozenset[str] = frozenset()
BOTH = frozenset({HIGH_FAILURE_RATE, LATENCY_SLA})
ENOUGH = GateLimits().min_completed_runs
WELL = Cohort(accounts=1, completed=ENOUGH, fetches=ENOUGH, p95_seconds=0.4, verified=ENOUGH)
SEEN = Observation(
    open_seconds=ALERTING_LAG_SECONDS,
    canary=WELL,
    rest=WELL,
    rest_before=WELL,
    alerts=FiringAlerts(canary=NONE, fleet=NONE, fleet_before=NONE),
)


def test_alerts_are_named_one_after_the_other() -> None:
    """Those of the accounts that are judged, and those of all others."""
    names = ", ".join(sorted(BOTH))
    own = judge_release(replace(SEEN, alerts=FiringAlerts(canary=BOTH, fleet=BOTH, fleet_before=NONE)))
    others = judge_release(replace(SEEN, alerts=FiringAlerts(canary=NONE, fleet=BOTH, fleet_before=NONE)))

    assert own.sentence == f"{names} fires for the accounts that are judged"
    assert others.sentence == f"{names} fires for other accounts and did not before"


def test_no_transactions_at_other_accounts_is_a_doubt_that_is_named() -> None:
    """As it is at the accounts that are judged."""
    zero = frozenset({ZERO_TRANSACTIONS})
    seen = judge_release(replace(SEEN, alerts=FiringAlerts(canary=NONE, fleet=zero, fleet_before=NONE)))

    assert seen == GateVerdict(
        decision=GateDecision.HOLD,
        reason=GateReason.REST_WORSE,
        sentence=f"{ZERO_TRANSACTIONS} fires for other accounts and did not before",
    )


def test_alerts_that_nobody_can_tell_are_said_to_be_so() -> None:
    """In one sentence."""
    seen = judge_release(replace(SEEN, alerts=FiringAlerts()))

    assert seen.sentence == "whether the three required alerts fire cannot be told"


def test_failures_are_told_with_their_reasons_where_there_are_any() -> None:
    """And without brackets where there are none."""
    failing = replace(WELL, failed=ENOUGH)
    told = judge_release(replace(SEEN, canary=failing)).sentence
    why = judge_release(replace(SEEN, canary=replace(failing, errors={"mono_rejected": 3, "unknown": 1}))).sentence

    assert told == f"{ENOUGH} of {2 * ENOUGH} runs failed"
    assert why == f"{ENOUGH} of {2 * ENOUGH} runs failed (mono_rejected 3, unknown 1)"


def test_as_many_slow_fetches_as_are_enough_to_judge_roll_back() -> None:
    """Not one more is waited for."""
    slow = replace(WELL, fetches=ENOUGH, slow=ENOUGH, p95_seconds=SLA_SECONDS + 1)

    assert judge_release(replace(SEEN, canary=slow)).decision is GateDecision.ROLL_BACK


def test_others_are_worse_beyond_the_ratio_and_not_at_it() -> None:
    """By as many runs as are enough to judge."""
    half = GateLimits(max_error_ratio=0.5, min_completed_runs=6)
    at_it = replace(WELL, completed=3, failed=3)
    beyond = replace(WELL, completed=2, failed=4)
    canary = replace(WELL, completed=6, fetches=6)

    assert judge_release(replace(SEEN, canary=canary, rest=at_it), half).decision is GateDecision.PROMOTE
    seen = judge_release(replace(SEEN, canary=canary, rest=beyond), half)
    assert (seen.decision, seen.reason) == (GateDecision.ROLL_BACK, GateReason.REST_WORSE)


def test_enough_full_histories_are_still_nothing_that_the_sla_is_about() -> None:
    """That they were enough is not what is lacking."""
    seen = judge_release(replace(SEEN, canary=replace(WELL, fetches=0, p95_seconds=None)))

    assert seen.sentence == f"{ENOUGH} complete runs, but none that the SLA is about: all were full histories"
