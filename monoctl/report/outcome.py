"""How a release stands, and why: the first thing that a reader wants to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mono_pipeline.core.release import ReleaseEventKind, ReleaseStatus
from mono_pipeline.core.release_gate import GateDecision
from monoctl.report.gates import decision_words
from monoctl.report.model import Outcome, Tone
from monoctl.report.trail import TrailEvent, last

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monoctl.report.model import Gate


def outcome_of(
    release: dict[str, Any], trail: Sequence[TrailEvent], gates: Sequence[Gate], *, began_at: datetime
) -> Outcome:
    """Return it by the release's status, with the reason of the event that made it so."""
    match release["status"]:
        case ReleaseStatus.PROMOTED:
            event, tone, word = last(trail, ReleaseEventKind.PROMOTION_FINISHED), Tone.GOOD, "Promoted"
            sentence = _after_promotion(gates, event) or "Everybody is on."
            tone = tone if sentence.startswith("Everybody") else Tone.DOUBT
        case ReleaseStatus.ROLLED_BACK:
            event, tone, word = last(trail, ReleaseEventKind.ROLLBACK_FINISHED), Tone.BAD, "Rolled back"
            sentence = _rolled_back(event)
        case ReleaseStatus.CLOSED:
            event, tone, word = last(trail, ReleaseEventKind.CLOSED), Tone.PLAIN, "Closed"
            sentence = (event and event.detail.text("reason")) or "No reason is on record."
        case _:
            event, tone, word = trail[-1] if trail else None, Tone.DOUBT, "Open"
            sentence = (
                f"Not finished. {_gate_words(gates[-1])}" if gates else "Not finished; no gate has judged it yet."
            )
    who = event.who if event else str(release["actor"])
    return Outcome(tone=tone, word=word, sentence=sentence, at=event.at if event else began_at, who=who)


def _rolled_back(event: TrailEvent | None) -> str:
    if event is None:
        return "No reason is on record."
    detail = event.detail
    reason, sentence = detail.text("reason"), detail.text("sentence")
    why = f"{sentence} ({reason})" if sentence and reason else sentence or reason or "no reason is on record"
    scope = "the canary alone" if detail.text("scope") == "canary" else "everyone"
    proven: dict[bool | None, str] = {
        True: " It is proven that no run began after it.",
        False: " Runs began later than is promised.",
    }
    return f"{why}. Off for {scope}.{proven.get(detail.truth('proven'), '')}"


def _after_promotion(gates: Sequence[Gate], promoted: TrailEvent | None) -> str | None:
    """What a window after the promotion has said, which nobody should miss under a green word."""
    later = [gate for gate in gates if promoted is None or gate.at >= promoted.at]
    if later and later[-1].decision != GateDecision.PROMOTE:
        return f"Since then: {_gate_words(later[-1])}"
    judged = gates[-1] if gates else None
    return f"Everybody is on. {_gate_words(judged)}" if judged else None


def _gate_words(gate: Gate) -> str:
    said = f"{decision_words(gate.decision)} ({gate.reason.replace('_', ' ')})"
    return f"Last gate, {gate.stage}: {said}{f': {gate.sentence}' if gate.sentence else ''}."
