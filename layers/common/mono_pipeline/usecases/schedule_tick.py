"""The tick: asks for a run of every account that is due, and wakes again what was asked for and never served."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from uuid import uuid4

from msgspec import Struct

from mono_pipeline.adapters.queue import SCHEDULE, FetchRequested
from mono_pipeline.core.flag import decide
from mono_pipeline.core.identity import message_group
from mono_pipeline.core.run import RunKind
from mono_pipeline.usecases.failure_letters import FailureLetters

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mono_pipeline.adapters.account_store import DueAccount
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.flag import Decision, FlagReading
    from mono_pipeline.usecases.collaborators import Collaborators

_BATCH = 500
_QUIET_SECONDS = 600.0  # an open run that nobody woke for this long was lost on its way
_SECONDS_PER_HOUR = 3_600.0
# an account that the flag leaves out is looked at again soon: raising the percentage must not wait for the interval
_LEFT_OUT_SECONDS = 900.0


class TickResult(Struct, frozen=True, kw_only=True):
    """What one tick did. `deferred` accounts were due, and the flag is off for them.

    `dead_letters_sent` are accounts that had failed too often, and whose message a worker had not got onto its queue.
    """

    requested: int = 0
    woken_again: int = 0
    deferred: int = 0
    dead_letters_sent: int = 0

    def __add__(self, other: TickResult) -> TickResult:
        return TickResult(
            requested=self.requested + other.requested,
            woken_again=self.woken_again + other.woken_again,
            deferred=self.deferred + other.deferred,
            dead_letters_sent=self.dead_letters_sent + other.dead_letters_sent,
        )


class ScheduleTick:
    """Serves the schedule. Two ticks at once never ask for the same account twice."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators

    def tick(self, deadline: Deadline) -> TickResult:
        """Go through everything that is due, in batches, until none is left or time is up."""
        reading = self._with.flag.read()
        if reading.off_for_everyone:
            # nothing is touched: what is due stays due, and turning the flag on finds it
            reason = decide(reading).reason
            self._with.observer.event("mono.flag.decided", None, enabled=False, flag_reason=reason)
            self._with.observer.event("mono.pipeline.deferred", None, flag_reason=reason)
            return TickResult()
        result = TickResult(dead_letters_sent=FailureLetters(self._with).send_unsent())
        result += self._wake_unserved(reading)
        while not deadline.expired:
            correlation_id = str(uuid4())
            due, wanted = self._request_due(reading, correlation_id)
            self._send(wanted, correlation_id)
            result += TickResult(requested=len(wanted), deferred=len(due) - len(wanted))
            if len(due) < _BATCH:
                break
        return result

    def _request_due(self, reading: FlagReading, correlation_id: str) -> tuple[list[DueAccount], list[DueAccount]]:
        """Take what is due and ask for its runs, in one commit: a tick that dies leaves it due, or asked for.

        Returns all that was due, and of it those for which the flag is on.
        """
        with self._with.database.transaction():
            due = self._with.accounts.take_due(
                limit=_BATCH,
                interval_seconds=self._with.settings.sync_interval_hours * _SECONDS_PER_HOUR,
            )
            wanted = self._wanted(reading, due)
            for account in wanted:
                self._with.runs.request_unless_open(
                    account.id, kind=account.kind, requested_by=SCHEDULE, correlation_id=correlation_id
                )
            left_out = {account.id for account in due} - {account.id for account in wanted}
            self._with.accounts.look_again(left_out, seconds=_LEFT_OUT_SECONDS)
        return due, wanted

    def _wake_unserved(self, reading: FlagReading) -> TickResult:
        lost = self._with.accounts.take_unserved(limit=_BATCH, quiet_seconds=_QUIET_SECONDS)
        wanted = self._wanted(reading, lost)
        self._send(wanted, str(uuid4()))
        return TickResult(woken_again=len(wanted))

    def _wanted(self, reading: FlagReading, accounts: list[DueAccount]) -> list[DueAccount]:
        """Those of the accounts for which the flag is on; why, and for how many, is told in one line a reason."""
        decisions = [(account, _decide(reading, account)) for account in accounts]
        for (enabled, reason), count in Counter((each.enabled, each.reason) for _, each in decisions).items():
            self._with.observer.event("mono.flag.decided", None, enabled=enabled, flag_reason=reason, count=count)
        return [account for account, decision in decisions if decision.enabled]

    def _send(self, accounts: list[DueAccount], correlation_id: str) -> None:
        for queue, kinds in (
            (self._with.daily, {RunKind.INCREMENTAL, RunKind.WINDOW}),
            (self._with.backfill, {RunKind.FULL}),
        ):
            queue.send_many(_messages((a for a in accounts if a.kind in kinds), correlation_id))


def _messages(accounts: Iterable[DueAccount], correlation_id: str) -> list[tuple[FetchRequested, str]]:
    return [
        (
            FetchRequested(account_id=account.mono_account_id, correlation_id=correlation_id, requested_by=SCHEDULE),
            message_group(account.mono_customer_id, account.mono_account_id),
        )
        for account in accounts
    ]


def _decide(reading: FlagReading, account: DueAccount) -> Decision:
    return decide(reading, account.first_mono_account_id, also_known_as={account.mono_account_id})
