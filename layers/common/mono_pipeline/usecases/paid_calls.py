"""Calls to Mono: each attempt paid for from the shared budget, several in flight, retried a little in place."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mono_pipeline.core.classify import TreatmentKind, classify
from mono_pipeline.core.errors import MonoError, ProviderPaused

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor, Future

    from mono_pipeline.adapters.rate_budget import RateBudget
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.patience import Patience


@dataclass(frozen=True, kw_only=True)
class Flight[T]:
    """A call under way, and how to make it again."""

    call: Callable[[], T]
    future: Future[T]


class PaidCalls:
    """The calls of one invocation. Only the calls themselves run in other threads; budget and waiting stay here.

    `seconds` is how long the caller has waited for answers so far, without the waits for budget and between attempts;
    `waited` is how long for the budget.
    """

    def __init__(self, *, budget: RateBudget, patience: Patience, executor: Executor, deadline: Deadline) -> None:
        self._budget = budget
        self._patience = patience
        self._executor = executor
        self._deadline = deadline
        self.seconds = 0.0
        self.waited = 0.0

    def start[T](self, call: Callable[[], T]) -> Flight[T]:
        """Pay for a call and let it go. Raises ProviderPaused when this invocation cannot wait for a token."""
        self._pay()
        return Flight(call=call, future=self._executor.submit(call))

    def finish[T](self, flight: Flight[T]) -> T:
        """The answer, after as many attempts as the error and our patience allow. Raises MonoError, ProviderPaused."""
        attempt = 1
        while True:
            try:
                return self._answer(flight)
            except MonoError as error:
                hopeless = classify(error).kind is not TreatmentKind.RETRY or self._deadline.expired
                if hopeless or not self._patience.backoff(attempt):
                    raise
            attempt += 1
            flight = self.start(flight.call)

    def once[T](self, call: Callable[[], T]) -> T:
        """`start` and `finish` of a single call."""
        return self.finish(self.start(call))

    def _answer[T](self, flight: Flight[T]) -> T:
        began = time.monotonic()
        try:
            return flight.future.result()
        finally:
            self.seconds += time.monotonic() - began

    def _pay(self) -> None:
        while True:
            grant = self._budget.take(1)
            if grant.tokens:
                return
            if grant.paused or not self._patience.wait(grant.wait_seconds):
                raise ProviderPaused(grant.wait_seconds, grant.paused or "rate_budget")
            self.waited += grant.wait_seconds
