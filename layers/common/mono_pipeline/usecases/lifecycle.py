"""What a worker does with an event of Mono's: write it down with its effect in one commit, then read the account.

Mono is asked before the transaction, never inside. What cannot be decided because Mono does not answer is written down
as waiting, and a tick takes it up again: an outage of Mono's dead-letters nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.adapters.inbox_store import Effect, InboxStore, Sighting
from mono_pipeline.adapters.queue import FetchRequested
from mono_pipeline.adapters.realtime_store import RealtimeStore
from mono_pipeline.core import realtime
from mono_pipeline.core.errors import AccountUnknown
from mono_pipeline.core.link_state import is_success, judge_link, mark_of, revives, wants_read
from mono_pipeline.core.run import LinkStatus, RunKind
from mono_pipeline.core.webhook_event import WebhookKind
from mono_pipeline.usecases.account_linking import AccountLinking, Landing
from mono_pipeline.usecases.mono_page import MonoPage, look_up
from mono_pipeline.usecases.wake_up import WEBHOOK, WakeUp

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from mono_pipeline.adapters.inbox_store import LinkedAccount
    from mono_pipeline.adapters.queue import WebhookReceived
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.link_state import LinkState
    from mono_pipeline.core.run import Account
    from mono_pipeline.core.webhook_event import WebhookEvent
    from mono_pipeline.core.wire import AccountSnapshot
    from mono_pipeline.usecases.collaborators import Collaborators

SECOND_LOOK_SECONDS: Final = 600.0  # banks lag behind a new link; a tick or two later is soon enough
RUNS_IN_AN_INTERVAL: Final = 5  # a link that is made, refreshed or signed in to is told of by two or three events
URGENT_RUNS_IN_AN_INTERVAL: Final = 10  # of all: a link that breaks and heals by turns does not read without end
_WAITING_AT_ONCE: Final = 50
_LANDINGS: Final = {
    Landing.KNOWN: Effect.NOTED,
    Landing.IMPORTED: Effect.IMPORTED,
    Landing.RELINKED: Effect.RELINKED,
    Landing.FORMER: Effect.FORMER_LINK,
}
_ENDS: Final = {"FINISHED": True, "FAILED": False}


class Heard(Struct, frozen=True, kw_only=True):
    """What came of an event. `read` is what of the account is to be read now, None where nothing is."""

    effect: Effect | None
    read: RunKind | None = None


class Lifecycle:
    """Serves Mono's events."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators.in_one_invocation()
        self._inbox = InboxStore(collaborators.database)

    def serve(self, message: WebhookReceived, *, received_at: datetime, deadline: Deadline) -> Heard:
        """Write the event down and do what it asks for. `received_at` is when it became ours: SQS's instant.

        Raises DependencyUnavailable: the queue will deliver again, and again is harmless.
        """
        heard = self.hear(message, received_at=received_at, deadline=deadline)
        wake = FetchRequested(
            account_id=message.account_id, correlation_id=message.correlation_id, requested_by=WEBHOOK
        )
        if heard.read is RunKind.FULL:  # as long as it takes, beside the daily work
            self._with.backfill.send(wake, group=message.account_id)
        elif heard.read is not None:
            WakeUp(self._with, queue=self._with.daily).go_on(wake, deadline=deadline)
        return heard

    def take_up_waiting(self, deadline: Deadline) -> int:
        """Go on with events for which Mono could not be asked before; returns how many there were."""
        due = self._inbox.take_waiting(limit=_WAITING_AT_ONCE, retry_seconds=SECOND_LOOK_SECONDS)
        for message, received_at in due:
            if deadline.expired:
                break  # each comes back by itself
            heard = self.hear(message, received_at=received_at, deadline=deadline)
            if heard.read is not None:
                queue = self._with.backfill if heard.read is RunKind.FULL else self._with.daily
                wake = FetchRequested(
                    account_id=message.account_id, correlation_id=message.correlation_id, requested_by=WEBHOOK
                )
                queue.send(wake, group=message.account_id)
        return len(due)

    def hear(self, message: WebhookReceived, *, received_at: datetime, deadline: Deadline) -> Heard:
        """Write the event and its effect down; asks for a run where one is wanted, and starts none."""
        sighting = Sighting(message=message, received_at=received_at, mark=mark_of(message.event))
        page = self._ask_mono(sighting, deadline)
        with self._with.database.transaction():
            self._inbox.lock_link(message.account_id)
            heard = self._again(message) or self._write(sighting, page)
        self._tell(message, heard)
        return heard

    def _ask_mono(self, sighting: Sighting, deadline: Deadline) -> MonoPage | None:
        """Mono's page, where the event is of an account that we do not know, or may give an unlinked one back."""
        message = sighting.message
        known = self._inbox.find(message.event.event_key)
        if known is not None and message.event.has_event_id and known.effect is not Effect.WAITING:
            return None
        account = self._find(message.account_id)
        kind = message.event.kind
        if account is None:
            return None if kind is WebhookKind.UNLINKED else look_up(self._with, message.account_id, deadline)
        if kind is not WebhookKind.CONNECTED or account.link_status is not LinkStatus.UNLINKED:
            return None
        if sighting.mark is None or not revives(self._inbox.marks(message.account_id), sighting.told_at):
            return None
        return look_up(self._with, message.account_id, deadline)

    def _again(self, message: WebhookReceived) -> Heard | None:
        """What there is to do for an event whose id is known for good: see that its run is under way."""
        known = self._inbox.find(message.event.event_key)
        if known is None or not message.event.has_event_id or known.effect is Effect.WAITING:
            return None
        self._inbox.count_delivery(message.event.event_key)
        if known.account_id is None or known.effect is Effect.FORMER_LINK or not wants_read(message.event):
            return Heard(effect=None)
        return Heard(effect=None, read=self._inbox.open_kind(known.account_id))

    def _write(self, sighting: Sighting, page: MonoPage | None) -> Heard:
        message = sighting.message
        if page is not None and page.retry_seconds is not None:
            self._inbox.write(sighting, Effect.WAITING, retry_seconds=page.retry_seconds)
            return Heard(effect=Effect.WAITING)
        account = self._find(message.account_id)
        if account is None:
            return self._write_of_unknown(sighting, page.snapshot if page else None)
        if account.mono_account_id != message.account_id:
            return self._write_of_former(sighting, account.id)
        if page is not None and page.absent:  # it was to give an unlinked account back, and Mono knows better
            self._inbox.write(_without_mark(sighting), Effect.NOTED, account_id=account.id)
            return Heard(effect=Effect.NOTED)
        return self._write_of_known(sighting, account.id, Effect.NOTED, None)

    def _write_of_unknown(self, sighting: Sighting, snapshot: AccountSnapshot | None) -> Heard:
        if snapshot is None or snapshot.currency is None:
            effect = Effect.UNKNOWN_ACCOUNT if snapshot is None else Effect.NO_CURRENCY
            self._inbox.write(sighting, effect)
            return Heard(effect=effect)
        landed = AccountLinking(self._with).land(
            snapshot, requested_by=WEBHOOK, correlation_id=sighting.message.correlation_id
        )
        if landed.landing is Landing.FORMER:
            return self._write_of_former(sighting, landed.account_id)
        return self._write_of_known(sighting, landed.account_id, _LANDINGS[landed.landing], landed.run_id)

    def _write_of_former(self, sighting: Sighting, account_id: int) -> Heard:
        self._inbox.write(sighting, Effect.FORMER_LINK, account_id=account_id)
        return Heard(effect=Effect.FORMER_LINK)

    def _write_of_known(self, sighting: Sighting, account_id: int, effect: Effect, run_id: UUID | None) -> Heard:
        # it was found without a lock: the end of an old link and the beginning of its successor arrive together
        if not self._inbox.hold_link(account_id, sighting.message.account_id):
            return self._write_of_former(sighting, account_id)
        event = sighting.message.event
        self._note_freshness(account_id, sighting)
        account = self._inbox.lock(account_id)
        state = judge_link(account.marks.noting(sighting.mark, sighting.told_at))
        status = self._settle(account, state, sighting, landed=effect is not Effect.NOTED)
        if effect is Effect.NOTED and status is not account.link_status:
            effect = Effect.CHANGED
        read = None
        # an account that Mono refuses is tried again on its next webhook, whatever that says
        if status is not LinkStatus.UNLINKED and (wants_read(event) or status is LinkStatus.REFUSED):
            run_id, read = self._ask_for_read(account, sighting, run_id, urgent=effect is not Effect.NOTED)
        self._inbox.write(sighting, effect, account_id=account_id, run_id=run_id)
        return Heard(effect=effect, read=read)

    def _settle(self, account: LinkedAccount, state: LinkState, sighting: Sighting, *, landed: bool) -> LinkStatus:
        """Keep how the link stands. That Mono refuses the account is for a run to find out of, not for an event."""
        status = state.status
        if status is LinkStatus.UNLINKED and account.link_status is not LinkStatus.UNLINKED:
            self._inbox.stop(account.id)
        elif account.link_status is LinkStatus.REFUSED and status is not LinkStatus.UNLINKED:
            status = LinkStatus.REFUSED
        new = landed or sighting.message.event.kind is WebhookKind.CONNECTED
        self._inbox.settle(
            account.id,
            state,
            status=status,
            look_again_seconds=SECOND_LOOK_SECONDS if new else None,
        )
        return status

    def _note_freshness(self, account_id: int, sighting: Sighting) -> None:
        """What an event tells of a real-time job, and of how fresh the bank's data are."""
        event, store = sighting.message.event, RealtimeStore(self._with.database)
        finished = _finished(event)
        if event.job_id is not None and finished is not None:
            # only the event on the account says whether there was anything new (contract 5.3)
            has_new = event.has_new_data if event.kind is WebhookKind.UPDATED else None
            store.job_ended(
                account_id,
                realtime.ended(finished=finished, job_id=event.job_id, has_new_data=has_new),
                needs_customer=event.sync_status == "REAUTHORISATION_REQUIRED",
                learned_at=sighting.told_at,
            )
        elif is_success(event):
            store.note_fresh(account_id, as_of=sighting.told_at)

    def _ask_for_read(
        self, account: LinkedAccount, sighting: Sighting, run_id: UUID | None, *, urgent: bool
    ) -> tuple[UUID | None, RunKind | None]:
        """A run that sees what the event tells of: asked for already, begun since, or new; and what is left to read.

        None where so many events came that a tick asks for it, when its time has come; an `urgent` one, of a link that
        stands otherwise than before, is put off later than others.
        """
        if run_id is not None:
            return run_id, RunKind.FULL
        covering = self._inbox.covering_run(account.id, sighting.received_at)
        if covering is not None:
            return covering["run_id"], RunKind(covering["kind"]) if covering["waiting"] else None
        if self._put_off(account, urgent=urgent):
            return None, None
        first = not account.was_read and not self._with.runs.has_open(account.id)
        kind = RunKind.FULL if first else RunKind.INCREMENTAL
        asked = self._with.runs.request(
            account.id,
            kind=kind,
            asked=None,
            requested_by=WEBHOOK,
            correlation_id=sighting.message.correlation_id,
        )
        return asked, kind

    def _put_off(self, account: LinkedAccount, *, urgent: bool) -> bool:
        return self._inbox.put_off_read(
            account.id,
            requested_by=WEBHOOK,
            runs=URGENT_RUNS_IN_AN_INTERVAL if urgent else RUNS_IN_AN_INTERVAL,
            interval_seconds=self._with.settings.webhook_interval_seconds,
        )

    def _find(self, mono_account_id: str) -> Account | None:
        try:
            return self._with.accounts.find(mono_account_id)
        except AccountUnknown:
            return None

    def _tell(self, message: WebhookReceived, heard: Heard) -> None:
        self._with.observer.event(
            f"mono.webhook.{heard.effect or 'repeated'}",
            None,
            account_id=message.account_id,
            correlation_id=message.correlation_id,
            kind=message.event.kind,
        )


def _finished(event: WebhookEvent) -> bool | None:
    """Whether the real-time job that an event is about has brought the bank's data; None where it says nothing."""
    if event.kind is WebhookKind.JOB_UPDATED:
        return _ENDS.get(event.job_status or "")
    if event.kind is WebhookKind.UPDATED and event.sync_status is not None:
        return is_success(event)
    return None


def _without_mark(sighting: Sighting) -> Sighting:
    return Sighting(message=sighting.message, received_at=sighting.received_at, mark=None)
