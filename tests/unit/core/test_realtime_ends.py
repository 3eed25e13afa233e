"""What a real-time call came to when its job failed: it brought nothing, and costs nothing."""

from __future__ import annotations

import pytest

from mono_pipeline.core import realtime
from mono_pipeline.core.realtime import CallOutcome, CallState
from mono_pipeline.core.wire import JobState, RealtimeJob

FAILED = CallOutcome(state=CallState.FAILED, charged_ngn=0, job_id="j-1", has_new_data=False)


@pytest.mark.parametrize("has_new_data", [True, False])
def test_an_answer_with_a_failed_job_is_its_end(*, has_new_data: bool) -> None:
    """Whatever else its headers say."""
    job = RealtimeJob(id="j-1", state=JobState.FAILED, has_new_data=has_new_data)

    assert realtime.of_answer(job) == FAILED


@pytest.mark.parametrize("has_new_data", [True, False, None])
def test_a_job_that_failed_brought_nothing(*, has_new_data: bool | None) -> None:
    """New data without an end in success is a contradiction, and nobody pays for it."""
    assert realtime.ended(finished=False, job_id="j-1", has_new_data=has_new_data) == FAILED


@pytest.mark.parametrize(("has_new_data", "charged"), [(True, 100), (None, 100), (False, 0)])
def test_a_job_that_finished_costs_unless_mono_says_that_nothing_is_new(
    *, has_new_data: bool | None, charged: int
) -> None:
    """Not knowing counts as having got some."""
    assert realtime.ended(finished=True, job_id="j-1", has_new_data=has_new_data) == CallOutcome(
        state=CallState.FINISHED, charged_ngn=charged, job_id="j-1", has_new_data=has_new_data
    )
