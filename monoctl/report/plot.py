"""A chart over the time of a release as SVG that needs nothing around it and fits any width.

Across, everything is a share of the width; up and down it is pixels. So the same drawing is as wide as the page, and
its letters keep their size on a telephone: a viewBox would shrink them. What must be a line through points stands in a
view of its own that is stretched, with strokes that are not. Labels left of the axis lie outside of the drawing: the
page leaves room.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from markupsafe import Markup

from monoctl.report.period import length_of, tick_seconds, ticks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monoctl.report.model import Span

_TOP: Final = 12.0
_BELOW: Final = 44.0
_LONGEST_LABEL: Final = 42  # characters: a name of an alert; no more fit a telephone
_WIDE: Final = 10_000  # units across the stretched view
_DAY: Final = 86_400
_MOST_TICKS: Final = 6
_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """An upright axis from 0 to `top`, marked at `marks`."""

    top: float
    marks: tuple[float, ...]

    @classmethod
    def upto(cls, highest: float, *, whole: bool = False) -> Scale:
        """Return an axis that holds `highest`, with three to five marks that are easy to say; `whole` numbers if so."""
        wanted = max(highest, 1.0 if whole else 1e-3) / 4
        size = 10.0 ** floor(log10(wanted))
        step = next(size * each for each in _STEPS if size * each >= wanted * (1 - 1e-9))
        if whole:
            step = float(max(ceil(step), 1))
        count = max(ceil(highest / step - 1e-9), 1)
        return cls(top=step * count, marks=tuple(step * number for number in range(count + 1)))


class Plot:
    """One drawing of a period. What it shows is said twice: as `title`, and as `description` for who cannot see it."""

    def __init__(self, *, name: str, title: str, description: str, period: Span, height: float) -> None:
        self._period = period
        self._bottom = _TOP + height
        self._height = height
        self._svg = ET.Element(
            "svg",
            {
                "class": "plot",
                "role": "img",
                "width": "100%",
                "height": f"{self._bottom + _BELOW:g}",
                "aria-labelledby": f"{name}-title {name}-description",
            },
        )
        ET.SubElement(self._svg, "title", id=f"{name}-title").text = title
        ET.SubElement(self._svg, "desc", id=f"{name}-description").text = description
        self._time_axis()

    @property
    def markup(self) -> Markup:
        """The drawing, to be put into a page as it is: every text in it is escaped."""
        return Markup(ET.tostring(self._svg, encoding="unicode", short_empty_elements=True))  # noqa: S704 - as it says

    def across(self, at: datetime) -> float:
        """Where an instant is, in percent of the width."""
        share = (at - self._period.since).total_seconds() / length_of(self._period)
        return min(max(share, 0.0), 1.0) * 100

    def up(self, value: float, scale: Scale) -> float:
        """Where a value is, in pixels from the top."""
        return self._bottom - min(value / scale.top, 1.0) * self._height

    def axis(self, scale: Scale, *, unit: str = "") -> None:
        """Draw the upright axis, with lines across."""
        for mark in scale.marks:
            y = self.up(mark, scale)
            self._line(0, y, 100, y, "grid" if mark else "axis")
            self._text(f"{mark:g}{unit}", x="-8", y=y + 4, kind="label", anchor="end")

    def limit(self, value: float, scale: Scale, label: str) -> None:
        """Draw a value that is not to be exceeded, with what it is."""
        y = self.up(value, scale)
        self._line(0, y, 100, y, "limit")
        self._text(label, x="100%", y=y - 5, kind="limit-label", anchor="end")

    def course(self, runs: Sequence[Sequence[tuple[datetime, float]]], scale: Scale, kind: str) -> None:
        """Draw lines through points, one for each run of them: what lies between two runs is not known."""
        view = ET.SubElement(
            self._svg,
            "svg",
            {
                "width": "100%",
                "height": f"{self._bottom + _BELOW:g}",
                "viewBox": f"0 0 {_WIDE} {self._bottom + _BELOW:g}",
                "preserveAspectRatio": "none",
            },
        )
        for run in runs:
            points = " L".join(f"{self.across(at) * _WIDE / 100:.1f},{self.up(value, scale):.2f}" for at, value in run)
            ET.SubElement(view, "path", {"d": f"M{points}", "class": f"course {kind}"})

    def dot(self, at: datetime, value: float, scale: Scale, kind: str, says: str) -> None:
        """Draw a point, with what it says."""
        place = {
            "cx": f"{self.across(at):.3f}%",
            "cy": f"{self.up(value, scale):.2f}",
            "r": "3",
            "class": f"dot {kind}",
        }
        ET.SubElement(ET.SubElement(self._svg, "circle", place), "title").text = says

    def bar(self, span: Span, value: tuple[float, float], scale: Scale, kind: str, says: str) -> None:
        """Draw a bar from one value up to another."""
        low, high = self.up(value[0], scale), self.up(value[1], scale)
        self._box(span, high, low - high, f"bar {kind}", says)

    def marker(self, at: datetime, value: float, scale: Scale, text: str, *, kind: str, says: str) -> None:
        """Draw a round mark with a short text in it."""
        x, y = f"{self.across(at):.3f}%", self.up(value, scale)
        group = ET.SubElement(self._svg, "g", {"class": f"marker {kind}"})
        ET.SubElement(group, "title").text = says
        ET.SubElement(group, "circle", {"cx": x, "cy": f"{y:.2f}", "r": "9"})
        ET.SubElement(group, "text", {"x": x, "y": f"{y + 4:.2f}", "text-anchor": "middle"}).text = text

    def lane(self, top: float, label: str) -> None:
        """Begin a lane below the last one, named above it; `top` in pixels from the drawing's top."""
        short = label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 1]}…"
        self._text(short, x="0", y=_TOP + top + 10, kind="lane-label", anchor="start")

    def stretch(self, span: Span, top: float, height: float, kind: str, says: str) -> None:
        """Draw a stretch of time in a lane."""
        self._box(span, _TOP + top, height, kind, says)

    def spot(self, at: datetime, top: float, kind: str, says: str) -> None:
        """Draw what was seen at an instant in a lane."""
        place = {"cx": f"{self.across(at):.3f}%", "cy": f"{_TOP + top:g}", "r": "4.5", "class": kind}
        ET.SubElement(ET.SubElement(self._svg, "circle", place), "title").text = says

    def _time_axis(self) -> None:
        self._line(0, self._bottom, 100, self._bottom, "axis")
        step, day = tick_seconds(self._period, most=_MOST_TICKS), None
        for at in ticks(self._period, most=_MOST_TICKS):
            x = self.across(at)
            self._line(x, _TOP, x, self._bottom, "grid")
            self._line(x, self._bottom, x, self._bottom + 4, "axis")
            clock = f"{at:%H:%M:%S}" if step % 60 else f"{at:%H:%M}"
            self._text(f"{at:%-d %b}" if step >= _DAY else clock, x=f"{x:.3f}%", y=self._bottom + 22)
            if step < _DAY and at.date() != day:
                self._text(f"{at:%-d %b}", x=f"{x:.3f}%", y=self._bottom + 37)
                day = at.date()

    def _box(self, span: Span, y: float, height: float, kind: str, says: str) -> None:
        left = self.across(span.since)
        place = {
            "x": f"{left:.3f}%",
            "y": f"{y:.2f}",
            "width": f"{max(self.across(span.until) - left, 0.15):.3f}%",
            "height": f"{height:.2f}",
            "class": kind,
        }
        ET.SubElement(ET.SubElement(self._svg, "rect", place), "title").text = says

    def _line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        ends = {"x1": f"{x1:.3f}%", "y1": f"{y1:.2f}", "x2": f"{x2:.3f}%", "y2": f"{y2:.2f}"}
        ET.SubElement(self._svg, "line", {**ends, "class": kind})

    def _text(self, text: str, *, x: str, y: float, kind: str = "label", anchor: str = "middle") -> None:
        place = {"x": x, "y": f"{y:.2f}", "class": kind, "text-anchor": anchor}
        ET.SubElement(self._svg, "text", place).text = text
