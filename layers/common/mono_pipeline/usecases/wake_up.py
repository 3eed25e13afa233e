"""What a worker does with a wake-up: every open run of the account, one after the other, until none is left."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from mono_pipeline.adapters.queue import MAX_HOPS, REPLAY, SCHEDULE, FetchRequested
from mono_pipeline.core.errors import AccountUnknown, AlreadyRunning, LeaseLost
from mono_pipeline.core.flag import decide
from mono_pipeline.core.run import BACKFILL, LinkStatus, RunKind, RunStatus
from mono_pipeline.usecases.account_sync import AccountSync

if TYPE_CHECKING:
    from mono_pipeline.adapters.queue import WorkQueue
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.flag import Decision
    from mono_pipeline.core.run import Account
    from mono_pipeline.usecases.collaborators import Collaborators

WEBHOOK: Final = "mono.webhook.received"  # `requested_by` of what an event has asked for in the database
_ASKED_BEFORE: Final = frozenset({SCHEDULE, REPLAY, WEBHOOK, BACKFILL})  # these write the row before they send

_FRESH_SECONDS: Final = 1.0  # at most one question to SSM a second and environment, however many wake-ups are put off


class Served(StrEnum):
    """What became of a wake-up; in every case the message has done its work."""

    DONE = "done"
    DEFERRED = "deferred"  # the flag is off: the run stays asked for
    ALREADY_RUNNING = "already_running"  # who holds the account serves this wake-up too
    CONTINUES = "continues"  # passed on in a new message
    PAUSED = "paused"  # the tick goes on with it
    UNKNOWN_ACCOUNT = "unknown_account"
    UNLINKED = "unlinked"
    DEAD_LETTERED = "dead_lettered"  # it failed too often: waits for a replay, or for a person


class WakeUp:
    """Serves one message of a work queue."""

    def __init__(self, collaborators: Collaborators, *, queue: WorkQueue) -> None:
        """`queue` is the one that the message came from; a run that is out of time is passed on there."""
        self._with = collaborators.in_one_invocation()
        self._queue = queue

    def serve(self, message: FetchRequested, *, sent_at: float, deadline: Deadline) -> Served:
        """Work on the account until nothing is asked for, or time is up.

        `sent_at` (Unix seconds) makes a repeated delivery harmless: what was asked then has been looked at by any run
        that started later. Raises DependencyUnavailable: the queue will deliver again.
        """
        return self._serve(message, sent_at=sent_at, deadline=deadline)

    def go_on(self, message: FetchRequested, *, deadline: Deadline) -> Served:
        """Work on what is asked for already; as `serve`, but it asks for nothing."""
        return self._serve(message, sent_at=None, deadline=deadline)

    def _serve(self, message: FetchRequested, *, sent_at: float | None, deadline: Deadline) -> Served:
        try:
            account = self._with.accounts.find(message.account_id)
        except AccountUnknown:
            return self._told(message, Served.UNKNOWN_ACCOUNT)
        decision = self._decide(account, message)
        if account.link_status is LinkStatus.UNLINKED:
            return self._told(message, Served.UNLINKED)
        if account.dead_lettered_at is not None:
            return self._told(message, Served.DEAD_LETTERED)
        if not decision.enabled:
            return self._told(message, Served.DEFERRED, flag_reason=decision.reason)
        if sent_at is not None:
            self._ask_if_unserved(account, message, sent_at)
        return self._work(account, message, decision.reason, deadline)

    def _decide(self, account: Account, message: FetchRequested) -> Decision:
        """On or off; before a wake-up is put off, the flag is read again.

        The caller may have seen a newer flag than this environment has kept: the run would wait for a tick for nothing.
        """
        names = {account.mono_account_id}
        decision = decide(self._with.flag.read(), account.first_mono_account_id, also_known_as=names)
        if not decision.enabled:
            fresh = self._with.flag.read(max_age=_FRESH_SECONDS)
            decision = decide(fresh, account.first_mono_account_id, also_known_as=names)
        self._with.observer.event(
            "mono.flag.decided",
            None,
            account_id=message.account_id,
            correlation_id=message.correlation_id,
            enabled=decision.enabled,
            flag_reason=decision.reason,
        )
        return decision

    def _ask_if_unserved(self, account: Account, message: FetchRequested, sent_at: float) -> None:
        """A message without a row (another program's) asks for the newest; one that was served asks for nothing.

        A run that began before such a message may have read past what it tells of, so that another one is asked for.
        Our own messages come after their row: while that is open it is what is asked for, and once it is not, it was
        served. Such a message may come late and more than once: the queue delivers again, and the tick sends again.
        """
        if message.hop > 0 or message.requested_by in _ASKED_BEFORE:
            return
        runs = self._with.runs
        if not runs.has_waiting(account.id) and not runs.served_since(account.id, sent_at):
            runs.request(
                account.id,
                kind=RunKind.INCREMENTAL,
                asked=None,
                requested_by=message.requested_by,
                correlation_id=message.correlation_id,
            )

    def _work(self, account: Account, message: FetchRequested, flag_reason: str, deadline: Deadline) -> Served:
        try:
            while not (handed_over := self._hands_over(account, message)) and (
                run := self._with.runs.claim(account.id, flag_reason=flag_reason, hop=message.hop)
            ):
                end = AccountSync(self._with).run(run, deadline)
                if end.paused is not None:
                    return self._told(message, Served.PAUSED, seconds=end.paused.seconds, reason=end.paused.reason)
                if end.dead_lettered or end.status is RunStatus.STOPPED:
                    return self._told(message, Served.DEAD_LETTERED if end.dead_lettered else Served.DEFERRED)
                if end.status is RunStatus.RUNNING or deadline.expired or self._is_tired(account):
                    return self._pass_on(account, message)
        except AlreadyRunning as running:
            return self._told(message, Served.ALREADY_RUNNING, run_id=running.run_id)
        except LeaseLost:
            return self._told(message, Served.ALREADY_RUNNING)
        return Served.CONTINUES if handed_over else Served.DONE

    def _hands_over(self, account: Account, message: FetchRequested) -> bool:
        """Whether what is left of the account is backfills: they go to their own queue, however many there are.

        A worker of the daily queue that read them would keep a day's work of others waiting.
        """
        if self._queue is not self._with.daily or not self._with.runs.backfill_is_next(account.id):
            return False
        self._send_on(account, message, requested_by=BACKFILL, queue=self._with.backfill)
        return True

    def _is_tired(self, account: Account) -> bool:
        """Whether more of the account is asked for than is to be begun with so little patience left."""
        return self._with.patience().is_short and self._with.runs.has_open(account.id)

    def _pass_on(self, account: Account, message: FetchRequested) -> Served:
        """Out of time or of patience: one message onward, or from the hop cap on the next tick."""
        if self._with.runs.has_open(account.id):
            self._send_on(account, message, requested_by=message.requested_by, queue=self._queue)
        return Served.CONTINUES

    def _send_on(self, account: Account, message: FetchRequested, *, requested_by: str, queue: WorkQueue) -> None:
        """One message onward; from the hop cap on the next tick sends."""
        if message.hop < MAX_HOPS:
            onward = FetchRequested(
                account_id=account.mono_account_id,
                correlation_id=message.correlation_id,
                requested_by=requested_by,
                hop=message.hop + 1,
            )
            queue.send(onward, group=account.mono_account_id)

    def _told(self, message: FetchRequested, served: Served, **fields: object) -> Served:
        name = "mono.pipeline.deferred" if served is Served.DEFERRED else f"mono.wake_up.{served}"
        self._with.observer.event(
            name, None, account_id=message.account_id, correlation_id=message.correlation_id, **fields
        )
        return served
