"""Brings accounts that are linked at Mono into our tables: all that Mono lists, or those that are named."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from msgspec import Struct, field

from mono_pipeline.core.errors import MonoNotFound
from mono_pipeline.usecases.account_linking import AccountLinking, Landing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.wire import ListedAccount
    from mono_pipeline.usecases.collaborators import Collaborators
    from mono_pipeline.usecases.paid_calls import PaidCalls


class ImportResult(Struct, kw_only=True):
    """Mono ids by what became of them. `skipped` has a reason for each: nothing is left out in silence."""

    imported: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    next_page: int | None = None


class AccountImport:
    """Serves `accounts import`."""

    def __init__(self, collaborators: Collaborators, calls: PaidCalls) -> None:
        self._with = collaborators
        self._calls = calls

    def named(self, account_ids: Iterable[str], deadline: Deadline) -> ImportResult:
        """Import these accounts, one request each."""
        result = ImportResult()
        for account_id in account_ids:
            try:
                snapshot = self._calls.once(partial(self._with.mono.account, account_id, deadline=deadline))
            except MonoNotFound:
                result.skipped[account_id] = "Mono does not know this account"
                continue
            self._land(snapshot, result)
        return result

    def all(self, deadline: Deadline, *, first_page: int = 1) -> ImportResult:
        """Import every account of Mono's list from `first_page` on; `next_page` says where to go on when time is up."""
        result = ImportResult()
        for number, accounts in self._pages(first_page, deadline):
            for account in accounts:
                self._land(account, result)
            if deadline.expired:
                result.next_page = number + 1
                break
        return result

    def listed(self, accounts: Iterable[ListedAccount]) -> ImportResult:
        """Import accounts that somebody has read from Mono's list."""
        result = ImportResult()
        for account in accounts:
            self._land(account, result)
        return result

    def _pages(self, first: int, deadline: Deadline) -> Iterator[tuple[int, tuple[ListedAccount, ...]]]:
        number = first
        while True:
            page = self._calls.once(partial(self._with.mono.accounts, page=number, deadline=deadline))
            yield number, page.accounts
            if not page.accounts or not page.has_next:
                return
            number += 1

    def _land(self, account: ListedAccount, result: ImportResult) -> None:
        if account.currency is None:
            result.skipped[account.id] = "Mono does not say its currency"
            return
        with self._with.database.transaction():
            landed = AccountLinking(self._with).land(account, requested_by="import", correlation_id=str(uuid4()))
        known = landed.landing in {Landing.KNOWN, Landing.FORMER}
        (result.known if known else result.imported).append(account.id)
