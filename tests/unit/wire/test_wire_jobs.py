"""Real-time jobs: only `finished` is finished, and only a sent header is true."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire import JobState, JobStatus, RealtimeJob, parse_job, realtime_job
from tests.unit.wire.wire_pages import ACCOUNT, OTHER_ACCOUNT

JOB = "66f3d5c1a2b3c4d5e6f70819"


def answer(**fields: Any) -> bytes:
    """An answer of `GET /v2/accounts/{id}/jobs/{job}`."""
    payload = {
        "id": JOB,
        "status": "finished",
        "name": "jobs.accounts.sync_statement",
        "account": ACCOUNT,
        "business": "66f3d5c1a2b3c4d5e6f70000",
        "app": "66f3d5c1a2b3c4d5e6f70001",
    } | fields
    return json.dumps({"status": "successful", "message": "x", "timestamp": "t", "data": payload}).encode()


def parsed(body: bytes) -> JobStatus:
    """The job `JOB` of `ACCOUNT`."""
    return parse_job(body, account_id=ACCOUNT, job_id=JOB)


WORDS = [
    ("finished", JobState.FINISHED),
    ("FINISHED", JobState.FINISHED),
    (" Processing ", JobState.PROCESSING),
    ("failed", JobState.FAILED),
    ("cancelled", JobState.UNKNOWN),
    ("", JobState.UNKNOWN),
    ("unknown", JobState.UNKNOWN),
]


@pytest.mark.parametrize(("word", "state"), WORDS)
def test_a_status_counts_in_any_letter_case_and_a_new_word_is_unknown(word: str, state: JobState) -> None:
    """What is not surely finished must not count as a complete observation."""
    assert parsed(answer(status=word)).state is state
    job = realtime_job({"x-job-id": JOB, "x-job-status": word})
    assert job is not None
    assert job.state is state


def test_a_job_has_its_name() -> None:
    """Balance and statement are two jobs."""
    assert parsed(answer()) == JobStatus(id=JOB, state=JobState.FINISHED, name="jobs.accounts.sync_statement")
    assert parsed(answer(name=None, account=None)).name is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": "another"}, "bad_job"),
        ({"id": None}, "bad_job"),
        ({"status": None}, "bad_job"),
        ({"status": True}, "bad_job"),
        ({"name": 7}, "bad_job"),
        ({"account": {"_id": ACCOUNT}}, "bad_job"),
        ({"account": OTHER_ACCOUNT}, "wrong_account"),
    ],
)
def test_another_job_or_account_than_the_asked_one_is_refused(fields: dict[str, Any], reason: str) -> None:
    """Its end would be taken for ours."""
    with pytest.raises(MonoUnintelligible) as refused:
        parsed(answer(**fields))
    assert refused.value.reason == reason


@pytest.mark.parametrize("payload", [None, [], "finished"])
def test_an_answer_without_a_job_is_refused(payload: Any) -> None:
    """An HTTP success is not yet a job."""
    with pytest.raises(MonoUnintelligible) as refused:
        parsed(json.dumps({"status": "successful", "data": payload}).encode())
    assert refused.value.reason == "bad_job"


@pytest.mark.parametrize(
    ("sent", "new"),
    [("true", True), ("TRUE", True), (" true", True), ("false", False), ("", False), (None, False)],
)
def test_new_data_is_there_only_when_mono_says_so(sent: str | None, *, new: bool) -> None:
    """Since September 2025 the header is only sent when there is new data."""
    headers = {"x-job-id": JOB, "x-job-status": "finished"} | ({} if sent is None else {"x-has-new-data": sent})
    job = realtime_job(headers)
    assert job == RealtimeJob(id=JOB, state=JobState.FINISHED, has_new_data=new)


def test_without_job_headers_there_is_no_job() -> None:
    """Other headers do not make one."""
    assert realtime_job({"content-type": "application/json", "x-has-new-data": "true"}) is None


@pytest.mark.parametrize("job_id", [None, "", "../x", "a b", "é", "x" * 65])
def test_a_job_whose_id_cannot_be_asked_about_has_none(job_id: str | None) -> None:
    """The page that came with it is good all the same."""
    headers = {"x-job-status": "processing"} | ({} if job_id is None else {"x-job-id": job_id})
    job = realtime_job(headers)
    assert job == RealtimeJob(id=None, state=JobState.PROCESSING, has_new_data=False)
