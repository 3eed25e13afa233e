"""What a run asks Mono for, and which days its answer settles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from mono_pipeline.core.booking import DateWindow
    from mono_pipeline.core.run import LeasedRun


class Reading(Struct, frozen=True, kw_only=True):
    """`window` is what is asked of Mono (None: no date filter), `covered` the days it settles (None: every day)."""

    window: DateWindow | None
    covered: DateWindow | None


def plan_reading(run: LeasedRun) -> Reading:
    """The reading of a run: a full one has no filter; any other is read one day wider than the days it answers for.

    The day more at each end is there because nobody knows how Mono cuts a window (Mono contract 2.4).
    """
    if run.days is None:
        return Reading(window=None, covered=None)
    return Reading(window=run.days.widened(1), covered=run.days)
