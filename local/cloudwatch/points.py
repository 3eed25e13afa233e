"""The points of all series: raw values by the minute, as CloudWatch keeps them for a standard-resolution metric."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from local.cloudwatch.statistic import compute

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from local.cloudwatch.emf import Observation, Series

MINUTE: Final = 60


class Points:
    """Takes observations and answers for periods. Safe to use from several threads."""

    def __init__(self, *, back_date: int = 0) -> None:
        """`back_date` is in seconds: everything is kept as if it had happened so much earlier."""
        self._back_date = back_date
        self._lock = threading.Lock()
        self._values: dict[Series, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))

    def add(self, observations: Iterable[Observation]) -> None:
        """Keep them, all at once for whoever asks."""
        with self._lock:
            for one in observations:
                second = one.at // 1000 - self._back_date
                self._values[one.series][second - second % MINUTE].append(one.value)

    def series(self) -> list[Series]:
        """All there are, in a fixed order."""
        with self._lock:
            return sorted(self._values)

    def statistic(
        self, series: Series, statistic: str, *, period: int, start: float, end: float
    ) -> list[tuple[int, float]]:
        """(Start of the period, value) of each period that begins in [start, end) and has values, newest first.

        Periods are aligned to their own length. Seconds since 1970.
        """
        with self._lock:
            minutes = {minute: tuple(values) for minute, values in self._values.get(series, {}).items()}
        periods: dict[int, list[float]] = defaultdict(list)
        for minute, values in minutes.items():
            periods[minute - minute % period].extend(values)
        inside = [at for at in periods if start <= at < end]
        return [(at, compute(statistic, periods[at])) for at in sorted(inside, reverse=True)]

    def total(self, series: Series) -> Sequence[float]:
        """Every value of a series, whenever it was."""
        with self._lock:
            return [value for values in self._values.get(series, {}).values() for value in values]
