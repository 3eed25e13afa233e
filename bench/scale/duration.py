"""How long something takes: one number, or a distribution that is drawn from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from random import Random

_Z95: Final = 1.6448536269514722  # of the standard normal distribution


class Duration(Protocol):
    """Seconds; `draw` is one of them."""

    def draw(self, chance: Random) -> float:
        """One value, in seconds."""
        ...


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """Always the same."""

    seconds: float

    def draw(self, chance: Random) -> float:
        """The same again."""
        del chance
        return self.seconds


@dataclass(frozen=True, kw_only=True)
class Exponential:
    """Without memory, as queueing theory likes it."""

    mean: float

    def draw(self, chance: Random) -> float:
        """One value, in seconds."""
        return chance.expovariate(1 / self.mean)


@dataclass(frozen=True, kw_only=True)
class LogNormal:
    """A web service: most answers near the median, and a long tail that the 95th percentile tells of."""

    median: float
    p95: float

    def draw(self, chance: Random) -> float:
        """One value, in seconds."""
        return self.median * math.exp(chance.gauss(0.0, math.log(self.p95 / self.median) / _Z95))
