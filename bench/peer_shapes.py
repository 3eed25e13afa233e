"""What the peers are measured with: how many accounts and rows, and how long an answer takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bench.workload import Shape

CONCURRENT: Final = 10


@dataclass(frozen=True, kw_only=True)
class Slow:
    """A shape where latency decides: `seconds` an answer."""

    name: str
    shape: Shape
    seconds: float

    @property
    def requests(self) -> int:
        """What the contract requires: the list, and of each account its state and its pages."""
        return 1 + self.shape.accounts + self.shape.pages

    @property
    def ideal(self) -> float:
        """Seconds, with ten answers under way all the time."""
        return self.requests * self.seconds / CONCURRENT


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    main: Shape
    slow: tuple[Slow, Slow]
    runs: int


FULL: Final = Sizes(
    main=Shape(accounts=10, transactions=10_000, page_rows=100),
    slow=(
        Slow(name="A", shape=Shape(accounts=20, transactions=1_000, page_rows=100), seconds=0.1),
        Slow(name="B", shape=Shape(accounts=500, transactions=20, page_rows=100), seconds=0.05),
    ),
    runs=3,
)
TINY: Final = Sizes(
    main=Shape(accounts=2, transactions=300, page_rows=100),
    slow=(
        Slow(name="A", shape=Shape(accounts=4, transactions=500, page_rows=100), seconds=0.1),
        Slow(name="B", shape=Shape(accounts=12, transactions=20, page_rows=100), seconds=0.05),
    ),
    runs=1,
)
