"""When which alert fired, by the series that Prometheus itself keeps of its rules; and when nobody was looking."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import ceil
from typing import TYPE_CHECKING, Final

from mono_pipeline.core.release_gate import REQUIRED_ALERTS
from monoctl.preflight.alert_lines import ALERTS, WATCHDOG
from monoctl.prometheus import Prometheus
from monoctl.report.model import AlertCourse, AlertLane, AlertLook, Span
from monoctl.report.period import length_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

_SECONDS: Final = 20.0
_FIRING: Final = 'max by (alertname) (ALERTS{{alertstate="firing",alertname=~"{names}"}})'
_RULES_EVERY: Final = 60.0  # seconds, as the rule groups say
_MOST_SAMPLES: Final = 2_000


class AlertHistory:
    """Asks one Prometheus."""

    def __init__(self, url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._prometheus = Prometheus(url, seconds=_SECONDS, transport=transport)

    def firing(self, period: Span) -> dict[str, tuple[Span, ...]]:
        """Return when each alert fired that did, the watchdog among them. Raises PrometheusUnread."""
        step = max(_RULES_EVERY, ceil(length_of(period) / _MOST_SAMPLES))
        told = self._prometheus.ask(
            "/api/v1/query_range",
            query=_FIRING.format(names="|".join(ALERTS)),
            start=period.since.timestamp(),
            end=period.until.timestamp(),
            step=step,
        )
        return {
            str(series["metric"].get("alertname")): spans_of([float(at) for at, _ in series["values"]], step=step)
            for series in told["result"]
        }


def alert_course(
    firing: dict[str, tuple[Span, ...]] | None, looks: Sequence[AlertLook], *, problem: str | None
) -> AlertCourse:
    """Return the lanes: the three required alerts always, any other that fired.

    Rules are known to have been evaluated while the watchdog fired; without Prometheus (`firing` None) nothing is known
    but what the gates saw.
    """
    told = firing or {}
    seen = {name for look in looks for name in look.firing or ()}
    others = sorted((set(told) | seen) - {*REQUIRED_ALERTS, WATCHDOG})
    names = (*REQUIRED_ALERTS, *others)
    return AlertCourse(
        known=told.get(WATCHDOG, ()),
        lanes=tuple(AlertLane(name=name, firing=told.get(name, ())) for name in names),
        looks=tuple(looks),
        problem=problem,
    )


def spans_of(samples: Sequence[float], *, step: float) -> tuple[Span, ...]:
    """Return the stretches of samples, in seconds of the epoch, that follow each other by no more than the step.

    A stretch goes on for one step after its last sample: until then nothing says that it ended.
    """
    stretches: list[list[float]] = []
    for at in samples:
        if stretches and at - stretches[-1][1] <= step * 1.5:
            stretches[-1][1] = at
        else:
            stretches.append([at, at])
    return tuple(
        Span(
            since=datetime.fromtimestamp(first, UTC), until=datetime.fromtimestamp(last, UTC) + timedelta(seconds=step)
        )
        for first, last in stretches
    )
