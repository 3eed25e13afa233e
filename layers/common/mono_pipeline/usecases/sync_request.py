"""`sync_banking_transactions`: what a caller who asks for one account gets, in the order in which it is decided."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from mono_pipeline.adapters.queue import FetchRequested
from mono_pipeline.core.errors import AccountBlocked, AlreadyRunning, LeaseLost
from mono_pipeline.core.flag import decide, guidance
from mono_pipeline.core.run import LinkStatus, RunKind, RunStatus
from mono_pipeline.usecases.account_sync import AccountSync, RunEnd

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from mono_pipeline.adapters.flag_reader import FlagReader
    from mono_pipeline.adapters.queue import WorkQueue
    from mono_pipeline.core.booking import DateWindow
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.errors import ProviderPaused
    from mono_pipeline.core.flag import Decision, Guidance
    from mono_pipeline.core.observer import Observer
    from mono_pipeline.core.run import Account, LeasedRun
    from mono_pipeline.usecases.collaborators import Collaborators

    type Row = dict[str, Any]


class SyncAsked(Struct, frozen=True, kw_only=True):
    """What the caller asked for; already of the right form. `window` None means the newest, or all at first."""

    account_id: str
    window: DateWindow | None
    correlation_id: str
    requested_by: str = "api"


class SyncAnswer(Struct, frozen=True, kw_only=True):
    """The answer in the words of the public interface; `run` is the run as `runs.show` reads it."""

    status: str
    run: Row | None = None
    guidance: Guidance | None = None
    paused: ProviderPaused | None = None
    blocked: str | None = None
    warnings: tuple[str, ...] = field(default=())


class SyncRequest:
    """Serves the API and the command line."""

    def __init__(self, *, flag: FlagReader, observer: Observer, connect: Callable[[], Collaborators]) -> None:
        """`connect` builds the rest, and is called only once the flag is on for somebody."""
        self._flag = flag
        self._observer = observer
        self._connect = connect

    @cached_property
    def _with(self) -> Collaborators:
        return self._connect().in_one_invocation()

    def ask(self, asked: SyncAsked, deadline: Deadline) -> SyncAnswer:
        """Decide, then sync until `deadline`; what is not done by then goes on in the queue.

        Off for everyone is answered without a database. Raises AccountUnknown, AccountBlocked, AlreadyRunning,
        DependencyUnavailable.
        """
        reading = self._flag.read()
        if reading.off_for_everyone:
            return self._deferred(asked, self._decided(asked, decide(reading)))
        account = self._with.accounts.find(asked.account_id)
        decision = decide(reading, account.first_mono_account_id, also_known_as={account.mono_account_id})
        if not self._decided(asked, decision).enabled:
            return self._deferred(asked, decision)
        if account.link_status is LinkStatus.UNLINKED:
            raise AccountBlocked(LinkStatus.UNLINKED)
        if account.dead_lettered_at is not None:
            self._with.accounts.revive(account.id)
        if account.last_full_read_at is None and asked.window is None:
            return self._hand_over(account, asked)
        return self._sync_now(account, asked, decision, deadline)

    def _decided(self, asked: SyncAsked, decision: Decision) -> Decision:
        self._observer.event(
            "mono.flag.decided",
            None,
            account_id=asked.account_id,
            correlation_id=asked.correlation_id,
            enabled=decision.enabled,
            flag_reason=decision.reason,
        )
        return decision

    def _deferred(self, asked: SyncAsked, decision: Decision) -> SyncAnswer:
        self._observer.event(
            "mono.pipeline.deferred",
            None,
            account_id=asked.account_id,
            correlation_id=asked.correlation_id,
            flag_reason=decision.reason,
        )
        return SyncAnswer(status="deferred", guidance=guidance(decision, self._flag.name, asked.account_id))

    def _hand_over(self, account: Account, asked: SyncAsked) -> SyncAnswer:
        """A first history is the backfill queue's: it may take longer than any caller waits."""
        self._with.runs.refuse_if_held(account.id)
        run_id = self._with.runs.request(
            account.id,
            kind=RunKind.FULL,
            asked=None,
            requested_by=asked.requested_by,
            correlation_id=asked.correlation_id,
        )
        self._wake(account, asked, self._with.backfill)
        return self._answer("accepted", run_id, account)

    def _sync_now(self, account: Account, asked: SyncAsked, decision: Decision, deadline: Deadline) -> SyncAnswer:
        kind = RunKind.WINDOW if asked.window else RunKind.INCREMENTAL
        run_id, leased = self._with.runs.request_and_claim(
            account.id,
            kind=kind,
            asked=asked.window,
            requested_by=asked.requested_by,
            correlation_id=asked.correlation_id,
            flag_reason=decision.reason,
        )
        try:
            end = self._run_through(run_id, leased, decision, deadline)
        except (LeaseLost, AlreadyRunning):
            return self._answer("accepted", run_id, account)  # who took the account over goes on with its runs
        if self._with.runs.has_open(account.id) and end.paused is None:
            self._wake(account, asked, self._with.daily, hop=1)
        return self._ended(run_id, end, account, asked, decision)

    def _run_through(self, run_id: UUID, leased: LeasedRun, decision: Decision, deadline: Deadline) -> RunEnd:
        """The run that was asked for; before it an interrupted one, if there is one."""
        end = AccountSync(self._with).run(leased, deadline)
        while leased.run_id != run_id and end.status is not RunStatus.RUNNING and not deadline.expired:
            following = self._with.runs.claim(leased.account.id, flag_reason=decision.reason)
            if following is None:
                break
            leased, end = following, AccountSync(self._with).run(following, deadline)
        return end

    def _ended(self, run_id: UUID, end: RunEnd, account: Account, asked: SyncAsked, decision: Decision) -> SyncAnswer:
        if end.paused is not None:
            return self._answer("paused", run_id, account, paused=end.paused)
        if end.run.run_id != run_id or end.status is RunStatus.RUNNING:
            return self._answer("accepted", run_id, account)
        if end.blocked is not None:
            return self._answer("account_blocked", run_id, account, blocked=end.blocked)
        if end.status is RunStatus.STOPPED:
            told = decide(self._flag.read(), account.first_mono_account_id, also_known_as={account.mono_account_id})
            return self._deferred(asked, told if not told.enabled else decision)
        return self._answer(end.status, run_id, account)

    def _wake(self, account: Account, asked: SyncAsked, queue: WorkQueue, *, hop: int = 0) -> None:
        message = FetchRequested(
            account_id=account.mono_account_id,
            correlation_id=asked.correlation_id,
            requested_by=asked.requested_by,
            hop=hop,
        )
        queue.send(message, group=account.mono_account_id)

    def _answer(
        self,
        status: str,
        run_id: UUID,
        account: Account,
        *,
        paused: ProviderPaused | None = None,
        blocked: str | None = None,
    ) -> SyncAnswer:
        warnings = ("reauth_required",) if account.link_status is LinkStatus.REAUTH_REQUIRED else ()
        return SyncAnswer(
            status=status, run=self._with.runs.show(run_id), paused=paused, blocked=blocked, warnings=warnings
        )
