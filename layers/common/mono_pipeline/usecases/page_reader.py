"""The pages of one pass, in order: a few in flight, each paid for from the shared rate budget, retried a little in place."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from mono_pipeline.core.classify import TreatmentKind, classify
from mono_pipeline.core.completeness import PassEnd
from mono_pipeline.core.errors import MonoError, ProviderPaused
from mono_pipeline.core.page_plan import expected_last_page, page_cap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor, Future

    from mono_pipeline.adapters.rate_budget import RateBudget
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.wire import TransactionPage
    from mono_pipeline.usecases.patience import Patience


class FetchPage(Protocol):
    """One request for one page; one attempt. Called from several threads."""

    def __call__(self, number: int) -> TransactionPage: ...


class PageReader:
    """Reads the pages of one pass. Only `fetch` runs in other threads; budget and waiting stay with the caller's."""

    def __init__(
        self,
        fetch: FetchPage,
        *,
        budget: RateBudget,
        patience: Patience,
        executor: Executor,
        in_flight: int,
        deadline: Deadline,
    ) -> None:
        self._fetch = fetch
        self._budget = budget
        self._patience = patience
        self._executor = executor
        self._in_flight = in_flight
        self._deadline = deadline
        self.end = PassEnd.LAST_PAGE
        self.fetch_seconds = 0.0

    def pages(self, first: int) -> Iterator[TransactionPage]:
        """The pages from number `first` to the last one (empty, or without a next).

        Stops early, with `end` ENDLESS, when the pages go far beyond the total. Raises MonoError when a page cannot be
        had, ProviderPaused when there is no token for longer than this invocation may wait.
        """
        page = self._await(first, self._submit(first))
        yield page
        expected = expected_last_page(number=page.number, rows=page.seen, total=page.total)
        flying: deque[tuple[int, Future[TransactionPage]]] = deque()
        asked = first
        try:
            while page.has_next and page.seen:
                if page.number >= page_cap(expected):
                    self.end = PassEnd.ENDLESS
                    return
                while len(flying) < self._in_flight and (asked < expected or not flying):
                    asked += 1
                    flying.append((asked, self._submit(asked)))
                page = self._await(*flying.popleft())
                yield page
        finally:
            for _, future in flying:
                future.cancel()

    def once(self, call: Callable[[], TransactionPage]) -> TransactionPage:
        """One paid and patient call beside the pages of the pass."""
        self._pay()
        return self._await(0, self._executor.submit(call), again=call)

    def _submit(self, number: int) -> Future[TransactionPage]:
        self._pay()
        return self._executor.submit(self._fetch, number)

    def _await(
        self, number: int, future: Future[TransactionPage], *, again: Callable[[], TransactionPage] | None = None
    ) -> TransactionPage:
        attempt = 1
        while True:
            began = time.monotonic()
            try:
                return future.result()
            except MonoError as error:
                if classify(error).kind is not TreatmentKind.RETRY or self._deadline.expired:
                    raise
                if not self._patience.backoff(attempt):
                    raise
            finally:
                self.fetch_seconds += time.monotonic() - began
            attempt += 1
            self._pay()
            future = self._executor.submit(again) if again else self._executor.submit(self._fetch, number)

    def _pay(self) -> None:
        while True:
            grant = self._budget.take(1)
            if grant.tokens:
                return
            if grant.paused or not self._patience.wait(grant.wait_seconds):
                raise ProviderPaused(grant.wait_seconds, grant.paused or "rate_budget")
