"""The flag as a running function sees it: read from SSM, kept for seconds, and off whenever it cannot be known."""

from __future__ import annotations

import time
from copy import replace
from threading import Lock
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from mono_pipeline.core.errors import ConfigurationError, MalformedFlag, ParametersUnavailable
from mono_pipeline.core.flag import FlagProblem, FlagReading, parse_flag

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.parameters import ReadsParameter

# 15 seconds are promised from a change to the last decision by the old value; a slow SSM may take 2 of them.
CACHE_SECONDS: Final = 10.0
LAST_GOOD_SECONDS: Final = 300.0


class _Known(Struct, frozen=True, kw_only=True):
    """What SSM said last, and since when it has not answered."""

    asked_at: float  # before the question was sent, so that an answer never passes for younger than it is
    answer: FlagReading | None
    answered_at: float
    failure: str = ""


class FlagReader:
    """Reads the flag; never raises for a bad, missing or unreadable one, and never guesses it on.

    * malformed or missing: off at once, and the value before it is forgotten;
    * unreadable: the last good value, marked stale, for 300 s from when it was read; then off.

    `alarm` is called with each reading from SSM that was not in order (about every 10 s per environment while that
    lasts), so that it is counted. Threads may share one reader; two may ask SSM at once.
    """

    def __init__(
        self,
        parameters: ReadsParameter,
        name: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        alarm: Callable[[FlagReading], None] | None = None,
    ) -> None:
        self.name = name
        self._parameters = parameters
        self._monotonic = monotonic
        self._alarm = alarm
        self._known: _Known | None = None
        self._lock = Lock()

    @property
    def version(self) -> int | None:
        """SSM's version of the value that decides now, without asking; None where nothing was read, or none decides."""
        known = self._known
        return None if known is None else _reading(known, self._monotonic()).version

    def read(self, *, max_age: float = CACHE_SECONDS) -> FlagReading:
        """Return what is known of the flag now, at most `max_age` seconds old unless it is stale."""
        now = self._monotonic()
        known = self._known
        if known is not None and now - known.asked_at < max_age:
            return _reading(known, now)
        asked = self._ask(now)
        known = self._keep(asked)
        reading = _reading(known, self._monotonic())
        if reading.problem is not None and self._alarm is not None:
            self._alarm(reading)
        return reading

    def _ask(self, now: float) -> _Known:
        # No lock is held while SSM is asked: one slow answer must not stop every thread.
        try:
            parameter = self._parameters.get(self.name)
        except ParametersUnavailable as failure:
            return _Known(asked_at=now, answer=None, answered_at=now, failure=str(failure))
        except ConfigurationError as missing:
            problem = FlagProblem.MISSING
            return _Known(asked_at=now, answer=_off(problem, None, str(missing)), answered_at=now)
        return _Known(asked_at=now, answer=_parsed(parameter.value, parameter.version), answered_at=now)

    def _keep(self, asked: _Known) -> _Known:
        """Keep the younger of what is kept and what was asked; a failure keeps the answer before it."""
        with self._lock:
            before = self._known
            if before is not None and before.asked_at > asked.asked_at:
                return before
            if asked.failure and before is not None:
                asked = replace(asked, answer=before.answer, answered_at=before.answered_at)
            self._known = asked
            return asked


def _parsed(text: str, version: int) -> FlagReading:
    try:
        return FlagReading(rule=parse_flag(text), version=version)
    except MalformedFlag as malformed:
        return _off(FlagProblem.MALFORMED, version, f"malformed: {malformed}")


def _off(problem: FlagProblem, version: int | None, detail: str) -> FlagReading:
    return FlagReading(rule=None, version=version, problem=problem, detail=detail)


def _reading(known: _Known, now: float) -> FlagReading:
    if not known.failure and known.answer is not None:
        return known.answer
    good = known.answer if known.answer is not None and known.answer.rule is not None else None
    if good is not None and now - known.answered_at < LAST_GOOD_SECONDS:
        return replace(good, stale=True, problem=FlagProblem.UNREADABLE, detail=known.failure)
    return _off(FlagProblem.UNREADABLE, None, known.failure)
