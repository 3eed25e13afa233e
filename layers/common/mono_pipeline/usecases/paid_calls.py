"""Calls to Mono: each attempt paid for from the shared budget, several in flight, retried a little in place."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.adapters.rate_budget import OPEN_SECONDS
from mono_pipeline.core.classify import TreatmentKind, classify
from mono_pipeline.core.errors import MonoError, MonoRateLimited, ProviderPaused

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from mono_pipeline.adapters.rate_budget import RateBudget
    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.usecases.patience import Patience

# A 429 that answers one flight while another is waited for is heard of this soon.
_LISTEN_SECONDS = 0.05


class Flight[T](Struct, frozen=True, kw_only=True):
    """A call under way, and how to make it again."""

    call: Callable[[], T]
    future: Future[T]


class PaidCalls:
    """The calls of one invocation. Only those in flight together run in other threads; budget and waiting stay here.

    `seconds` is how long the caller has waited for answers so far, without the waits for budget and between attempts;
    `waited` is how long for the budget.
    A 429 pauses everybody here, as soon as it is there: whoever catches it has nothing left to do about Mono.
    """

    def __init__(
        self,
        *,
        budget: RateBudget,
        patience: Patience,
        executor: Executor,
        deadline: Deadline,
        background: bool = False,
    ) -> None:
        """`background` calls leave the budget's reserve to daily work."""
        self._budget = budget
        self._patience = patience
        self._executor = executor
        self._deadline = deadline
        self._background = background
        self._limited: list[MonoRateLimited] = []
        self.seconds = 0.0
        self.waited = 0.0

    def start[T](self, call: Callable[[], T]) -> Flight[T]:
        """Pay for a call and let it go. Raises ProviderPaused when this invocation cannot wait for a token."""
        self._pay()
        return Flight(call=call, future=self._executor.submit(self._listen, call))

    def finish[T](self, flight: Flight[T]) -> T:
        """The answer, after as many attempts as the error and our patience allow. Raises MonoError, ProviderPaused.

        The probe of an open circuit has one attempt. Where it does not tell whether Mono serves anybody (a refusal may
        be the account's own), the caller has to find out, or the circuit stays open.
        """
        attempt = 1
        while True:
            try:
                answer = self._answer(flight)
            except MonoError as error:
                self._judge_probe(error)
                hopeless = classify(error).kind is not TreatmentKind.RETRY or self._deadline.expired
                if hopeless or not self._patience.backoff(attempt):
                    raise
            else:
                self._budget.answered()
                return answer
            attempt += 1
            flight = self.start(flight.call)

    def once[T](self, call: Callable[[], T]) -> T:
        """A single call: `start` and `finish` in the caller's own thread, for there is nothing to do meanwhile."""
        self._pay()
        future: Future[T] = Future()
        began = time.monotonic()
        try:
            future.set_result(self._listen(call))
        except MonoError as error:
            future.set_exception(error)
        finally:
            self.seconds += time.monotonic() - began
        return self.finish(Flight(call=call, future=future))

    def _listen[T](self, call: Callable[[], T]) -> T:
        try:
            return call()
        except MonoRateLimited as limited:
            self._limited.append(limited)
            raise

    def _answer[T](self, flight: Flight[T]) -> T:
        began = time.monotonic()
        try:
            while True:
                try:
                    return flight.future.result(timeout=_LISTEN_SECONDS)
                except TimeoutError:
                    if flight.future.done():  # the call's own, if it raised one
                        return flight.future.result()
                self._pause_if_limited()
        finally:
            self.seconds += time.monotonic() - began
            self._pause_if_limited()

    def _pause_if_limited(self) -> None:
        while self._limited:
            treatment = classify(self._limited.pop())
            self._budget.pause(treatment.defer_seconds, treatment.reason)

    def _judge_probe(self, error: MonoError) -> None:
        """What an error says of an open circuit whose probe it answers: that Mono is down, up, or nothing."""
        if not self._budget.probing:
            return
        treatment = classify(error)
        if treatment.kind is TreatmentKind.RETRY:
            self._budget.open_circuit(treatment.reason)
            raise ProviderPaused(OPEN_SECONDS, treatment.reason) from error
        if treatment.kind is not TreatmentKind.PROVIDER_SUSPECT:
            self._budget.answered()

    def _pay(self) -> None:
        self._pause_if_limited()
        while True:
            grant = self._budget.take(1, background=self._background)
            if grant.tokens:
                return
            if grant.paused or not self._patience.wait(grant.wait_seconds):
                raise ProviderPaused(grant.wait_seconds, grant.paused or "rate_budget")
            self.waited += grant.wait_seconds
