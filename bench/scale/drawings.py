"""The model's answers as drawings: SVG, the same bytes for the same answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from bench.scale.scenarios import Answer

# Text stays text, ids come from a fixed salt and no date is written: nothing changes but what the model says.
mpl.rcParams.update(
    {"svg.hashsalt": "mono-pipeline", "svg.fonttype": "none", "font.size": 9, "font.family": "sans-serif"}
)
_HOUR: Final = 3600.0


def backlog(answers: Sequence[Answer], file: Path, *, title: str) -> None:
    """Messages that wait or are worked on, over time."""
    figure, axes = _page(title, "hours", "open messages")
    for answer in answers:
        moments = answer.moments[:: max(1, len(answer.moments) // 400)]
        axes.plot([moment.at / _HOUR for moment in moments], [moment.open for moment in moments], label=answer.name)
    axes.legend()
    _write(figure, file)


def held(answer: Answer, file: Path, *, title: str) -> None:
    """Environments of Lambda by function, and processors of the database that are busy, over time."""
    figure, axes = _page(title, "hours", "held at once")
    moments = answer.moments[:: max(1, len(answer.moments) // 400)]
    at = [moment.at / _HOUR for moment in moments]
    axes.plot(at, [moment.workers for moment in moments], label="workers, daily")
    axes.plot(at, [moment.backfill_workers for moment in moments], label="workers, backfill")
    axes.plot(at, [moment.doors for moment in moments], label="webhook function")
    axes.plot(at, [moment.database for moment in moments], label="database processors")
    axes.legend()
    _write(figure, file)


def delays(found: Sequence[tuple[float, float, float]], file: Path, *, title: str) -> None:
    """The delay of a sync by how much of Mono's rate limit is needed."""
    figure, axes = _page(title, "share of the rate limit that is needed", "seconds from message to end")
    axes.plot([load for load, _, _ in found], [p50 for _, p50, _ in found], marker="o", label="median")
    axes.plot([load for load, _, _ in found], [p95 for _, _, p95 in found], marker="o", label="95th percentile")
    axes.set_yscale("log")
    axes.legend()
    _write(figure, file)


def costs(months: Mapping[str, Mapping[str, float]], accounts: Mapping[str, int], file: Path, *, title: str) -> None:
    """USD of an account's month by item, a bar a fleet."""
    figure, axes = _page(title, "", "USD a thousand accounts and month")
    names = list(months)
    bottoms = [0.0] * len(names)
    for item in months[names[0]]:
        heights = [1000 * months[name][item] / accounts[name] for name in names]
        axes.bar(names, heights, bottom=bottoms, label=item, width=0.5)
        bottoms = [bottom + height for bottom, height in zip(bottoms, heights, strict=True)]
    axes.legend(fontsize=8)
    _write(figure, file)


def _page(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left")
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    return figure, axes


def _write(figure: Figure, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
