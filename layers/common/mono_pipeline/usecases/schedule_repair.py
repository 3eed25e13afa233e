"""Finds accounts that should be scheduled and are not, with no word from any webhook.

Mono's account list is walked page by page, some pages a tick, from the shared rate budget. An account that is on it and
unknown here is brought in. One that is known and not on it is asked for by itself: only its own page says that it is
unlinked. The list alone unlinks nobody, for it moves while it is read.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.adapters.inbox_store import InboxStore
from mono_pipeline.adapters.repair_store import RepairStore
from mono_pipeline.core.classify import classify
from mono_pipeline.core.errors import MonoError, MonoUnintelligible, ProviderPaused
from mono_pipeline.usecases.account_import import AccountImport
from mono_pipeline.usecases.mono_page import look_up

if TYPE_CHECKING:
    from mono_pipeline.adapters.repair_store import KnownAccount
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.wire import AccountListPage
    from mono_pipeline.usecases.collaborators import Collaborators
    from mono_pipeline.usecases.paid_calls import PaidCalls

_TICK_MINUTES: Final = 5
_SHARE: Final = 10  # a tenth of what may be asked of Mono in a tick goes to the walk, at the most
_OWN_PAGES: Final = 20  # accounts that are asked for by themselves in one tick
_LONGEST_SCHEDULE: Final = 1.1  # the interval with its jitter
_HOUR: Final = 3_600.0
# A page that nobody can read is left out; two of them in a row, and the walk is given up until the next one.
_UNREADABLE: Final = 2


class RepairResult(Struct, frozen=True, kw_only=True):
    """What one tick repaired: accounts brought in, found unlinked or linked again, and brought forward."""

    pages: int = 0
    imported: int = 0
    unlinked: int = 0
    linked_again: int = 0
    brought_forward: int = 0

    def __add__(self, other: RepairResult) -> RepairResult:
        return RepairResult(
            pages=self.pages + other.pages,
            imported=self.imported + other.imported,
            unlinked=self.unlinked + other.unlinked,
            linked_again=self.linked_again + other.linked_again,
            brought_forward=self.brought_forward + other.brought_forward,
        )


class ScheduleRepair:
    """Serves the tick. Two at once never walk together."""

    def __init__(self, collaborators: Collaborators, calls: PaidCalls) -> None:
        self._with = collaborators
        self._calls = calls
        self._store = RepairStore(collaborators.database)
        self._inbox = InboxStore(collaborators.database)

    def bring_forward(self) -> RepairResult:
        """Make accounts due that are scheduled further ahead than any rule of ours does."""
        longest = self._with.settings.sync_interval_hours * _HOUR * _LONGEST_SCHEDULE + _HOUR
        found = self._store.bring_forward(longest_seconds=longest)
        for account_id in found:
            self._tell("mono.schedule.brought_forward", account_id)
        return RepairResult(brought_forward=len(found))

    def walk(self, deadline: Deadline) -> RepairResult:
        """Go on with the walk where it stands, then ask for accounts that the last whole one did not have.

        Stops at the deadline, at its share of the rate budget, and while nobody may call Mono; it goes on at the next
        tick. Raises DependencyUnavailable.
        """
        page = self._store.begin_walk()
        result = RepairResult() if page is None else self._pages(page, deadline)
        for account in self._store.take_vanished(limit=_OWN_PAGES):
            result += self._ask_vanished(account, deadline)
        return result

    def _pages(self, page: int, deadline: Deadline) -> RepairResult:
        result, unreadable, whole = RepairResult(), 0, True
        try:
            for _ in range(max(1, self._with.settings.mono_rate_limit_per_minute * _TICK_MINUTES // _SHARE)):
                if deadline.expired:
                    return result
                listed = self._listed(page, deadline)
                unreadable = 0 if listed else unreadable + 1
                whole = whole and listed is not None
                if listed is not None:
                    result += self._land(listed, deadline)
                if unreadable == _UNREADABLE or (listed is not None and _is_last(listed)):
                    self._store.end_walk(page, whole=whole)
                    return result
                if not self._store.page_walked(page):
                    return result
                page += 1
        except ProviderPaused as pause:
            self._with.observer.event("mono.schedule.repair_waits", None, page=page, reason=pause.reason)
        except MonoError as error:
            self._with.observer.event("mono.schedule.repair_waits", None, page=page, reason=classify(error).reason)
        finally:
            self._store.rest(page)
        return result

    def _listed(self, page: int, deadline: Deadline) -> AccountListPage | None:
        """A page of the list; None where it cannot be read, which one broken account on it is enough for."""
        try:
            return self._calls.once(partial(self._with.mono.accounts, page=page, deadline=deadline))
        except MonoUnintelligible as error:
            self._with.observer.event("mono.schedule.unreadable_page", None, page=page, reason=error.reason)
            return None

    def _land(self, listed: AccountListPage, deadline: Deadline) -> RepairResult:
        ids = [account.id for account in listed.accounts]
        linked_again = sum(self._ask_returned(account, deadline) for account in self._store.note_listed(ids))
        unknown = self._store.unknown(ids)
        bring = AccountImport(self._with, self._calls)
        brought = bring.listed(account for account in listed.accounts if account.id in unknown)
        self._store.note_listed(brought.imported)
        for account_id in brought.imported:
            self._tell("mono.account.found", account_id)
        for account_id, reason in brought.skipped.items():
            self._tell("mono.account.skipped", account_id, reason=reason)
        return RepairResult(pages=1, imported=len(brought.imported), linked_again=linked_again)

    def _ask_returned(self, account: KnownAccount, deadline: Deadline) -> bool:
        """Whether an account that we hold for unlinked is linked again, by its own page."""
        if look_up(self._with, account.mono_account_id, deadline).snapshot is None:
            return False
        back = self._store.note_linked_again(account)
        if back:
            self._tell("mono.account.linked_again", account.mono_account_id)
        return back

    def _ask_vanished(self, account: KnownAccount, deadline: Deadline) -> RepairResult:
        if not look_up(self._with, account.mono_account_id, deadline).absent:
            return RepairResult()  # what is not clear now is looked at again with the next walk
        with self._with.database.transaction():
            self._inbox.lock_link(account.mono_account_id)
            gone = self._store.note_unlinked(account)
            if gone:
                self._inbox.stop(account.id)
        if gone:
            self._tell("mono.account.unlinked", account.mono_account_id)
        return RepairResult(unlinked=int(gone))

    def _tell(self, name: str, mono_account_id: str, **fields: object) -> None:
        self._with.observer.event(name, None, account_id=mono_account_id, **fields)


def _is_last(listed: AccountListPage) -> bool:
    return not listed.accounts or not listed.has_next
