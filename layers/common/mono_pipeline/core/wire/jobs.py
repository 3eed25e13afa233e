"""Real-time jobs: what the headers of a real-time call say, and what `GET /v2/accounts/{id}/jobs/{job}` answers.

Mono contract 2.6.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from mono_pipeline.core.errors import InvalidInput, MonoUnintelligible
from mono_pipeline.core.identity import parse_job_id
from mono_pipeline.core.wire.envelope import open_envelope, refuse_flaws
from mono_pipeline.core.wire.refusal import Refusal
from mono_pipeline.core.wire.shape import Shape, shaped

if TYPE_CHECKING:
    from collections.abc import Mapping


class JobState(StrEnum):
    """How a job stands. Only `finished` makes what was read with it a complete observation."""

    FINISHED = "finished"
    PROCESSING = "processing"
    FAILED = "failed"
    UNKNOWN = "unknown"  # absent, or a word that Mono's documents do not have


class RealtimeJob(Struct, frozen=True, kw_only=True):
    """The job that a real-time call started, or the last one when it came within five minutes of that.

    `id` is None where Mono sent none that can be asked about.
    """

    id: str | None
    state: JobState
    has_new_data: bool


class JobStatus(Struct, frozen=True, kw_only=True):
    """A job by itself; `name` is Mono's, such as `jobs.accounts.sync_statement`."""

    id: str
    state: JobState
    name: str | None


class _Job(Shape, frozen=True):
    id: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
    status: str
    name: str | None = None
    account: str | None = None


def realtime_job(headers: Mapping[str, str]) -> RealtimeJob | None:
    """The job that `headers` (case-insensitive) tell of, or None when they tell of none.

    `x-has-new-data` is only sent when there is new data, so that its absence means false.
    """
    job_id, status = headers.get("x-job-id"), headers.get("x-job-status")
    if job_id is None and status is None:
        return None
    return RealtimeJob(
        id=_usable(job_id),
        state=_state(status or ""),
        has_new_data=headers.get("x-has-new-data", "").strip().lower() == "true",
    )


def parse_job(body: bytes, *, account_id: str, job_id: str) -> JobStatus:
    """The job that was asked for.

    Raises:
        MonoUnintelligible: the answer is refused: `bad_job`, also for another job, or `wrong_account`.
    """
    payload = open_envelope(body).payload
    refuse_flaws(payload)
    job = shaped(_Job, payload, otherwise=Refusal.BAD_JOB)
    if job.id != job_id:
        raise MonoUnintelligible(Refusal.BAD_JOB)
    if job.account not in {None, account_id}:
        raise MonoUnintelligible(Refusal.WRONG_ACCOUNT)
    return JobStatus(id=job.id, state=_state(job.status), name=job.name)


def _state(word: str) -> JobState:
    known = {state.value: state for state in JobState}
    return known.get(word.strip().lower(), JobState.UNKNOWN)


def _usable(job_id: str | None) -> str | None:
    try:
        return parse_job_id(job_id or "")
    except InvalidInput:
        return None
