"""What a run asks Mono for, and which days its answer settles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.run import LeasedRun, RunKind


@dataclass(frozen=True, kw_only=True)
class Reading:
    """`window` is what is asked of Mono (None: no date filter), `covered` the days it settles (None: every day)."""

    window: DateWindow | None
    covered: DateWindow | None


def plan_reading(run: LeasedRun, *, overlap_days: int) -> Reading:
    """The reading of a run.

    A full one has no filter and settles every day. An incremental one goes from the watermark less the overlap to
    tomorrow. Days that somebody asked for are read one wider at each end, so that they are settled themselves.
    """
    if run.kind is RunKind.WINDOW and run.asked is not None:
        return Reading(window=run.asked.widened(1), covered=run.asked)
    if run.kind is RunKind.FULL or run.account.watermark is None:
        return Reading(window=None, covered=None)
    window = DateWindow(start=_overlap_start(run.account.watermark, overlap_days), end=run.today + timedelta(days=1))
    return Reading(window=window, covered=window.covered())


def _overlap_start(watermark: date, overlap_days: int) -> date:
    return watermark - timedelta(days=overlap_days)
