"""Everything that a report is made of, asked for: the trail must answer, what else does not is said to be untold."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline import __version__
from mono_pipeline.core.release import ReleaseEventKind, ReleaseStatus
from monoctl.failure import EXPLAINED, explain
from monoctl.flag_road import flag_editor
from monoctl.preflight.deployment_lines import waiting_letters
from monoctl.prometheus import PrometheusUnread
from monoctl.report.alert_history import AlertHistory, alert_course
from monoctl.report.checklist import checklist
from monoctl.report.figures import dead_letters, run_course, verdict_matrix
from monoctl.report.flag_course import flag_course
from monoctl.report.gates import gates_of, looks_of
from monoctl.report.model import Facts, Report, Span
from monoctl.report.outcome import outcome_of
from monoctl.report.period import slot_seconds
from monoctl.report.story import story_of
from monoctl.report.trail import trail_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from monoctl.release_book import ReleaseBook
    from monoctl.report.model import AlertCourse, AlertLook, DeadLetters, RunCourse, VerdictMatrix
    from monoctl.report.trail import TrailEvent
    from monoctl.session import Session

    type Row = dict[str, Any]

MOST_SLOTS: Final = 150
MOST_COLUMNS: Final = 24
MOST_ACCOUNTS: Final = 100


class Gathering:
    """One report in the making. `prometheus` is its address, None where nobody has said it."""

    def __init__(self, session: Session, book: ReleaseBook, *, prometheus: str | None) -> None:
        self._session = session
        self._book = book
        self._prometheus = prometheus
        self._untold: list[str] = []

    def report(self) -> Report:
        """Return it. Raises what `releases.show` raises."""
        release, trail = self._book.release, trail_of(self._book.events())
        facts = self._facts(release, trail)
        period = Span(since=facts.began_at, until=facts.seen_until)
        gates = gates_of(trail)
        history = self._told("the flag's history", lambda: flag_editor(self._session).flag_history()) or ()
        course = flag_course(trail, history, period)
        canary = _canary_of(trail)
        return Report(
            facts=facts,
            outcome=outcome_of(release, trail, gates, began_at=facts.began_at),
            checklist=checklist(trail, gates),
            story=story_of(trail, course.steps),
            flag=course,
            gates=gates,
            runs=self._told("runs, latency and errors", lambda: self._runs(period, canary)),
            alerts=self._alerts(period, looks_of(gates)),
            verdicts=self._told("verdicts by account", lambda: self._verdicts(period, canary)),
            dead_letters=self._told("dead letters", lambda: self._letters(period)),
            untold=tuple(self._untold),
        )

    def _facts(self, release: Row, trail: Sequence[TrailEvent]) -> Facts:
        began = datetime.fromisoformat(str(release["began_at"]))
        now = datetime.fromisoformat(str(self._session.reach.ops.ask("releases.starts")["now"]))
        last = max((event.at for event in trail), default=began)
        is_open = release["status"] == ReleaseStatus.OPEN
        return Facts(
            release=str(release["id"]),
            environment=self._session.environment.value,
            status=str(release["status"]),
            version=str(release["version"]),
            actor=str(release["actor"]),
            reason=str(release["reason"]),
            began_at=began,
            ended_at=None if is_open else last,
            seen_until=max(now, last) if is_open else last,
            made_at=now,
            made_by=self._session.reach.who,
            made_with=f"monoctl {__version__}",
        )

    def _runs(self, period: Span, canary: list[str]) -> RunCourse:
        slot = slot_seconds(period, most=MOST_SLOTS)
        return run_course(self._ask("timeline", period, slot_seconds=slot, accounts=canary), slot_seconds=slot)

    def _verdicts(self, period: Span, canary: list[str]) -> VerdictMatrix:
        slot = slot_seconds(period, most=MOST_COLUMNS)
        told = self._ask("verdicts", period, slot_seconds=slot, accounts=canary, limit=MOST_ACCOUNTS)
        return verdict_matrix(told, period, slot_seconds=slot)

    def _letters(self, period: Span) -> DeadLetters:
        waiting = self._told("dead letters in the queue", lambda: waiting_letters(self._session.reach.deployment))
        return dead_letters(self._ask("letters", period), waiting=waiting)

    def _ask(self, question: str, period: Span, **more: Any) -> Row:
        since, until = period.since.isoformat(), period.until.isoformat()
        return self._session.reach.ops.ask(f"releases.{question}", since=since, until=until, **more)

    def _alerts(self, period: Span, looks: Sequence[AlertLook]) -> AlertCourse:
        if self._prometheus is None:
            return alert_course(None, looks, problem="no Prometheus is known here: --prometheus URL")
        try:
            firing = AlertHistory(self._prometheus).firing(period)
        except PrometheusUnread as error:
            return alert_course(None, looks, problem=f"Prometheus does not tell: {error}")
        return alert_course(firing, looks, problem=None)

    def _told[T](self, what: str, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except EXPLAINED as error:
            self._untold.append(f"{what}: {explain(error).sentence}")
            return None


def _canary_of(trail: Sequence[TrailEvent]) -> list[str]:
    """Every account that was a canary of the release."""
    started = (event for event in trail if event.kind == ReleaseEventKind.CANARY_STARTED)
    return sorted({account for event in started for account in event.detail.texts("accounts") or ()})[:MOST_ACCOUNTS]
