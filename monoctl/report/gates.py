"""What the gate has said of each window of a release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mono_pipeline.core.release import ReleaseEventKind
from mono_pipeline.core.release_gate import GateDecision
from monoctl.report.model import AlertLook, Gate, Tone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from monoctl.report.trail import TrailEvent

_TONES: Final = {
    GateDecision.PROMOTE.value: Tone.GOOD,
    GateDecision.HOLD.value: Tone.DOUBT,
    GateDecision.ROLL_BACK.value: Tone.BAD,
}


def gates_of(trail: Iterable[TrailEvent]) -> tuple[Gate, ...]:
    """Return every verdict, in its order."""
    return tuple(_gate(event) for event in trail if event.kind == ReleaseEventKind.GATE_JUDGED)


def looks_of(gates: Iterable[Gate]) -> tuple[AlertLook, ...]:
    """Return what was seen of the alerts when each verdict was given."""
    return tuple(AlertLook(at=gate.at, firing=gate.alerts_fleet) for gate in gates)


def decision_words(decision: str) -> str:
    """Return a decision as people say it."""
    return decision.replace("_", " ")


def tone_of(decision: str | None) -> Tone:
    """Return how a decision is to be taken."""
    return _TONES.get(decision or "", Tone.PLAIN)


def _gate(event: TrailEvent) -> Gate:
    detail, judged, alerts = event.detail, event.detail.part("canary"), event.detail.part("alerts")
    decision = detail.text("decision") or "unknown"
    return Gate(
        at=event.at,
        who=event.who,
        stage=detail.text("stage") or "window",
        decision=decision,
        reason=detail.text("reason") or "",
        sentence=detail.text("sentence") or "",
        tone=tone_of(decision),
        open_seconds=detail.number("open_seconds"),
        accounts=judged.count("accounts"),
        completed=judged.count("completed"),
        failed=judged.count("failed"),
        p95_seconds=judged.number("p95_seconds"),
        mismatches=judged.count("mismatches"),
        suspicions=judged.count("suspicions"),
        alerts_canary=alerts.texts("canary"),
        alerts_fleet=alerts.texts("fleet"),
        alerts_waived=alerts.truth("waived") or False,
    )
