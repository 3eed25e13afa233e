"""The trail of a release told: each event as a title and what is to be said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mono_pipeline.core.flag import percentage_text
from mono_pipeline.core.release import ReleaseEventKind as Kind
from monoctl.report.checklist import exit_found, preflight_found, shadow_found
from monoctl.report.gates import decision_words, tone_of
from monoctl.report.model import Moment, Tone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from monoctl.report.model import FlagStep
    from monoctl.report.trail import Detail, TrailEvent

    type Told = tuple[str, str, Tone]


def story_of(trail: Iterable[TrailEvent], steps: Iterable[FlagStep]) -> tuple[Moment, ...]:
    """Return every event, oldest first, and between them the changes of the flag that others made."""
    meanings = {step.version: step.meaning for step in steps if step.in_trail}
    told = [_moment(event, meanings) for event in trail]
    told += [
        Moment(
            at=step.at,
            who=step.who,
            kind="flag.changed_elsewhere",
            title=f"Flag changed outside this release: {step.meaning}",
            says=step.why,
            tone=Tone.DOUBT,
        )
        for step in steps
        if not step.in_trail
    ]
    return tuple(sorted(told, key=lambda moment: moment.at))


def _moment(event: TrailEvent, meanings: Mapping[int, str]) -> Moment:
    if event.kind == Kind.FLAG_CHANGED:
        title, says, tone = _flag(event.detail, meanings)
    else:
        title, says, tone = _TELLERS.get(event.kind, _other(event.kind))(event.detail)
    return Moment(at=event.at, who=event.who, kind=event.kind, title=title, says=says, tone=tone)


def _flag(detail: Detail, meanings: Mapping[int, str]) -> Told:
    meaning = meanings.get(detail.part("after").count("version") or 0, "value not on record")
    seconds = detail.number("propagation_seconds")
    seen = "" if seconds is None else f"In force after {seconds:.1f} s. "
    return f"Flag: {meaning}", f"{seen}{detail.text('why') or ''}", Tone.PLAIN


def _by_finding(good: str, bad: str, find: Callable[[Detail], tuple[bool | None, str]]) -> Callable[[Detail], Told]:
    def tell(detail: Detail) -> Told:
        well, says = find(detail)
        tone = Tone.DOUBT if well is None else Tone.GOOD if well else Tone.BAD
        return (good if well else bad), says, tone

    return tell


def _canary_started(detail: Detail) -> Told:
    accounts, minutes = detail.texts("accounts") or (), detail.number("minutes")
    waived = detail.text("without_alerts")
    how_long = "" if minutes is None else f" for {minutes:g} minutes"
    without = f" Judged without alerts: {waived}." if waived else ""
    return "Canary started", f"{_accounts(len(accounts))}{how_long}.{without}", Tone.PLAIN


def _gate(detail: Detail) -> Told:
    decision, reason = detail.text("decision") or "unknown", detail.text("reason")
    title = f"Gate of {detail.text('stage') or 'a window'}: {decision_words(decision)}"
    return f"{title}{f' ({reason})' if reason else ''}", detail.text("sentence") or "", tone_of(decision)


def _promotion_started(detail: Detail) -> Told:
    steps = [percentage_text(int(each)) for each in detail.fields.get("steps") or [] if isinstance(each, int)]
    waived = detail.text("without_alerts")
    without = f" Judged without alerts: {waived}." if waived else ""
    return "Promotion started", f"{', '.join(steps)} %.{without} {detail.text('reason') or ''}".strip(), Tone.PLAIN


def _step(detail: Detail) -> Told:
    percentage, accounts = detail.count("percentage"), detail.count("accounts")
    to = "?" if percentage is None else percentage_text(percentage)
    came = "" if accounts is None else f"{_accounts(accounts)} came on by it."
    return f"Step to {to} %", came, Tone.PLAIN


def _held(detail: Detail) -> Told:
    return f"Promotion held ({detail.text('reason') or '?'})", detail.text("sentence") or "", Tone.DOUBT


def _rollback_finished(detail: Detail) -> Told:
    began, seconds = detail.count("runs_begun_after"), detail.number("last_began_after_seconds")
    proof = ""
    if began is not None:
        last = "" if seconds is None else f", the last {seconds:.1f} s after it"
        proof = f" {began} runs began after the edit{last}."
    scope = "the canary" if detail.text("scope") == "canary" else "everyone"
    why = detail.text("sentence") or detail.text("reason") or ""
    return f"Rolled back for {scope}", f"{why}{proof}", Tone.BAD


def _plain(title: str, *fields: str, tone: Tone = Tone.PLAIN) -> Callable[[Detail], Told]:
    return lambda detail: (title, " ".join(filter(None, (detail.text(name) for name in fields))), tone)


def _cleared(detail: Detail) -> Told:
    return "Dead letters cleared", f"{detail.count('messages') or 0} messages, each archived.", Tone.PLAIN


def _signed_off(detail: Detail) -> Told:
    return f"Signed off: {detail.text('item') or '(no item)'}", detail.text("note") or "", Tone.GOOD


def _other(kind: str) -> Callable[[Detail], Told]:
    return _plain(kind, "reason", "sentence")


def _accounts(count: int) -> str:
    return f"{count:,} account{'' if count == 1 else 's'}"


_TELLERS: Final[dict[str, Callable[[Detail], Told]]] = {
    Kind.PREFLIGHT_CHECKED: _by_finding("Pre-flight passed", "Pre-flight not passed", preflight_found),
    Kind.WEBHOOK_CONFIRMED: _plain("Webhook URL confirmed", "url", tone=Tone.GOOD),
    Kind.SHADOW_COMPARED: _by_finding("Shadow sync: as stored", "Shadow sync: not as stored", shadow_found),
    Kind.SMOKE_TESTED: _by_finding("Smoke test passed", "Smoke test not passed", exit_found),
    Kind.DATA_VERIFIED: _by_finding("Data verified", "Data not verified", exit_found),
    Kind.CANARY_STARTED: _canary_started,
    Kind.CANARY_STOPPED: _plain("Canary taken out", "reason"),
    Kind.GATE_OBSERVED: _gate,
    Kind.GATE_JUDGED: _gate,
    Kind.PROMOTION_STARTED: _promotion_started,
    Kind.PROMOTION_STEP: _step,
    Kind.PROMOTION_HELD: _held,
    Kind.PROMOTION_FINISHED: lambda _: ("Promoted: everybody is on", "", Tone.GOOD),
    Kind.ROLLBACK_STARTED: _plain("Rollback started", "reason", tone=Tone.BAD),
    Kind.ROLLBACK_FINISHED: _rollback_finished,
    Kind.DEAD_LETTERS_CLEARED: _cleared,
    Kind.SIGNED_OFF: _signed_off,
    Kind.CLOSED: _plain("Closed", "reason"),
}
