"""The checklist of a release: what its commands have found, and what people have signed for, with who and when."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from mono_pipeline.core.release import ReleaseEventKind
from mono_pipeline.core.release_gate import GateDecision
from mono_pipeline.core.verdict import VerdictKind
from monoctl.report.gates import decision_words, tone_of
from monoctl.report.model import CheckItem, Tone
from monoctl.report.trail import Detail, TrailEvent, last

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from monoctl.report.model import Gate

    type Found = tuple[bool | None, str]

CANARY, WATCH = "canary", "watch"
_NOT_ON_RECORD: Final = "not on record"


def checklist(trail: Sequence[TrailEvent], gates: Sequence[Gate]) -> tuple[CheckItem, ...]:
    """Return the lines in the order of the procedure; the last word on each counts."""
    return tuple(_lines(trail, gates))


def preflight_found(detail: Detail) -> Found:
    """Return whether a pre-flight passed, and what was not in order."""
    lines = detail.parts("lines")
    others = [f"{line.text('name')}: {line.text('state')}" for line in lines if line.text("state") != "pass"]
    states = Counter(line.text("state") or "?" for line in lines)
    counted = ", ".join(f"{count} {state}" for state, count in states.items())
    return detail.truth("passed"), f"{counted}{' - ' if others else ''}{'; '.join(others)}"


def shadow_found(detail: Detail) -> Found:
    """Return whether a shadow sync would have left what is stored as it is: of one account, or of a stage's."""
    if (stage := detail.text("stage")) is not None:
        well, told = exit_found(detail)
        return well, f"{stage}: {told}"
    kind, account = detail.part("verdict").text("kind"), detail.text("account_id")
    said = f"{kind or 'no verdict'}{f', {account}' if account else ''}"
    return (None if kind is None else kind == VerdictKind.VERIFIED), said


def exit_found(detail: Detail) -> Found:
    """Return whether a command ended as promised."""
    code = detail.count("exit_code")
    verdicts = ", ".join(f"{count} {kind}" for kind, count in detail.part("verdicts").fields.items())
    said = "as promised" if code == 0 else f"exit code {code}"
    return (None if code is None else code == 0), f"{said}{f': {verdicts}' if verdicts else ''}"


def _lines(trail: Sequence[TrailEvent], gates: Sequence[Gate]) -> Iterator[CheckItem]:
    yield _found("Pre-flight", last(trail, ReleaseEventKind.PREFLIGHT_CHECKED), preflight_found)
    yield _found(
        "Webhook URL confirmed",
        last(trail, ReleaseEventKind.WEBHOOK_CONFIRMED),
        lambda detail: (True, detail.text("url") or ""),
    )
    yield _found("Shadow sync", last(trail, ReleaseEventKind.SHADOW_COMPARED), shadow_found)
    yield _found("Smoke test", last(trail, ReleaseEventKind.SMOKE_TESTED), exit_found)
    yield _canary(trail, gates)
    yield _found(
        "Everybody on",
        last(trail, ReleaseEventKind.PROMOTION_FINISHED),
        lambda _: (True, "100 % of accounts"),
    )
    yield _judged("Monitoring window", [gate for gate in gates if gate.stage == WATCH])
    yield _found("Data verified", last(trail, ReleaseEventKind.DATA_VERIFIED), exit_found)
    for event in trail:
        if event.kind == ReleaseEventKind.SIGNED_OFF:
            name, note = event.detail.text("item") or "(no item)", event.detail.text("note") or ""
            yield CheckItem(name=name, tone=Tone.GOOD, state="signed off", says=note, who=event.who, at=event.at)


def _found(name: str, event: TrailEvent | None, find: Callable[[Detail], Found]) -> CheckItem:
    if event is None:
        return CheckItem(name=name, tone=Tone.PLAIN, state=_NOT_ON_RECORD, says="", who=None, at=None)
    well, says = find(event.detail)
    states: dict[bool | None, tuple[Tone, str]] = {True: (Tone.GOOD, "done"), False: (Tone.BAD, "not in order")}
    tone, state = states.get(well, (Tone.DOUBT, "cannot tell"))
    return CheckItem(name=name, tone=tone, state=state, says=says, who=event.who, at=event.at)


def _canary(trail: Sequence[TrailEvent], gates: Sequence[Gate]) -> CheckItem:
    item = _judged("Canary", [gate for gate in gates if gate.stage == CANARY])
    started = last(trail, ReleaseEventKind.PROMOTION_STARTED)
    waived = started.detail.text("without_canary") if started else None
    if started is None or waived is None or item.tone is Tone.GOOD:
        return item
    return CheckItem(name=item.name, tone=Tone.DOUBT, state="waived", says=waived, who=started.who, at=started.at)


def _judged(name: str, gates: Sequence[Gate]) -> CheckItem:
    if not gates:
        return CheckItem(name=name, tone=Tone.PLAIN, state=_NOT_ON_RECORD, says="", who=None, at=None)
    gate = gates[-1]
    state = "done" if gate.decision == GateDecision.PROMOTE else decision_words(gate.decision)
    return CheckItem(name=name, tone=tone_of(gate.decision), state=state, says=gate.sentence, who=gate.who, at=gate.at)
