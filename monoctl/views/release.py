"""A window of a release, for people: the canary beside the rest, the alerts, and the verdict."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.text import Text

from mono_pipeline.core.release_gate import REQUIRED_ALERTS, GateDecision
from monoctl.console.tables import Column, facts, fitting
from monoctl.console.words import NOTHING, ago, instant, minute, number, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from mono_pipeline.core.release_cohort import Cohort
    from mono_pipeline.core.release_gate import FiringAlerts, GateVerdict
    from monoctl.release_window import Freshness, Look, Stages

    type Row = dict[str, Any]

_STYLES: Final = {
    GateDecision.PROMOTE: "bold green",
    GateDecision.HOLD: "bold yellow",
    GateDecision.ROLL_BACK: "bold red",
}


def verdict_text(verdict: GateVerdict) -> Text:
    """Return a verdict in one line: what to do, why, with its numbers."""
    word = verdict.decision.value.replace("_", " ")
    return Text.assemble((word, _STYLES[verdict.decision]), f" ({verdict.reason}): {verdict.sentence}")


def look_line(look: Look) -> str:
    """Return a look in one line, for a log."""
    seen = look.seen.canary
    return (
        f"{look.stage}: {_clock(look.seen.open_seconds)} open, {seen.completed} completed, {seen.failed} failed, "
        f"{verdict_text(look.verdict).plain}"
    )


def look_view(look: Look, *, now: datetime, width: int) -> RenderableType:
    """Return a look: the cohorts side by side, alerts, accounts and the verdict as it stands."""
    left = f", {_clock(look.left_seconds)} left" if look.left_seconds else ""
    parts: list[RenderableType] = [
        Text(f"{look.stage}: open for {_clock(look.seen.open_seconds)}{left}", style="bold"),
        fitting(_cohorts(look), width),
        Text(),
        *_stages(look.stages),
        facts([("alerts", _alerts(look)), ("asked", _asked(look.asks)), ("verdict", verdict_text(look.verdict))]),
    ]
    if look.accounts:
        parts += [Text(), fitting(_accounts(look.accounts, now=now), width)]
    return Group(*parts)


def releases_table(releases: Sequence[Row], width: int) -> RenderableType:
    """Return a line for each release."""
    return fitting(
        (
            Column(title="release", cells=[Text(row["id"]) for row in releases]),
            Column(title="status", cells=[Text(row["status"]) for row in releases]),
            Column(title="began", cells=[Text(minute(instant(row["began_at"]))) for row in releases]),
            Column(title="version", cells=[Text(row["version"]) for row in releases], keep=1),
            Column(title="by", cells=[Text(row["actor"]) for row in releases], keep=2),
            Column(title="reason", cells=[Text(row["reason"]) for row in releases], keep=3),
        ),
        width,
    )


def release_view(release: Row, events: Iterable[Row]) -> Iterable[RenderableType]:
    """Return what a release is, and what happened in it, oldest first."""
    names = ("id", "status", "version", "actor", "reason")
    yield facts([(name, str(release[name])) for name in names] + [("began", minute(instant(release["began_at"])))])
    yield Text()
    for event in events:
        yield Text.assemble((f"{instant(event['at']):%H:%M:%S}Z ", "dim"), event["kind"], f"  {_told(event['detail'])}")


def _cohorts(look: Look) -> tuple[Column, ...]:
    seen = look.seen
    return (
        Column(title="", cells=[Text(name) for name in _MEASURES]),
        *(
            Column(title=title, cells=[Text(cell) for cell in (*_measured(cohort), old)], keep=keep, justify="right")
            for title, cohort, old, keep in (
                ("judged", seen.canary, _freshness(look.fresh), 0),
                ("the rest", seen.rest, _freshness(look.fresh_rest), 1),
                ("the rest before", seen.rest_before, NOTHING, 2),
            )
        ),
    )


_MEASURES: Final = (
    "accounts",
    "completed",
    "incomplete",
    "failed",
    "errors",
    "p95 of a fetch",
    "read no row",
    "verified",
    "unverifiable",
    "mismatch",
    "duplicate suspicions",
    "oldest data of the bank",
)


def _measured(cohort: Cohort) -> tuple[str, ...]:
    p95 = NOTHING if cohort.p95_seconds is None else f"{cohort.p95_seconds:.2f} s"
    return (
        number(cohort.accounts),
        number(cohort.completed),
        number(cohort.incomplete),
        number(cohort.failed),
        f"{cohort.error_ratio:.0%}",
        p95,
        number(cohort.zero_runs),
        number(cohort.verified),
        number(cohort.unverifiable),
        number(cohort.mismatches),
        number(cohort.suspicions),
    )


def _freshness(fresh: Freshness) -> str:
    oldest = NOTHING if fresh.oldest_seconds is None else span(timedelta(seconds=max(fresh.oldest_seconds, 0)))
    return f"{oldest}, {number(fresh.unknown)} unknown" if fresh.unknown else oldest


def _stages(stages: Stages) -> Iterator[RenderableType]:
    """The stages beside each other, where Prometheus tells of any; of the fetch our own tables tell in any case."""
    names = sorted({*(stages.judged or {}), *(stages.everyone or {})}, key=_in_order)
    if not names:
        return
    yield Text("p95 of each stage, by Prometheus (ten minutes, up to five minutes ago)", style="bold")
    yield facts(
        (name, f"{_seconds(stages.judged, name)} judged, {_seconds(stages.everyone, name)} all") for name in names
    )
    yield Text()


_STAGES: Final = ("sync", "backfill", "transform", "persist")


def _in_order(stage: str) -> tuple[int, str]:
    return (_STAGES.index(stage) if stage in _STAGES else len(_STAGES), stage)


def _seconds(told: dict[str, float] | None, stage: str) -> str:
    return NOTHING if told is None or stage not in told else f"{told[stage]:.2f} s"


def _alerts(look: Look) -> Text:
    alerts = look.seen.alerts
    told = f"{len(REQUIRED_ALERTS)} inactive" if _silent(alerts) else _firing(alerts)
    waived = " (judged without)" if look.seen.alerts_waived else ""
    problem = f" {look.alert_problem}" if look.alert_problem else ""
    return Text(f"{told}{waived}{problem}", style="green" if _silent(alerts) else "yellow")


def _silent(alerts: FiringAlerts) -> bool:
    return alerts.are_known and not alerts.canary and not alerts.fleet


def _firing(alerts: FiringAlerts) -> str:
    if not alerts.are_known:
        return "cannot be told."
    ours, rest = sorted(alerts.canary or ()), sorted(alerts.fleet or ())
    new = f", new: {', '.join(sorted(alerts.new_of_the_rest))}" if alerts.new_of_the_rest else ""
    return f"firing for those judged: {', '.join(ours) or 'none'}; for all: {', '.join(rest) or 'none'}{new}"


def _asked(asks: dict[str, int]) -> str:
    return ", ".join(f"{status} {count}" for status, count in sorted(asks.items())) or NOTHING


def _accounts(rows: Sequence[Row], *, now: datetime) -> tuple[Column, ...]:
    return (
        Column(title="account", cells=[Text(row["account_id"]) for row in rows]),
        Column(title="newest run", cells=[Text(row["status"] or NOTHING) for row in rows]),
        Column(title="verdict", cells=[Text(row["verdict"] or row["error_code"] or NOTHING) for row in rows]),
        Column(title="bank's data", cells=[Text(ago(instant(row["fresh_as_of"]), now)) for row in rows], keep=1),
        Column(title="last success", cells=[Text(ago(instant(row["last_success_at"]), now)) for row in rows], keep=2),
        Column(title="link", cells=[Text(row["link_status"]) for row in rows], keep=3),
    )


def _told(detail: Row) -> str:
    short = {name: value for name, value in detail.items() if not isinstance(value, dict | list)}
    return ", ".join(f"{name} {value}" for name, value in short.items() if value is not None)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
