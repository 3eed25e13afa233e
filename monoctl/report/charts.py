"""The four charts of a release, over one axis of time: the flag, latency, errors, alerts."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from mono_pipeline.core.release_gate import REQUIRED_ALERTS
from monoctl.report.model import Span
from monoctl.report.plot import Plot, Scale

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from markupsafe import Markup

    from monoctl.report.model import AlertCourse, FlagCourse, RunCourse, Slot

_HEIGHT: Final = 180.0
_LANE: Final = 40.0
_OTHER: Final = "other"
_MINUTE: Final = 60.0  # seconds
SHOWN_REASONS: Final = 4


def flag_chart(course: FlagCourse, period: Span) -> Markup:
    """Draw the share of accounts that the flag is on for; each change is numbered as in the table."""
    plot = Plot(
        name="flag",
        title="Flag: share of accounts that it is on for, in percent, over time",
        description=". ".join(
            [f"Before: {course.meaning_before or 'not known'}"]
            + [f"{number}, {step.at:%H:%M:%S}: {step.meaning}" for number, step in enumerate(course.steps, 1)]
        ),
        period=period,
        height=_HEIGHT,
    )
    scale = Scale(top=100.0, marks=(0.0, 25.0, 50.0, 75.0, 100.0))
    plot.axis(scale, unit=" %")
    points: list[tuple[datetime, float]] = []
    percent = course.percent_before
    if percent is not None:
        points.append((period.since, percent))
    for step in course.steps:
        if percent is not None:
            points.append((step.at, percent))
        percent = step.percent
        points.append((step.at, percent))
    if percent is not None:
        plot.course([[*points, (period.until, percent)]], scale, "flag")
    for number, step in enumerate(course.steps, 1):
        kind = "own" if step.in_trail else "foreign"
        plot.marker(step.at, step.percent, scale, str(number), kind=kind, says=f"{number}: {step.meaning}")
    return plot.markup


def latency_chart(course: RunCourse, period: Span) -> Markup:
    """Draw the 95th percentile of the fetches of each slot, the canary and the rest, against the SLA."""
    seen = [value for slot in course.slots for value in (slot.p95_canary, slot.p95_rest) if value is not None]
    highest = max(seen, default=0.0)
    plot = Plot(
        name="latency",
        title=f"p95 of a fetch in seconds, against the SLA of {course.sla_seconds:g} s, over time",
        description=f"{_slots_words(course.slot_seconds)}; the highest is {highest:.2f} s. "
        f"{sum(value > course.sla_seconds for value in seen)} of {len(seen)} values are beyond the SLA.",
        period=period,
        height=_HEIGHT,
    )
    scale = Scale.upto(max(highest * 1.05, course.sla_seconds * 1.25))
    plot.axis(scale, unit=" s")
    for kind, of in _SERIES.items():
        plot.course(_unbroken(course, of), scale, kind)
        for slot in course.slots:
            if (value := of(slot)) is not None:
                plot.dot(_middle(slot, course), value, scale, kind, f"{slot.at:%H:%M:%S}, {kind}: {value:.2f} s")
    plot.limit(course.sla_seconds, scale, f"SLA {course.sla_seconds:g} s")
    return plot.markup


def errors_chart(course: RunCourse, period: Span) -> Markup:
    """Draw the failed runs of each slot, by reason."""
    reasons = error_reasons(course)
    highest = max((slot.failed for slot in course.slots), default=0)
    plot = Plot(
        name="errors",
        title="Failed runs by reason over time",
        description=f"{_slots_words(course.slot_seconds)}; {course.whole.failed} of {course.whole.runs} runs failed, "
        f"at most {highest} in one slot.",
        period=period,
        height=_HEIGHT,
    )
    scale = Scale.upto(float(max(highest, 4)), whole=True)
    plot.axis(scale)
    for slot in course.slots:
        span, low = Span(since=slot.at, until=slot.at + timedelta(seconds=course.slot_seconds * 0.9)), 0.0
        for number, reason in enumerate(reasons):
            named = set(reasons)
            counted = {reason} if reason != _OTHER else {each for each in slot.errors if each not in named} | {_OTHER}
            failed = sum(count for each, count in slot.errors.items() if each in counted)
            if failed:
                says = f"{slot.at:%H:%M:%S}, {reason}: {failed}"
                plot.bar(span, (low, low + failed), scale, f"reason-{number}", says)
                low += failed
    return plot.markup


def alerts_chart(course: AlertCourse, period: Span) -> Markup:
    """Draw a lane for each alert: when it fired, when it is known that it did not, and what the gates saw."""
    plot = Plot(
        name="alerts",
        title="Alerts over time",
        description=". ".join(f"{lane.name}: {lane_words(lane.name, course)}" for lane in course.lanes),
        period=period,
        height=_LANE * len(course.lanes),
    )
    # a gate looks at the three required alerts and at no other: of those its silence says nothing
    told_by_gates = {*REQUIRED_ALERTS, *(name for look in course.looks for name in look.firing or ())}
    for number, lane in enumerate(course.lanes):
        top = _LANE * number
        plot.lane(top, lane.name)
        plot.stretch(period, top + 17, 12, "unknown", "not known")
        for span in course.known:
            plot.stretch(_within(span, period), top + 17, 12, "silent", f"evaluated {_span_words(span)}")
        for span in lane.firing:
            plot.stretch(_within(span, period), top + 17, 12, "firing", f"{lane.name} fired {_span_words(span)}")
        for look in course.looks if lane.name in told_by_gates else ():
            state = "cannot tell" if look.firing is None else "firing" if lane.name in look.firing else "silent"
            kind = state.replace("cannot tell", "blind")
            plot.spot(look.at, top + 23, f"look {kind}", f"{look.at:%H:%M:%S}, the gate saw: {state}")
    return plot.markup


def error_reasons(course: RunCourse) -> list[str]:
    """Return the reasons that the chart tells apart, the most frequent first; the rest is `other`."""
    counted: Counter[str] = Counter()
    for slot in course.slots:
        counted.update(slot.errors)
    ranked = sorted(counted, key=lambda reason: (-counted[reason], reason))
    return ranked if len(ranked) <= SHOWN_REASONS + 1 else [*ranked[:SHOWN_REASONS], _OTHER]


def lane_words(name: str, course: AlertCourse) -> str:
    """Return what is known of one alert, in words."""
    fired = [span for lane in course.lanes if lane.name == name for span in lane.firing]
    seen = sum(name in (look.firing or ()) for look in course.looks)
    if fired:
        return f"fired {', '.join(_span_words(span) for span in fired)}"
    if seen:
        return f"seen firing by {seen} of {len(course.looks)} gates"
    if course.known:
        return "silent as far as rules were evaluated"
    told = sum(look.firing is not None for look in course.looks) if name in REQUIRED_ALERTS else 0
    return f"seen silent by {told} of {len(course.looks)} gates, else not known" if told else "not known"


_SERIES: Final[dict[str, Callable[[Slot], float | None]]] = {
    "rest": lambda slot: slot.p95_rest,
    "canary": lambda slot: slot.p95_canary,
}


def _unbroken(course: RunCourse, of: Callable[[Slot], float | None]) -> list[list[tuple[datetime, float]]]:
    """Points in runs: a slot without a fetch ends one, since nothing is known of it."""
    runs: list[list[tuple[datetime, float]]] = []
    before: datetime | None = None
    for slot in course.slots:
        value = of(slot)
        if value is None:
            continue
        if before is None or (slot.at - before).total_seconds() > course.slot_seconds * 1.5:
            runs.append([])
        runs[-1].append((_middle(slot, course), value))
        before = slot.at
    return [run for run in runs if len(run) > 1]


def _middle(slot: Slot, course: RunCourse) -> datetime:
    return slot.at + timedelta(seconds=course.slot_seconds / 2)


def _within(span: Span, period: Span) -> Span:
    return Span(since=max(span.since, period.since), until=min(span.until, period.until))


def _span_words(span: Span) -> str:
    return f"{span.since:%H:%M} to {span.until:%H:%M}"


def _slots_words(seconds: float) -> str:
    length = f"{seconds:g} s" if seconds < _MINUTE else f"{seconds / _MINUTE:g} min"
    return f"one value for every {length}"


def legend_series(slots: Sequence[Slot]) -> list[str]:
    """Return the series of latency that have a value."""
    return [kind for kind, of in reversed(_SERIES.items()) if any(of(slot) is not None for slot in slots)]
