"""The rows around a mismatch: only the first days that differ are read again, with their ids; nothing is written."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.adapters.comparison_store import ComparisonStore
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.classify import classify
from mono_pipeline.core.discrepancy import MAX_DAYS, DifferingRows, Discrepancy
from mono_pipeline.core.errors import MonoError, MonoUnreachable, ProviderPaused
from mono_pipeline.usecases.page_reader import PageReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.run import Account
    from mono_pipeline.core.verdict import DifferingDay
    from mono_pipeline.core.wire import TransactionPage
    from mono_pipeline.usecases.collaborators import Collaborators
    from mono_pipeline.usecases.paid_calls import PaidCalls

MAX_PAGES: Final = 50  # of one day; a bank that ignores the date filter shows its whole history for every day
OUT_OF_TIME: Final = "out_of_time"
TOO_MANY_PAGES: Final = "too_many_pages"


class CloserLook(Struct, frozen=True, kw_only=True):
    """Reads a few days of one account again. `today` is a Lagos date."""

    collaborators: Collaborators
    calls: PaidCalls
    deadline: Deadline
    account: Account
    today: date

    def at(self, differing: Sequence[DifferingDay], *, set_aside: Iterable[str]) -> Discrepancy:
        """What the first of the `differing` days show; one window a day. Never raises for Mono: `unread` says why.

        What cannot be read leaves the verdict as it is: the days differ all the same. Not to be called inside a
        transaction.
        """
        first = sorted(differing, key=lambda each: each.day)[:MAX_DAYS]
        not_decided = list(set_aside)
        found, unread = DifferingRows(), None
        for each in first:
            unread, rows = self._day(each.day, not_decided)
            found += rows
            if unread:
                break
        return Discrepancy(days_differing=len(differing), days=first, found=found, unread=unread)

    def _day(self, day: date, set_aside: list[str]) -> tuple[str | None, DifferingRows]:
        try:
            pages = self._pages(DateWindow(start=day, end=day).widened(1))
        except ProviderPaused as pause:
            return pause.reason, DifferingRows()
        except MonoError as error:
            late = self.deadline.expired and isinstance(error, MonoUnreachable)
            return OUT_OF_TIME if late else classify(error).reason, DifferingRows()
        if pages is None:
            return TOO_MANY_PAGES, DifferingRows()
        store = ComparisonStore(self.collaborators.database)
        return None, store.differing_rows(self.account, pages, days=[day], set_aside=set_aside)

    def _pages(self, window: DateWindow) -> list[TransactionPage] | None:
        """Every page of a window; None where it has too many to be the pages of a few days."""
        pages: list[TransactionPage] = []
        fetch = partial(self._fetch, window)
        for page in PageReader(fetch, calls=self.calls, in_flight=1).pages(1):
            if len(pages) == MAX_PAGES:
                return None
            pages.append(page)
        return pages

    def _fetch(self, window: DateWindow, number: int) -> TransactionPage:
        return self.collaborators.mono.transactions(
            self.account.mono_account_id,
            window=window,
            page=number,
            limit=self.collaborators.settings.mono_page_limit,
            deadline=self.deadline,
            today=self.today,
        )
