"""Real-time calls in PostgreSQL: written down before they are made, ended once, and paid for from the month's cap."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.adapters.statements import statements
from mono_pipeline.core import realtime
from mono_pipeline.core.realtime import CallOutcome, CallState, RealtimePolicy, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from mono_pipeline.adapters.postgres import Database, Row

_SQL = statements("realtime")


class CallTarget(Struct, frozen=True, kw_only=True):
    """An account that is to be asked for, or whose job is looked at; ids as in `bank_accounts`."""

    id: int
    mono_account_id: str
    first_mono_account_id: str
    mono_customer_id: str | None


class OpenCall(Struct, frozen=True, kw_only=True):
    """A call whose job is to be looked at; `job_id` None where its answer never came, `lost` after a day."""

    id: int
    target: CallTarget
    job_id: str | None
    correlation_id: str
    lost: bool


class RealtimeStore:
    """The rows of `realtime_calls`, and what they say of their accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(
        self,
        account_id: int,
        *,
        policies: Iterable[RealtimePolicy],
        cap_ngn: int,
        requested_by: str,
        correlation_id: str,
    ) -> int | None:
        """Write a call down and return its id; None where the account or the month allows none now.

        One statement: a caller that dies after it has made its one call, as far as anybody will ever know.
        """
        row = self._database.row(
            _SQL["reserve_call"],
            account_id=account_id,
            policies=[str(policy) for policy in policies],
            cap_ngn=cap_ngn,
            price_ngn=realtime.CALL_NGN,
            guard_seconds=realtime.GUARD_SECONDS,
            unanswered_seconds=realtime.UNANSWERED_SECONDS,
            requested_by=requested_by,
            correlation_id=correlation_id,
        )
        return None if row is None else int(row["id"])

    def standing(self, account_id: int) -> Standing:
        """How the account and this month stand."""
        row = self._database.rows(_SQL["standing"], account_id=account_id)[0]
        return Standing(
            policy=RealtimePolicy(row["realtime"]),
            unlinked=row["unlinked"],
            seconds_since=row["seconds_since"],
            open_call=row["open_call"],
            spent_ngn=row["spent_ngn"],
        )

    def note(self, call_id: int, account_id: int, outcome: CallOutcome) -> bool:
        """Keep what the answer or the job has made of a call, and of its account; True when that ended it now.

        Several statements: to be called in a transaction.
        """
        if outcome.state is CallState.PROCESSING:
            self._database.rows(
                _SQL["await_job"], call_id=call_id, job_id=outcome.job_id, poll_seconds=realtime.FIRST_POLL_SECONDS
            )
            return False
        if outcome.turns_off:
            self._database.rows(_SQL["turn_off"], account_id=account_id, reason=outcome.reason)
        ended = self._database.rows(
            _SQL["end_call"],
            call_id=call_id,
            state=outcome.state,
            charged_ngn=outcome.charged_ngn,
            job_id=outcome.job_id,
            has_new_data=outcome.has_new_data,
            reason=outcome.reason,
        )
        return bool(ended[0]["ended"])

    def job_ended(
        self,
        account_id: int,
        outcome: CallOutcome,
        *,
        needs_customer: bool,
        learned_at: datetime | None = None,
    ) -> bool:
        """The one way in which a real-time job ends, whoever learns of it: a poll, an answer or a webhook.

        `needs_customer` says that a failed job failed for want of the customer. A finished one makes the account fresh
        as of when its call was made, for the bank was asked no earlier; a job that no call of ours has, as of
        `learned_at` (now). True where a call of ours ended now. To be called in a transaction.
        """
        call = self._database.row(_SQL["call_of_job"], account_id=account_id, job_id=outcome.job_id)
        ended = call is not None and self.note(call["id"], account_id, outcome)
        as_of = learned_at if call is None else call["asked_at"]
        if outcome.state is CallState.FINISHED:
            # an instant that was only learned later says nothing of what the bank wanted in between
            self.note_fresh(account_id, as_of=as_of, proves=call is not None or learned_at is None)
        elif needs_customer:
            self._database.rows(_SQL["note_reauthorisation_required"], account_id=account_id, as_of=as_of)
        return ended

    def note_fresh(self, account_id: int, *, as_of: datetime | None = None, proves: bool = True) -> None:
        """Mono has confirmed the bank's data as of `as_of` (now); the account's instant only rises.

        `proves` says that the link is known to have worked at that very instant.
        """
        self._database.rows(_SQL["note_fresh"], account_id=account_id, as_of=as_of, proves=proves)

    def knows_job(self, account_id: int, job_id: str, *, other_than: int) -> bool:
        """Whether a call before `other_than` had this job."""
        row = self._database.rows(_SQL["knows_job"], account_id=account_id, job_id=job_id, call_id=other_than)[0]
        return bool(row["known"])

    def take_polls(self, *, limit: int, only: int | None = None) -> list[OpenCall]:
        """Open calls that are to be looked at now, each moved to its next time; `only` of one account."""
        rows = self._database.rows(
            _SQL["take_polls"],
            limit=limit,
            only=only,
            poll_seconds=realtime.POLL_SECONDS,
            lost_seconds=realtime.LOST_SECONDS,
        )
        return [
            OpenCall(
                id=row["id"],
                target=_target(row, id_column="account_id"),
                job_id=row["job_id"],
                correlation_id=row["correlation_id"],
                lost=row["lost"],
            )
            for row in rows
        ]

    def daily(self, *, limit: int, leaving_out: Iterable[int]) -> list[CallTarget]:
        """Accounts whose daily call is due."""
        rows = self._database.rows(
            _SQL["daily_accounts"], limit=limit, left_out=list(leaving_out), day_seconds=realtime.DAY_SECONDS
        )
        return [_target(row) for row in rows]

    def set_policy(self, account_id: int, policy: RealtimePolicy) -> None:
        """Set when Mono may be asked to go to the bank."""
        self._database.rows(_SQL["set_policy"], account_id=account_id, policy=policy)

    def newest(self, account_id: int) -> Row | None:
        """The account's last call, None where there was none."""
        return self._database.row(_SQL["newest_call"], account_id=account_id)


def _target(row: Row, *, id_column: str = "id") -> CallTarget:
    return CallTarget(
        id=row[id_column],
        mono_account_id=row["mono_account_id"],
        first_mono_account_id=row["first_mono_account_id"],
        mono_customer_id=row["mono_customer_id"],
    )
