"""The flag over the time of a release: its own changes, and those that others made meanwhile."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mono_pipeline.core.errors import MalformedFlag
from mono_pipeline.core.flag import FlagRule, parse_flag
from mono_pipeline.core.release import ReleaseEventKind
from mono_pipeline.usecases.flag_editor import FlagVersion
from monoctl.report.model import FlagCourse, FlagStep
from monoctl.views.flag import meaning

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from monoctl.report.model import Span
    from monoctl.report.trail import TrailEvent


def flag_course(trail: Iterable[TrailEvent], history: Sequence[FlagVersion], period: Span) -> FlagCourse:
    """Return every change in the period, by the trail and by SSM's history; a version that both know is the trail's.

    The trail writes a change down once it is seen in force: the edit itself was so much earlier.
    """
    own = [_own(event) for event in trail if event.kind == ReleaseEventKind.FLAG_CHANGED]
    known = {step.version for step in own}
    others = [
        _step_of(version, in_trail=False)
        for version in history
        if version.version not in known
        and version.changed_at is not None
        and period.since <= version.changed_at <= period.until
    ]
    steps = tuple(sorted([*own, *others], key=lambda step: (step.at, step.version)))
    before = _before(steps, trail, history)
    return FlagCourse(
        percent_before=None if before is None else _percent(before.rule),
        meaning_before=None if before is None else meaning(before).plain,
        steps=steps,
    )


def _own(event: TrailEvent) -> FlagStep:
    after, seen_after = event.detail.part("after"), event.detail.number("propagation_seconds")
    version = _version(after.count("version") or 0, after.text("value"))
    return FlagStep(
        at=event.at - timedelta(seconds=seen_after or 0.0),
        who=event.who,
        why=event.detail.text("why") or "",
        version=version.version,
        value=version.value,
        meaning=meaning(version).plain,
        percent=_percent(version.rule),
        allowed=_allowed(version.rule),
        in_trail=True,
        propagation_seconds=seen_after,
    )


def _step_of(version: FlagVersion, *, in_trail: bool) -> FlagStep:
    if version.changed_at is None:
        raise ValueError("a version without its time is on no course")
    return FlagStep(
        at=version.changed_at,
        who=version.who,
        why=version.why,
        version=version.version,
        value=version.value,
        meaning=meaning(version).plain,
        percent=_percent(version.rule),
        allowed=_allowed(version.rule),
        in_trail=in_trail,
        propagation_seconds=None,
    )


def _before(
    steps: Sequence[FlagStep], trail: Iterable[TrailEvent], history: Sequence[FlagVersion]
) -> FlagVersion | None:
    """The flag before the first change of the period: as that change says, else as SSM keeps it."""
    if not steps:
        return history[-1] if history else None
    first = steps[0]
    for event in trail:
        if event.kind == ReleaseEventKind.FLAG_CHANGED and event.detail.part("after").count("version") == first.version:
            before = event.detail.part("before")
            return _version(before.count("version") or 0, before.text("value"))
    return next((each for each in reversed(history) if each.version < first.version), None)


def _version(number: int, value: str | None) -> FlagVersion:
    try:
        rule, problem = parse_flag(value or "false"), ""
    except MalformedFlag as malformed:
        rule, problem = None, str(malformed)
    return FlagVersion(version=number, value=value or "", rule=rule, problem=problem)


def _percent(rule: FlagRule | None) -> float:
    return rule.percentage / 100 if rule is not None and rule.enabled else 0.0


def _allowed(rule: FlagRule | None) -> int:
    return len(rule.allow - rule.deny) if rule is not None and rule.enabled else 0
