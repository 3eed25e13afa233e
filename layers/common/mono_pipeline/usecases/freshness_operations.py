"""What a person asks of freshness through the ops function: a real-time call, its policy, an account's SLO."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from mono_pipeline.adapters.freshness_store import FreshnessStore
from mono_pipeline.adapters.realtime_store import CallTarget, RealtimeStore
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.flag import decide
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.realtime import RealtimePolicy, Refusal
from mono_pipeline.usecases.paid_calls import PaidCalls
from mono_pipeline.usecases.realtime_refresh import RealtimeRefresh

if TYPE_CHECKING:
    from datetime import datetime

    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.run import Account
    from mono_pipeline.usecases.collaborators import Collaborators

    type Event = dict[str, Any]

_LONGEST_SLO_HOURS: Final = 8_784  # a leap year
_INSTANTS: Final = frozenset({"asked_at", "polled_at", "ended_at"})


class FreshnessOperations:
    """Serves `monoctl sync --realtime`, `accounts realtime` and `accounts slo`."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators
        self._store = RealtimeStore(collaborators.database)

    def refresh(self, event: Event, deadline: Deadline) -> Event:
        """Make a real-time call for `account_id`: `asked`, or `refused` with the reason; as `show` besides.

        Asking again within five minutes makes no second call (`recent`). Raises InvalidInput, AccountUnknown.
        """
        account = self._account(event)
        refused = self._refuse_or_ask(account, str(event.get("correlation_id") or uuid4())[:64], deadline)
        status = {"status": "asked"} if refused is None else {"status": "refused", "reason": refused}
        return {**status, **self._standing(account)}

    def show(self, event: Event, deadline: Deadline) -> Event:
        """How the newest call for `account_id` stands; one whose job may have ended is looked at.

        Raises InvalidInput, AccountUnknown.
        """
        account = self._account(event)
        calls = PaidCalls(
            budget=self._with.budget, patience=self._with.patience(), executor=self._with.executor, deadline=deadline
        )
        try:
            RealtimeRefresh(self._with).poll(calls, deadline, only=account.id)
        finally:
            self._with.budget.give_back()
        return self._standing(account)

    def set_policy(self, event: Event) -> Event:
        """Set when real-time calls may be made for `account_id`: `policy` never, on-demand or daily.

        Raises InvalidInput, AccountUnknown.
        """
        account = self._account(event)
        words = [policy.value for policy in RealtimePolicy]
        if event.get("policy") not in words:
            raise InvalidInput("policy", f"is none of: {', '.join(words)}")
        self._store.set_policy(account.id, RealtimePolicy(event["policy"]))
        return self._standing(account)

    def set_slo(self, event: Event) -> Event:
        """From how many `hours` on `account_id` is stale; null for the setting's.

        Raises InvalidInput, AccountUnknown.
        """
        account = self._account(event)
        hours, default = event.get("hours"), self._with.settings.freshness_slo_hours
        if hours is not None and not (type(hours) is int and 1 <= hours <= _LONGEST_SLO_HOURS):
            raise InvalidInput("hours", f"is no whole number of hours from 1 to {_LONGEST_SLO_HOURS}")
        FreshnessStore(self._with.database, slo_hours=default).set_slo(account.id, hours)
        return {"account_id": account.mono_account_id, "slo_hours": default if hours is None else hours}

    def _account(self, event: Event) -> Account:
        return self._with.accounts.find(parse_account_id(str(event.get("account_id", ""))))

    def _refuse_or_ask(self, account: Account, correlation_id: str, deadline: Deadline) -> Refusal | None:
        names = {account.mono_account_id}
        if not decide(self._with.flag.read(), account.first_mono_account_id, also_known_as=names).enabled:
            return Refusal.FLAG_OFF
        target = CallTarget(
            id=account.id,
            mono_account_id=account.mono_account_id,
            first_mono_account_id=account.first_mono_account_id,
            mono_customer_id=None,
        )
        asked = RealtimeRefresh(self._with).ask(
            target, requested_by="operator", correlation_id=correlation_id, deadline=deadline
        )
        return asked if isinstance(asked, Refusal) else None

    def _standing(self, account: Account) -> Event:
        standing, call = self._store.standing(account.id), self._store.newest(account.id)
        return {
            "account_id": account.mono_account_id,
            "policy": standing.policy,
            "spent_ngn": standing.spent_ngn,
            "monthly_cap_ngn": self._with.settings.realtime_monthly_cap_ngn,
            "fresh_as_of": _text(self._with.accounts.find(account.mono_account_id).fresh_as_of),
            "call": call and {name: value if name not in _INSTANTS else _text(value) for name, value in call.items()},
        }


def _text(at: datetime | None) -> str | None:
    return None if at is None else str(at)
