"""A rollback, for people and for machines: what was done, what is proven, what is left."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.text import Text

from monoctl.console.tables import facts
from monoctl.flag_propagation import PROMISED_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import RenderableType

    from monoctl.rollback_walk import Proof, RollbackEnd

    type Row = dict[str, Any]


def rollback_document(end: RollbackEnd, *, back: list[str], note: str) -> Row:
    """Return a rollback as JSON; seconds are from the edit of the flag."""
    proof = end.proof
    return {
        "release": end.release,
        "flag": {"before": end.before, "after": end.after},
        "proof": None if proof is None else {**asdict(proof), "holds": proof.holds},
        "firing": end.firing,
        "dead_letters": None if end.letters is None else end.letters["groups"],
        "cleared": end.cleared,
        "last_good_version": end.last_good_version,
        "back": back,
        "status_note": note,
        "problems": end.problems,
    }


def rollback_view(end: RollbackEnd, *, back: list[str], note: str) -> Iterator[RenderableType]:
    """Return what was done, the commands that lead back, and the note for support."""
    yield facts(
        [
            ("flag", f"version {end.before['version']} {end.before['value']!r} -> {end.after['value']!r}"),
            ("new runs", _proof(end.proof)),
            ("alerts", _alerts(end.firing)),
            ("dead letters", _letters(end)),
            ("last good", end.last_good_version or "no promoted release on record"),
            ("release", end.release or "not recorded"),
        ]
    )
    for problem in end.problems:
        yield Text(f"problem: {problem}", style="yellow")
    yield Text("\nThe way back:", style="bold")
    yield from (Text(f"  {command}") for command in back)
    yield Text("\nFor support:", style="bold")
    yield Text(note)


def _proof(proof: Proof | None) -> Text:
    if proof is None:
        return Text("cannot be told: the flag is off, and is in force within 15 s", style="yellow")
    last = (
        "none" if proof.last_started_seconds is None else f"the last {proof.last_started_seconds:.1f} s after the edit"
    )
    still = f"{proof.working} still at work" if proof.working else "none at work"
    told = f"{proof.started} began after the edit, {last}; {still} after {proof.watched_seconds:.1f} s"
    late = "" if proof.holds else f": later than the {PROMISED_SECONDS:.0f} s that are promised"
    return Text(told + late, style="green" if proof.holds and not proof.working else "red")


def _alerts(firing: list[str] | None) -> str:
    if firing is None:
        return "cannot be told"
    return ", ".join(firing) or "the three required ones are inactive"


def _letters(end: RollbackEnd) -> str:
    if end.letters is None:
        return "cannot be told"
    groups = [f"{each['type']} {each['reason']} {each['messages']}" for each in end.letters["groups"]]
    cleared = f"; {end.cleared} taken away" if end.cleared else ""
    return (", ".join(groups) or "none") + cleared
