"""Real-time calls, decided: who may make one, what an answer makes of it, what it costs, when its job is looked at.

A call with `x-realtime: true` lets Mono go to the bank, for each account once in five minutes (Mono contract 2.6). It
costs NGN 100, and nothing where it brings no new data (contract 1).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.core.classify import classify
from mono_pipeline.core.errors import (
    MonoNotFound,
    MonoRateLimited,
    MonoRefused,
    MonoRejected,
    MonoUntrusted,
)
from mono_pipeline.core.wire import JobState

if TYPE_CHECKING:
    from mono_pipeline.core.errors import MonoError
    from mono_pipeline.core.wire import RealtimeJob

CALL_NGN: Final = 100
GUARD_SECONDS: Final = 300  # inside it Mono answers with the last job, unchanged
DAY_SECONDS: Final = 86_400
# Mono answers a call at once, or (documents of 2024) after 30 s with the job still under way.
CALL_SECONDS: Final = 35.0
FIRST_POLL_SECONDS: Final = 30.0
POLL_SECONDS: Final = 240.0  # less than a tick: each tick looks at a job once
LOST_SECONDS: Final = 86_400  # a job that has not ended after a day: nobody waits for it any longer
UNANSWERED_SECONDS: Final = 600  # no call is under way for so long: who made it is gone
_PAYMENT_REQUIRED: Final = 402


class RealtimePolicy(StrEnum):
    """When Mono may be asked to go to the bank for an account."""

    NEVER = "never"
    ON_DEMAND = "on-demand"  # when a person asks
    DAILY = "daily"  # once in 24 hours, and when a person asks


class CallState(StrEnum):
    """How a call stands; the first two are open."""

    ASKED = "asked"  # written down; no answer known yet
    PROCESSING = "processing"  # its job is under way
    FINISHED = "finished"  # Mono has fetched from the bank
    FAILED = "failed"  # Mono could not: the customer must sign in again
    REFUSED = "refused"  # Mono started nothing
    UNKNOWN = "unknown"  # perhaps it did, and nobody will tell


class CallOutcome(Struct, frozen=True, kw_only=True):
    """What a call has come to. `has_new_data` None is what Mono did not say; `charged_ngn` None while it is open."""

    state: CallState
    charged_ngn: int | None = None
    job_id: str | None = None
    has_new_data: bool | None = None
    reason: str | None = None
    turns_off: bool = False


def of_answer(job: RealtimeJob | None) -> CallOutcome:
    """What the headers of the answer to a call make of it.

    Where they name no job there is none to ask about: what was reserved stays counted.
    """
    if job is None or (job.id is None and job.state not in {JobState.FINISHED, JobState.FAILED}):
        return CallOutcome(state=CallState.UNKNOWN, charged_ngn=CALL_NGN, reason="no_job")
    if job.state is JobState.FINISHED:
        return ended(finished=True, job_id=job.id, has_new_data=job.has_new_data)
    if job.state is JobState.FAILED:
        return ended(finished=False, job_id=job.id, has_new_data=False)
    return CallOutcome(state=CallState.PROCESSING, job_id=job.id)


def ended(*, finished: bool, job_id: str | None, has_new_data: bool | None) -> CallOutcome:
    """What the end of its job makes of a call: only new data cost, and not knowing counts as having got some."""
    free = has_new_data is False or not finished
    return CallOutcome(
        state=CallState.FINISHED if finished else CallState.FAILED,
        charged_ngn=0 if free else CALL_NGN,
        job_id=job_id,
        has_new_data=has_new_data if finished else False,
    )


def of_error(error: MonoError) -> CallOutcome:
    """What an error makes of a call. Refused by its status it started nothing; any other may have.

    402 turns real-time off for the account, and nothing else: reading the stored copy is not what it is about.
    """
    reason = classify(error).reason
    if isinstance(error, MonoRateLimited | MonoRefused | MonoNotFound | MonoRejected | MonoUntrusted):
        off = isinstance(error, MonoRefused) and error.status == _PAYMENT_REQUIRED
        return CallOutcome(state=CallState.REFUSED, charged_ngn=0, reason=reason, turns_off=off)
    return CallOutcome(state=CallState.UNKNOWN, charged_ngn=CALL_NGN, reason=reason)


def lost(reason: str) -> CallOutcome:
    """A call of which nothing more will be heard: it counts as charged."""
    return CallOutcome(state=CallState.UNKNOWN, charged_ngn=CALL_NGN, reason=reason)


class Refusal(StrEnum):
    """Why no call was made."""

    POLICY_NEVER = "policy_never"
    UNLINKED = "unlinked"
    FLAG_OFF = "flag_off"
    MONTHLY_CAP = "monthly_cap"
    RATE_BUDGET = "rate_budget"  # or the provider is paused
    RECENT = "recent"  # one was made less than five minutes ago, or its job is still under way


class Standing(Struct, frozen=True, kw_only=True):
    """How an account and the month stand. `seconds_since` the last call is None where there was none."""

    policy: RealtimePolicy
    unlinked: bool
    seconds_since: float | None
    open_call: bool
    spent_ngn: int


def refusal(standing: Standing, *, cap_ngn: int) -> Refusal | None:
    """Why no call may be made now; None where one may. A call that is not due yet is refused before its price."""
    if standing.unlinked:
        return Refusal.UNLINKED
    if standing.policy is RealtimePolicy.NEVER:
        return Refusal.POLICY_NEVER
    if standing.open_call or (standing.seconds_since is not None and standing.seconds_since < GUARD_SECONDS):
        return Refusal.RECENT
    if standing.spent_ngn + CALL_NGN > cap_ngn:
        return Refusal.MONTHLY_CAP
    return None
