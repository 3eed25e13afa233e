"""Where a cohort's numbers turn: a fetch of exactly the SLA, and a failure without a reason."""

from __future__ import annotations

import pytest

from mono_pipeline.core.release_cohort import SLA_SECONDS, EndedRun, cohort_of
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VerdictKind


@pytest.mark.parametrize(("beyond", "slow"), [(-0.001, 0), (0.0, 0), (0.001, 1)])
def test_a_fetch_is_slow_beyond_the_sla_and_not_at_it(beyond: float, slow: int) -> None:
    """Two seconds are what is promised."""
    run = EndedRun(
        account_id="a",
        kind=RunKind.INCREMENTAL,
        status=RunStatus.COMPLETED,
        verdict=VerdictKind.VERIFIED,
        seconds=SLA_SECONDS + beyond,
        rows_seen=1,
    )

    assert cohort_of([run], suspicions=0).slow == slow


def test_a_failure_without_a_reason_is_counted_as_unknown() -> None:
    """An operator sees that there were some, whatever they were."""
    runs = [
        EndedRun(account_id="a", kind=RunKind.FULL, status=RunStatus.FAILED, error_code=code)
        for code in (None, "mono_rejected", None)
    ]

    assert cohort_of(runs, suspicions=0).errors == {"mono_rejected": 1, "unknown": 2}
