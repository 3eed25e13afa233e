"""A link under which the owner of an account signs in at the bank again."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from mono_pipeline.core.errors import AccountBlocked, InvalidInput
from mono_pipeline.core.identity import parse_account_id
from mono_pipeline.core.run import LinkStatus
from mono_pipeline.usecases.paid_calls import PaidCalls

if TYPE_CHECKING:
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.collaborators import Collaborators

    type Event = dict[str, Any]

_LONGEST_URL: Final = 2_000


def reauth_link(collaborators: Collaborators, event: Event, deadline: Deadline) -> Event:
    """A fresh link for `account_id`, which leads to `redirect_url` afterwards; it is for the owner and for no log.

    Raises InvalidInput, AccountUnknown, AccountBlocked for an unlinked account, ProviderPaused, MonoError.
    """
    account_id, redirect_url = parse_account_id(str(event.get("account_id", ""))), _redirect_url(event)
    account = collaborators.accounts.find(account_id)
    if account.link_status is LinkStatus.UNLINKED:
        raise AccountBlocked(LinkStatus.UNLINKED)  # the account is linked anew, not signed in to
    slo_hours = collaborators.settings.freshness_slo_hours
    (row,) = collaborators.accounts.page(slo_hours=slo_hours, only=account.mono_account_id, limit=1)
    calls = PaidCalls(
        budget=collaborators.budget,
        patience=collaborators.patience(),
        executor=collaborators.executor,
        deadline=deadline,
    )
    ask = partial(
        collaborators.mono.reauthorisation_url,
        account.mono_account_id,
        # what the platform knows the account by comes back with Mono's events
        ref=row["reference"] or account.mono_account_id,
        redirect_url=redirect_url,
        deadline=deadline,
    )
    try:
        url = calls.once(ask)
    finally:
        collaborators.budget.give_back()
    return {"account_id": account.mono_account_id, "link_status": account.link_status, "url": url}


def _redirect_url(event: Event) -> str | None:
    told = event.get("redirect_url")
    if told is None:
        return None
    parts = urlsplit(told) if isinstance(told, str) and told.isascii() and told.isprintable() else None
    if parts is None or parts.scheme != "https" or not parts.hostname or len(told) > _LONGEST_URL or " " in told:
        raise InvalidInput("redirect_url", "is no https address")
    return str(told)
