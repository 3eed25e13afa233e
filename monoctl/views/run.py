"""A run, and why an account was not synced, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.padding import Padding
from rich.text import Text

from monoctl.console.tables import facts
from monoctl.console.words import days, duration, number
from monoctl.views.marks import marked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from monoctl.reach import Guidance, RunReport, SyncAnswer

_WARNINGS = {
    "reauth_required": "the bank wants to be authorised again: what is read is Mono's last copy",
}


def run_view(answer: SyncAnswer, run: RunReport) -> RenderableType:
    """Return a run's facts, one a line; `answer` is the one that brought it."""
    counts, total = run.counts, f" of {number(run.mono_total)} at Mono" if run.mono_total is not None else ""
    verdict = marked(run.verdict.kind, absent="none")
    for detail in (run.verdict.reason, run.verdict.first_bad_day and f"first bad day {run.verdict.first_bad_day}"):
        if detail:
            verdict.append(f" ({detail})", style="")
    lines: list[tuple[str, Text | str]] = [
        ("run", run.run_id),
        ("account", run.account_id),
        ("status", marked(answer.status)),
        ("verdict", verdict),
        ("rows seen", f"{number(counts.seen)}{total}"),
        ("  inserted", number(counts.inserted)),
        ("  updated", number(counts.updated)),
        ("  unchanged", number(counts.unchanged)),
        ("  quarantined", number(counts.quarantined)),
        ("days", days(run.window.start, run.window.end)),
        ("duration", duration(run.started_at, run.finished_at)),
    ]
    if run.error_code:
        lines.append(("error", Text(run.error_code, style="red")))
    lines.extend(("warning", Text(_WARNINGS.get(each, each), style="yellow")) for each in answer.warnings)
    return facts(lines)


def guidance_view(told: Guidance) -> Iterator[RenderableType]:
    """Return why the flag holds an account back and how to let it go, as paragraphs."""
    yield Text.assemble(("Deferred: ", "bold yellow"), told.explanation)
    yield Text(f"The flag is {told.flag}, the SSM parameter {told.parameter} (reason {told.reason}).")
    if told.enable:
        yield Text("To turn it on for this account, one of:" if len(told.enable) > 1 else "To turn it on:")
        yield from (Padding(Text(command, style="bold", overflow="fold"), (0, 0, 0, 2)) for command in told.enable)
    if told.meanwhile:
        yield Text(told.meanwhile)


def under_way(answer: SyncAnswer) -> str:
    """Return how a sync stands, in the words of its progress line."""
    if answer.run is None:
        return f"waiting for run {answer.run_id}, which holds the account" if answer.run_id else answer.status
    run, counts = answer.run, answer.run.counts
    if answer.status == "accepted" and not counts.seen:
        return f"run {run.run_id} waits in the queue"
    total = f" of {number(run.mono_total)}" if run.mono_total else ""
    pages = f", {number(run.pages_read)} pages" if run.pages_read else ""
    return f"{answer.status}: {number(counts.seen)}{total} rows seen, {number(counts.inserted)} inserted{pages}"
