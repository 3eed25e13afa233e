"""When an account is tried again, in seconds from now, decided from how its run ended."""

from __future__ import annotations

from typing import Final

# Data arrive "in 0.1 seconds to a couple of minutes" after a link (Mono contract 2.5); the next tick is soon enough.
NOT_READY_RETRY: Final = 300.0
# A total that is wrong now is likely wrong in a minute too.
INCOMPLETE_RETRY: Final = 3_600.0
# A run that the flag stopped is looked at again at the next tick: turning the flag on must not wait for the interval.
STOPPED_RETRY: Final = 300.0
_FIRST_FAILURE_RETRY: Final = 300.0


def after_failures(streak: int, *, interval_seconds: float) -> float:
    """Seconds to wait after `streak` failures in a row: none, then doubling, never more than the normal interval."""
    if streak <= 0:
        return 0.0
    return min(interval_seconds, _FIRST_FAILURE_RETRY * 2.0 ** min(streak - 1, 20))
