"""The moment by which work must be done, on a clock that nobody can set."""

from __future__ import annotations

import time

from msgspec import Struct


class Deadline(Struct, frozen=True, kw_only=True):
    """A moment on this process's monotonic clock (`time.monotonic()`), in seconds; it means nothing elsewhere."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """The deadline `seconds` from now; already expired when that is not positive."""
        return cls(at=time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, never below zero."""
        return max(0.0, self.at - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining() == 0.0

    def within(self, seconds: float) -> Deadline:
        """The earlier of this deadline and `seconds` from now."""
        return Deadline(at=min(self.at, time.monotonic() + seconds))

    def later(self, seconds: float) -> Deadline:
        """This deadline with `seconds` of grace."""
        return Deadline(at=self.at + seconds)
