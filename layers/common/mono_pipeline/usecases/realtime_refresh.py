"""Lets Mono go to the bank for an account: one paid call, its job looked at by the tick, then a normal sync.

What guards a call from being made twice is written down before it is made (`RealtimeStore.reserve`). A call is never
made again for an answer that did not come: it may have cost money, and Mono tells its end by a webhook too.
"""

from __future__ import annotations

from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from msgspec import Struct

from mono_pipeline.adapters.inbox_store import InboxStore
from mono_pipeline.adapters.queue import FetchRequested
from mono_pipeline.adapters.realtime_store import CallTarget, RealtimeStore
from mono_pipeline.core import realtime
from mono_pipeline.core.classify import classify
from mono_pipeline.core.errors import MonoError, ProviderPaused
from mono_pipeline.core.flag import decide
from mono_pipeline.core.identity import message_group
from mono_pipeline.core.realtime import CallOutcome, CallState, RealtimePolicy, Refusal
from mono_pipeline.core.run import RunKind
from mono_pipeline.core.wire import JobState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

    from mono_pipeline.adapters.realtime_store import OpenCall
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.flag import FlagReading
    from mono_pipeline.core.wire import RealtimeJob
    from mono_pipeline.usecases.collaborators import Collaborators
    from mono_pipeline.usecases.paid_calls import PaidCalls

REQUESTED_BY: Final = "realtime"
_ANY_POLICY: Final = (RealtimePolicy.ON_DEMAND, RealtimePolicy.DAILY)
_ENDS: Final = frozenset({CallState.FINISHED, CallState.FAILED})
_POLLS: Final = 200  # jobs looked at by one tick; the others a tick later


class _Made(Struct, frozen=True, kw_only=True):
    """A call that is written down and under way."""

    call_id: int
    target: CallTarget
    correlation_id: str
    answer: Future[RealtimeJob | None]


class RealtimeRefresh:
    """Makes real-time calls and ends them."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators
        self._store = RealtimeStore(collaborators.database)
        self._inbox = InboxStore(collaborators.database)

    def ask(
        self, target: CallTarget, *, requested_by: str, correlation_id: str, deadline: Deadline
    ) -> CallOutcome | Refusal:
        """Make a person's call for one account, and say what came of it, or why none was made.

        When the bank's data are there already, a sync is asked for. Raises DependencyUnavailable.
        """
        try:
            made = self._make(
                target,
                policies=_ANY_POLICY,
                requested_by=requested_by,
                correlation_id=correlation_id,
                deadline=deadline,
            )
        finally:
            self._with.budget.give_back()
        if isinstance(made, Refusal):
            return made
        outcome = self._settle(made)
        self._wake([(target, correlation_id)] if outcome.state is CallState.FINISHED else [])
        return outcome

    def start_daily(self, reading: FlagReading, deadline: Deadline) -> int:
        """Make the daily calls that are due and fit in before `deadline`, a few at once; returns how many.

        Stops at the month's cap, at the rate budget's end, and at the first 402: an empty wallet needs no second proof.
        """
        left_out: set[int] = set()
        made = 0
        while deadline.remaining() > realtime.CALL_SECONDS:
            due = self._store.daily(limit=self._with.settings.pages_in_flight, leaving_out=left_out)
            if not due:
                return made
            wanted = [target for target in due if _enabled(reading, target)]
            left_out |= {target.id for target in due}
            batch, stop = self._make_all(wanted, deadline)
            outcomes = [self._settle(each) for each in batch]
            made += len(batch)
            self._wake(
                (each.target, each.correlation_id)
                for each, outcome in zip(batch, outcomes, strict=True)
                if outcome.state is CallState.FINISHED
            )
            if stop or any(outcome.turns_off for outcome in outcomes):
                return made
        return made

    def poll(self, calls: PaidCalls, deadline: Deadline, *, only: int | None = None) -> int:
        """Look at the jobs whose time has come, of one account (`only`) or of all; returns how many have ended.

        A job that Mono tells nothing of stays open until it is a day old.
        """
        ended = 0
        taken = self._store.take_polls(limit=_POLLS, only=only)
        for batch in batched(taken, self._with.settings.pages_in_flight, strict=False):
            if deadline.expired:
                break
            try:
                ended += self._poll_together(batch, calls, deadline)
            except ProviderPaused:
                break
        return ended

    def _make_all(self, targets: Iterable[CallTarget], deadline: Deadline) -> tuple[list[_Made], bool]:
        """The calls made, and whether it is no use to go on."""
        made: list[_Made] = []
        for target in targets:
            each = self._make(
                target,
                policies=(RealtimePolicy.DAILY,),
                requested_by="schedule",
                correlation_id=str(uuid4()),
                deadline=deadline,
            )
            if isinstance(each, _Made):
                made.append(each)
            elif each in {Refusal.MONTHLY_CAP, Refusal.RATE_BUDGET}:
                return made, True
        return made, False

    def _make(
        self,
        target: CallTarget,
        *,
        policies: Iterable[RealtimePolicy],
        requested_by: str,
        correlation_id: str,
        deadline: Deadline,
    ) -> _Made | Refusal:
        """The token first, then the reservation, then the call: what is reserved is called for at once."""
        # a probe of an open circuit must not be a call that costs money and that nobody repeats
        if not self._with.budget.take(1).tokens or self._with.budget.probing:
            return self._refused(target, Refusal.RATE_BUDGET)
        cap_ngn = self._with.settings.realtime_monthly_cap_ngn
        call_id = self._store.reserve(
            target.id, policies=policies, cap_ngn=cap_ngn, requested_by=requested_by, correlation_id=correlation_id
        )
        if call_id is None:
            why = realtime.refusal(self._store.standing(target.id), cap_ngn=cap_ngn)
            return self._refused(target, why or Refusal.RECENT)  # None: another one has just been there
        until = deadline.within(realtime.CALL_SECONDS)
        answer = self._with.executor.submit(self._with.mono.start_realtime, target.mono_account_id, deadline=until)
        return _Made(call_id=call_id, target=target, correlation_id=correlation_id, answer=answer)

    def _refused(self, target: CallTarget, why: Refusal) -> Refusal:
        self._with.observer.event("mono.realtime.not_asked", None, account_id=target.mono_account_id, reason=why)
        return why

    def _settle(self, made: _Made) -> CallOutcome:
        """What the answer makes of the call, written down. There is no second attempt, whatever it is."""
        try:
            outcome = realtime.of_answer(made.answer.result())
        except MonoError as error:
            outcome = realtime.of_error(error)
        if outcome.job_id and self._store.knows_job(made.target.id, outcome.job_id, other_than=made.call_id):
            outcome = CallOutcome(state=CallState.REFUSED, charged_ngn=0, reason="last_job_again")
        self._note(made.target, made.call_id, outcome, made.correlation_id)
        return outcome

    def _poll_together(self, batch: Iterable[OpenCall], calls: PaidCalls, deadline: Deadline) -> int:
        asked = [
            (
                call,
                calls.start(partial(self._with.mono.job, call.target.mono_account_id, call.job_id, deadline=deadline)),
            )
            for call in batch
            if call.job_id is not None
        ]
        ends = [(call, realtime.lost("no_answer")) for call in batch if call.job_id is None]
        for call, flight in asked:
            try:
                outcome = _of_job(calls.finish(flight).state, call)
            except MonoError as error:
                reason = classify(error).reason
                self._with.observer.event(
                    "mono.realtime.unclear", None, account_id=call.target.mono_account_id, reason=reason
                )
                outcome = realtime.lost(reason) if call.lost else None
            if outcome is not None:
                ends.append((call, outcome))
        for call, outcome in ends:
            self._note(call.target, call.id, outcome, call.correlation_id)
        self._wake((call.target, call.correlation_id) for call, end in ends if end.state is CallState.FINISHED)
        return len(ends)

    def _note(self, target: CallTarget, call_id: int, outcome: CallOutcome, correlation_id: str) -> None:
        """Keep an outcome; when the bank's data are there, with the request for the sync that reads them."""
        with self._with.database.transaction():
            # how the job went says nothing of a link that the account has got since
            if outcome.state in _ENDS and self._inbox.hold_link(target.id, target.mono_account_id):
                failed = outcome.state is CallState.FAILED
                self._store.job_ended(target.id, outcome, needs_customer=failed)
            else:
                self._store.note(call_id, target.id, outcome)
            if outcome.state is CallState.FINISHED:
                self._with.runs.request(
                    target.id,
                    kind=RunKind.INCREMENTAL,
                    asked=None,
                    requested_by=REQUESTED_BY,
                    correlation_id=correlation_id,
                )
        self._tell(target, outcome, correlation_id)

    def _tell(self, target: CallTarget, outcome: CallOutcome, correlation_id: str) -> None:
        about = {"account_id": target.mono_account_id, "correlation_id": correlation_id, "job_id": outcome.job_id}
        if outcome.state is CallState.PROCESSING:
            self._with.observer.event("mono.realtime.asked", None, **about)
            return
        self._with.observer.event(
            "mono.realtime.ended",
            None,
            **about,
            state=outcome.state,
            charged_ngn=outcome.charged_ngn,
            has_new_data=outcome.has_new_data,
            reason=outcome.reason,
        )
        if outcome.turns_off:
            self._with.observer.event("mono.realtime.turned_off", None, **about, reason=outcome.reason)

    def _wake(self, fresh: Iterable[tuple[CallTarget, str]]) -> None:
        """Send for the syncs that were asked for; one that gets lost is sent for by the tick."""
        self._with.daily.send_many(
            [
                (
                    FetchRequested(
                        account_id=target.mono_account_id, correlation_id=correlation_id, requested_by=REQUESTED_BY
                    ),
                    message_group(target.mono_customer_id, target.mono_account_id),
                )
                for target, correlation_id in fresh
            ]
        )


def _of_job(state: JobState, call: OpenCall) -> CallOutcome | None:
    """What a look at a job tells; None while it is under way. Whether there were new data only the webhook says."""
    if state is JobState.FINISHED:
        return realtime.ended(finished=True, job_id=call.job_id, has_new_data=None)
    if state is JobState.FAILED:
        return realtime.ended(finished=False, job_id=call.job_id, has_new_data=False)
    return realtime.lost("not_ended") if call.lost else None


def _enabled(reading: FlagReading, target: CallTarget) -> bool:
    return decide(reading, target.first_mono_account_id, also_known_as={target.mono_account_id}).enabled
