"""The pages of one pass, in their order, a few of them in flight."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from mono_pipeline.core.completeness import PassEnd
from mono_pipeline.core.page_plan import expected_last_page, page_cap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mono_pipeline.core.wire import TransactionPage
    from mono_pipeline.usecases.paid_calls import Flight, PaidCalls


class PageReader:
    """Reads pages by number until the last one. `end` tells how they ended."""

    def __init__(self, fetch: Callable[[int], TransactionPage], *, calls: PaidCalls, in_flight: int) -> None:
        """`fetch` makes one request for the page of a number; it is called from several threads."""
        self._fetch = fetch
        self._calls = calls
        self._in_flight = in_flight
        self.end = PassEnd.LAST_PAGE

    def pages(self, first: int) -> Iterator[TransactionPage]:
        """The pages from number `first` to the last one: empty, or without a next.

        Stops, with `end` ENDLESS, when the pages go far beyond the total. Raises MonoError when a page cannot be had,
        ProviderPaused when no token can be had in time.
        """
        page = self._calls.once(partial(self._fetch, first))
        yield page
        expected = expected_last_page(number=page.number, rows=page.seen, total=page.total)
        flying: deque[Flight[TransactionPage]] = deque()
        asked = first
        try:
            while page.has_next and page.seen:
                if page.number >= page_cap(expected):
                    self.end = PassEnd.ENDLESS
                    return
                while len(flying) < self._in_flight and (asked < expected or not flying):
                    asked += 1
                    flying.append(self._calls.start(partial(self._fetch, asked)))
                page = self._calls.finish(flying.popleft())
                yield page
        finally:
            for flight in flying:
                flight.future.cancel()
