"""A release's report as one HTML page that asks nobody for anything: no script, no request, one style, by its hash."""

from __future__ import annotations

import base64
import re
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from monoctl.console.words import duration, stamp
from monoctl.report.charts import (
    alerts_chart,
    error_reasons,
    errors_chart,
    flag_chart,
    latency_chart,
    legend_series,
)
from monoctl.report.model import Span, Tone

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import timedelta

    from monoctl.report.model import Cell, Report

_HERE: Final = Path(__file__).parent
_POLICY: Final = "default-src 'none'; style-src 'sha256-{hash}'; img-src data:; base-uri 'none'; form-action 'none'"
_ENDS: Final = {
    "verified": (Tone.GOOD, "good"),
    "unverifiable": (Tone.DOUBT, "doubt"),
    "mismatch": (Tone.BAD, "bad"),
    "failed": (Tone.BAD, "fault"),
    "stopped": (Tone.PLAIN, "plain"),
}
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
FORMAT: Final = 1  # of the JSON; it rises when a name or a meaning changes


def report_page(report: Report) -> str:
    """Return the page. Whatever people or banks have written is text in it, never markup."""
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(sha256(style.encode()).digest()).decode()
    period = Span(since=report.facts.began_at, until=report.facts.seen_until)
    charts = {"flag": flag_chart(report.flag, period), "alerts": alerts_chart(report.alerts, period)}
    if report.runs is not None:
        charts["latency"] = latency_chart(report.runs, period)
        charts["errors"] = errors_chart(report.runs, period)
    return (
        _environment()
        .get_template("page.html")
        .render(
            {name: getattr(report, name) for name in report.__dataclass_fields__},
            style=Markup(style),  # noqa: S704 - our own file
            policy=_POLICY.format(hash=digest),
            charts=charts,
            series=legend_series(report.runs.slots) if report.runs else [],
            reasons=error_reasons(report.runs) if report.runs else [],
            ends=_ENDS,
        )
    )


def report_document(report: Report) -> dict[str, Any]:
    """Return the same as JSON: instants in ISO 8601, tones and states as their words."""
    document: dict[str, Any] = _plain({"report": FORMAT, **asdict(report)})
    return document


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case datetime():
            return value.isoformat()
        case StrEnum():
            return value.value
    return value


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        stamp=stamp,
        clock=lambda at: f"{at:%H:%M:%S}",
        day=lambda at: f"{at:%-d %b}",
        short=lambda at, slot: f"{at:%H:%M:%S}" if slot < _MINUTE else "" if slot >= _DAY else f"{at:%H:%M}",
        span=_span,
        seconds=_seconds,
        words=lambda text: text.replace("_", " "),
        tag=lambda version: f"v{version}" if re.fullmatch(r"\d+(\.\d+)+\S*", version) else version,
        by_column=_by_column,
    )
    return made


def _by_column(cells: Iterable[Cell]) -> dict[int, Cell]:
    return {cell.column: cell for cell in cells}


def _span(length: timedelta) -> str:
    """A length of time in its two largest units: `3 h 15 min`."""
    seconds = int(length.total_seconds())
    days, hours, minutes = seconds // _DAY, seconds % _DAY // _HOUR, seconds % _HOUR // _MINUTE
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    epoch = datetime.fromtimestamp(0, UTC)
    return duration(epoch, epoch + length)


def _seconds(seconds: float) -> str:
    """Seconds in the largest unit that holds them whole."""
    for size, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s" if seconds < 2 * _MINUTE else f"{seconds / _MINUTE:.0f} min"
