"""Mono's rate limit in the model: the bucket of the real budget, and calls that wait for its tokens.

The real budget is asked again and again and grants to whoever asks first; here the longest waiting is first. That
changes who waits, and not how many calls there are.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from mono_pipeline.adapters.rate_budget import Bucket

if TYPE_CHECKING:
    from collections.abc import Generator

    import simpy

_ALMOST: Final = 1e-9  # a token that floating point has not quite filled


class Impatient(Exception):
    """The wait would be longer than the invocation may sleep."""


class MonoBudget:
    """`granted` counts calls that were let go so far."""

    def __init__(self, env: simpy.Environment, *, per_minute: int) -> None:
        self._env = env
        self._bucket = Bucket.of(per_minute)
        self._tokens = self._bucket.burst
        self._filled_at = 0.0
        self._daily: deque[simpy.Event] = deque()
        self._background: deque[simpy.Event] = deque()
        self._serving = False
        self.granted = 0

    @property
    def waiting(self) -> int:
        """How many calls wait for a token now."""
        return len(self._daily) + len(self._background)

    def ask(self, *, patience: float, background: bool = False) -> simpy.Event | None:
        """A token: None when it is there, else the event of getting one. `background` leaves the reserve to daily work.

        Raises:
            Impatient: by all that wait already, it would take longer than `patience` seconds.
        """
        self._fill()
        ahead = len(self._daily) + (len(self._background) if background else 0)
        missing = ahead + 1.0 + (self._bucket.reserve if background else 0.0) - self._tokens
        if missing <= _ALMOST and ahead == 0:
            self._grant()
            return None
        if missing / self._bucket.per_second > patience:
            raise Impatient
        event = self._env.event()
        (self._background if background else self._daily).append(event)
        if not self._serving:
            self._serving = True
            self._env.process(self._serve())
        return event

    def _serve(self) -> Generator[simpy.Event]:
        while self.waiting:
            queue = self._daily or self._background
            wanted = 1.0 if self._daily else 1.0 + self._bucket.reserve
            if self._tokens < wanted - _ALMOST:
                # no longer than for one token: daily work may come meanwhile, and needs no reserve
                yield self._env.timeout(min(1.0, wanted - self._tokens) / self._bucket.per_second)
                self._fill()
            else:
                self._grant()
                queue.popleft().succeed()
        self._serving = False

    def _grant(self) -> None:
        self._tokens -= 1.0
        self.granted += 1

    def _fill(self) -> None:
        passed = self._env.now - self._filled_at
        self._tokens = min(self._bucket.burst, self._tokens + passed * self._bucket.per_second)
        self._filled_at = self._env.now
