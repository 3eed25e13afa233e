"""Real-time calls, decided: what an answer, an error and a job's end make of a call, and what it costs."""

from __future__ import annotations

from copy import replace

import pytest

from mono_pipeline.core import realtime
from mono_pipeline.core.errors import (
    MonoError,
    MonoNotFound,
    MonoRateLimited,
    MonoRefused,
    MonoRejected,
    MonoServerError,
    MonoUnintelligible,
    MonoUnreachable,
    MonoUntrusted,
)
from mono_pipeline.core.realtime import CallOutcome, CallState, RealtimePolicy, Refusal, Standing
from mono_pipeline.core.wire import RealtimeJob, realtime_job
from mono_pipeline.core.wire.jobs import JobState

JOB = "66f3d5c1a2b3c4d5e6f70819"


def job(state: JobState, *, has_new_data: bool = False, job_id: str | None = JOB) -> RealtimeJob:
    """Return a job as headers tell of it."""
    return RealtimeJob(id=job_id, state=state, has_new_data=has_new_data)


def test_a_finished_job_with_new_data_is_charged() -> None:
    """NGN 100 (Mono contract 1)."""
    outcome = realtime.of_answer(job(JobState.FINISHED, has_new_data=True))

    assert outcome == CallOutcome(state=CallState.FINISHED, charged_ngn=100, job_id=JOB, has_new_data=True)


def test_a_finished_job_without_the_header_brought_nothing_and_is_free() -> None:
    """Since 2025-09-15 it is only sent when there is new data: absent is false, whatever the letter case."""
    named = realtime_job({"x-job-id": JOB, "x-job-status": "FINISHED"})

    assert realtime.of_answer(named) == CallOutcome(
        state=CallState.FINISHED, charged_ngn=0, job_id=JOB, has_new_data=False
    )


def test_a_failed_job_is_free() -> None:
    """It brought no new data."""
    outcome = realtime.of_answer(job(JobState.FAILED))

    assert outcome == CallOutcome(state=CallState.FAILED, charged_ngn=0, job_id=JOB, has_new_data=False)


@pytest.mark.parametrize("said", [True, False, None])
def test_a_job_that_failed_has_brought_nothing_whatever_is_said_of_it(
    said: bool | None,  # noqa: FBT001 - a parameter of the test
) -> None:
    """New data of a bank that did not let Mono in are none."""
    assert realtime.ended(finished=False, job_id=JOB, has_new_data=said).has_new_data is False


@pytest.mark.parametrize("state", [JobState.PROCESSING, JobState.UNKNOWN])
def test_a_job_that_is_not_said_to_have_ended_is_awaited(state: JobState) -> None:
    """`processing`, a word that nobody knows, or none at all: it is asked about by its id, and not settled yet."""
    assert realtime.of_answer(job(state)) == CallOutcome(state=CallState.PROCESSING, job_id=JOB)


@pytest.mark.parametrize("named", [None, job(JobState.PROCESSING, job_id=None), job(JobState.UNKNOWN, job_id=None)])
def test_an_answer_without_a_job_counts_as_charged(named: RealtimeJob | None) -> None:
    """Nobody can ask about it, and it may have cost money."""
    outcome = realtime.of_answer(named)

    assert (outcome.state, outcome.charged_ngn) == (CallState.UNKNOWN, 100)


@pytest.mark.parametrize(
    "error",
    [
        MonoRefused(401),
        MonoRefused(402),
        MonoRefused(403),
        MonoNotFound(),
        MonoRejected(400),
        MonoRateLimited(None),
        MonoUntrusted("x"),
    ],
)
def test_a_call_that_was_refused_started_nothing_and_is_free(error: MonoError) -> None:
    """Business accounts, the window's 429, an empty wallet: and 402 alone turns real-time off."""
    outcome = realtime.of_error(error)

    assert (outcome.state, outcome.charged_ngn) == (CallState.REFUSED, 0)
    assert outcome.reason
    assert outcome.turns_off == (isinstance(error, MonoRefused) and error.status == 402)


@pytest.mark.parametrize("error", [MonoUnreachable("x"), MonoServerError(502), MonoUnintelligible("not_json")])
def test_a_call_whose_answer_did_not_come_counts_as_charged(error: MonoError) -> None:
    """Mono may have gone to the bank: neither free, nor to be made again."""
    outcome = realtime.of_error(error)

    assert (outcome.state, outcome.charged_ngn, outcome.turns_off) == (CallState.UNKNOWN, 100, False)


@pytest.mark.parametrize(
    ("has_new_data", "charged_ngn"),
    [(True, 100), (False, 0), (None, 100)],
)
def test_not_knowing_whether_there_was_new_data_counts_as_charged(
    has_new_data: bool | None,  # noqa: FBT001 - a parameter of the test
    charged_ngn: int,
) -> None:
    """The cap is a promise about money; a later word of Mono's gives it back."""
    assert realtime.ended(finished=True, job_id=JOB, has_new_data=has_new_data).charged_ngn == charged_ngn
    assert realtime.ended(finished=False, job_id=JOB, has_new_data=None).charged_ngn == 0
    assert realtime.lost("x").charged_ngn == 100


def test_a_call_of_which_nothing_more_is_heard_says_why() -> None:
    """The reason that it was given up for is what the table and the event tell."""
    assert realtime.lost("not_ended") == CallOutcome(state=CallState.UNKNOWN, charged_ngn=100, reason="not_ended")


def test_an_answer_without_a_job_says_so() -> None:
    """Its reason is a word that the tables are searched for."""
    assert realtime.of_answer(None).reason == "no_job"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (MonoRefused(402), "mono_payment_required"),
        (MonoServerError(502), "mono_server_error"),
        (MonoUnreachable("x"), "mono_unreachable"),
    ],
)
def test_a_call_that_failed_has_the_reason_of_the_error_table(error: MonoError, reason: str) -> None:
    """Whether it was refused or not answered."""
    assert realtime.of_error(error).reason == reason


READY = Standing(policy=RealtimePolicy.DAILY, unlinked=False, seconds_since=300.0, open_call=False, spent_ngn=900)


@pytest.mark.parametrize(
    ("changed", "cap_ngn", "why"),
    [
        ({}, 1_000, None),
        ({"seconds_since": None}, 1_000, None),
        ({"policy": RealtimePolicy.ON_DEMAND}, 1_000, None),
        ({"policy": RealtimePolicy.NEVER}, 1_000, Refusal.POLICY_NEVER),
        ({"unlinked": True, "policy": RealtimePolicy.NEVER}, 1_000, Refusal.UNLINKED),
        ({"seconds_since": 299.9}, 1_000, Refusal.RECENT),
        ({"open_call": True}, 1_000, Refusal.RECENT),
        ({"seconds_since": 299.9}, 0, Refusal.RECENT),
        ({}, 999, Refusal.MONTHLY_CAP),
        ({"spent_ngn": 0}, 0, Refusal.MONTHLY_CAP),
    ],
)
def test_why_no_call_is_made(changed: dict[str, object], cap_ngn: int, why: Refusal | None) -> None:
    """One reason, the most telling one; a cap of 0 allows none."""
    standing = replace(READY, **changed)  # type: ignore[arg-type]

    assert realtime.refusal(standing, cap_ngn=cap_ngn) is why
