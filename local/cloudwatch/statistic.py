"""CloudWatch's statistics over the raw values of one period, by the words that GetMetricData takes.

Source: "CloudWatch statistics definitions" in the user guide. `TC(a:b)` counts values above a and up to b, `PR(a:b)` is
their percentage; either end may be open. How CloudWatch places a percentile between two values is not documented; here
it is the nearest rank, which is always a value that was observed.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PLAIN: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "Sum": math.fsum,
    "SampleCount": len,
    "Minimum": min,
    "Maximum": max,
    "Average": lambda values: math.fsum(values) / len(values),
}
_PERCENTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d+)?|100)")
_RANGE: Final = re.compile(r"(TC|PR)\((\d*\.?\d*):(\d*\.?\d*)\)")
_WHOLE: Final = 100.0


class UnknownStatistic(ValueError):
    """A word that is no statistic, or one that nothing here asks for."""


def compute(statistic: str, values: Sequence[float]) -> float:
    """The statistic of at least one value.

    Raises:
        UnknownStatistic: it is none of Sum, SampleCount, Minimum, Maximum, Average, pNN, TC(a:b), PR(a:b).
    """
    if plain := _PLAIN.get(statistic):
        return float(plain(values))
    if found := _PERCENTILE.fullmatch(statistic):
        rank = math.ceil(float(found[1]) / _WHOLE * len(values))
        return sorted(values)[max(rank, 1) - 1]
    if found := _RANGE.fullmatch(statistic):
        above, upto = float(found[2] or -math.inf), float(found[3] or math.inf)
        inside = sum(above < value <= upto for value in values)
        return float(inside) if found[1] == "TC" else _WHOLE * inside / len(values)
    raise UnknownStatistic(statistic)
