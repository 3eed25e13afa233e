"""A backfill, for people: the plan with its estimate, how far it is, and what came of each month or account."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from rich.text import Text

from monoctl.console.tables import Column, fitting
from monoctl.console.words import NOTHING, number, span
from monoctl.views.marks import marked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import RenderableType

    from monoctl.backfill_walk import Plan, Window

_VERDICTS: Final = ("verified", "unverifiable", "mismatch")


class Pace:
    """How far a walk is, and when it may end: by requests, which is what takes the time."""

    def __init__(self, windows: Sequence[Window], *, monotonic: Callable[[], float]) -> None:
        self._windows = windows
        self._monotonic = monotonic
        self._began = monotonic()

    def line(self) -> str:
        """Return the months that ended, rows so far, and an estimate of the time that is left."""
        ended = [window for window in self._windows if window.state != "open"]
        rows = sum(window.run["rows_seen"] for window in self._windows if window.run)
        told = f"{number(len(ended))} of {number(len(self._windows))} months read, {number(rows)} rows seen"
        done = sum(window.requests for window in ended)
        if not done or len(ended) == len(self._windows):
            return told
        left = sum(window.requests for window in self._windows) - done
        seconds = (self._monotonic() - self._began) / done * left
        return f"{told}, about {span(timedelta(seconds=seconds))} left"


def plan_line(made: Plan) -> str:
    """Return what there is to do, in one line."""
    covered, accounts = len(made.windows) - len(made.to_read), len({window.account_id for window in made.windows})
    told = f"{number(len(made.to_read))} months of {number(accounts)} account{'s' if accounts != 1 else ''} to read"
    skipped = f", {number(covered)} covered already" if covered else ""
    if not made.to_read:
        return f"{told}{skipped}"
    about = f", about {span(timedelta(seconds=max(1.0, made.seconds)))}" if made.seconds is not None else ""
    return f"{told}{skipped}: at least {number(made.requests)} requests to Mono{about}"


def backfill_view(made: Plan, *, width: int, planned: bool) -> Iterator[RenderableType]:
    """Return a line for each month of one account, or for each of many accounts."""
    accounts = dict.fromkeys(window.account_id for window in made.windows)
    if len(accounts) == 1:
        yield fitting(_months(made.windows, planned=planned), width)
    elif accounts:
        yield fitting(_accounts(made.windows, tuple(accounts)), width)


def _months(windows: Sequence[Window], *, planned: bool) -> tuple[Column, ...]:
    return (
        Column(title="from", cells=[Text(window.first) for window in windows]),
        Column(title="to", cells=[Text(window.last) for window in windows]),
        Column(title="month", cells=[_state(window, planned=planned) for window in windows]),
        Column(title="verdict", cells=[marked(_run(window, "verdict") or None) for window in windows]),
        Column(title="reason", cells=[Text(_why(window)) for window in windows], keep=1),
        Column(title="rows", cells=[_count(window, "rows_seen") for window in windows], keep=2, justify="right"),
        Column(title="new", cells=[_count(window, "rows_inserted") for window in windows], keep=3, justify="right"),
        Column(title="changed", cells=[_count(window, "rows_updated") for window in windows], keep=4, justify="right"),
    )


def _accounts(windows: Sequence[Window], accounts: Sequence[str]) -> tuple[Column, ...]:
    mine = [[window for window in windows if window.account_id == account] for account in accounts]
    verdicts = [Counter(_run(window, "verdict") for window in months) for months in mine]
    covered = [sum(window.state == "covered" for window in months) for months in mine]
    others = [
        len(months) - skipped - sum(found[each] for each in _VERDICTS)
        for months, skipped, found in zip(mine, covered, verdicts, strict=True)
    ]
    return (
        Column(title="account", cells=[Text(account) for account in accounts]),
        Column(title="months", cells=[Text(number(len(months))) for months in mine], keep=1, justify="right"),
        Column(title="covered", cells=[Text(_some(count)) for count in covered], keep=2, justify="right"),
        *(
            Column(title=each, cells=[Text(_some(found[each])) for found in verdicts], justify="right")
            for each in _VERDICTS
        ),
        Column(title="other", cells=[Text(_some(count)) for count in others], justify="right"),
    )


def _state(window: Window, *, planned: bool) -> Text:
    if window.state == "open":
        return Text("under way" if window.run_id else "to read" if planned else "open", style="cyan")
    return Text(window.state, style="dim") if window.state == "covered" else marked(window.state)


def _why(window: Window) -> str:
    day = _run(window, "first_bad_day")
    return window.why or day or _run(window, "verdict_reason") or _run(window, "error_code") or NOTHING


def _run(window: Window, name: str) -> str:
    return str((window.run or {}).get(name) or "")


def _count(window: Window, name: str) -> Text:
    return Text(number(window.run[name]) if window.run else NOTHING)


def _some(count: int) -> str:
    return number(count) if count else NOTHING
