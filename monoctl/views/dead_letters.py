"""Dead letters, for people: groups with what becomes of each, the oldest messages, and a sentence on the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.text import Text

from mono_pipeline.core.replay import Outcome
from monoctl.console.tables import Column, fitting
from monoctl.console.words import NOTHING, ago, instant, number
from monoctl.dead_letter_walk import left_behind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    type Row = dict[str, Any]

_WORDS: Final = {
    Outcome.REQUEUED: "re-queue",
    Outcome.QUARANTINED: "give up",
    Outcome.PURGED: "purge",
    Outcome.BY_HAND: "by hand",
    Outcome.FLAG_OFF: "flag is off",
    Outcome.REAUTH_REQUIRED: "re-authorise",
    Outcome.REFUSED: "Mono refuses",
    Outcome.UNLINKED: "unlinked",
    Outcome.UNKNOWN_ACCOUNT: "unknown",
}
_STYLES: Final = {Outcome.REQUEUED: "green", Outcome.QUARANTINED: "red", Outcome.PURGED: "red"}
_STAYS: Final = {
    Outcome.BY_HAND: "nothing of ours serves: run again by hand what they were, or purge them",
    Outcome.FLAG_OFF: "the flag is off for their accounts",
    Outcome.REAUTH_REQUIRED: "blocked by re-authorisation",
    Outcome.REFUSED: "Mono refuses their accounts",
    Outcome.UNLINKED: "their accounts are unlinked",
    Outcome.UNKNOWN_ACCOUNT: "their accounts are not known here",
}


def letters_view(answer: Row, *, now: datetime, width: int) -> Iterator[RenderableType]:
    """Return a table of the groups, and one of the messages where the answer has any."""
    if answer["groups"]:
        yield fitting(_groups(answer["groups"], now=now, done=not answer["dry_run"]), width)
    if answer["letters"]:
        yield Text()
        yield fitting(_letters(answer["letters"], now=now), width)


def _groups(groups: Sequence[Row], *, now: datetime, done: bool) -> tuple[Column, ...]:
    return (
        Column(title="type", cells=[Text(row["type"]) for row in groups]),
        Column(title="reason", cells=[Text(row["reason"]) for row in groups]),
        Column(title="messages", cells=[Text(number(row["messages"])) for row in groups], justify="right"),
        Column(title="accounts", cells=[Text(number(row["accounts"])) for row in groups], keep=2, justify="right"),
        Column(title="oldest", cells=[Text(ago(instant(row["oldest"]), now)) for row in groups], keep=3),
        Column(title="done" if done else "replay", cells=[_outcome(row["outcome"]) for row in groups], keep=1),
    )


def _letters(letters: Sequence[Row], *, now: datetime) -> tuple[Column, ...]:
    return (
        Column(title="account", cells=[Text(row["account_id"] or NOTHING) for row in letters]),
        Column(title="reason", cells=[Text(row["reason"]) for row in letters]),
        Column(title="sent", cells=[Text(ago(instant(row["sent_at"]), now)) for row in letters], keep=1),
        Column(title="replays", cells=[Text(number(row["replays"])) for row in letters], keep=2, justify="right"),
        Column(title="type", cells=[Text(row["type"]) for row in letters], keep=3),
        Column(title="correlation id", cells=[Text(row["correlation_id"] or NOTHING) for row in letters], keep=4),
        Column(title="run", cells=[Text(row["run_id"] or NOTHING) for row in letters], keep=5),
    )


def _outcome(outcome: str) -> Text:
    return Text(_WORDS.get(Outcome(outcome), outcome), style=_STYLES.get(Outcome(outcome), "yellow"))


def progress_line(answer: Row) -> str:
    """Return how far an action is."""
    seen, expected = answer["so_far"]["seen"], answer["so_far"]["expected"]
    return f"{number(seen)} of about {number(max(seen, expected))} messages looked at"


def summary_lines(answer: Row) -> Iterator[str]:
    """Return what was done or would be, what stays and why, and what to do next."""
    outcomes, would = answer["outcomes"], "would " if answer["dry_run"] else ""
    if not answer["groups"]:
        yield "No dead letter is meant by this." if answer["so_far"]["seen"] else "There are no dead letters."
        return
    if answer["operation"] != "inspect":
        yield from (_done(outcomes, outcome, would=would) for outcome in _DONE if outcome in outcomes)
        yield from (
            f"{number(counts['messages'])} {'stay' if counts['messages'] != 1 else 'stays'}: {_STAYS[Outcome(outcome)]}"
            for outcome, counts in left_behind(answer).items()
        )
    if refused := answer.get("would_be_refused"):
        why = "the flag is off for everyone" if refused == "flag_off" else "nobody may call Mono just now"
        yield f"It would be refused: {why} (--force sets this aside)."
    if answer["dry_run"] and answer["operation"] != "inspect":
        yield "Nothing was changed: --execute does it."


_DONE: Final = {
    Outcome.REQUEUED: ("re-queue", "re-queued"),
    Outcome.QUARANTINED: ("give up and archive", "given up and archived"),
    Outcome.PURGED: ("archive and delete", "archived and deleted"),
}


def _done(outcomes: Row, outcome: Outcome, *, would: str) -> str:
    counts = outcomes[outcome]
    messages = f"{number(counts['messages'])} message{'s' if counts['messages'] != 1 else ''}"
    accounts = f" of {number(counts['accounts'])} account{'s' if counts['accounts'] != 1 else ''}"
    of = accounts if counts["accounts"] else ""
    do, done = _DONE[outcome]
    return f"{would}{do} {messages}{of}" if would else f"{done}: {messages}{of}"
