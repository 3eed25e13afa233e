"""What a sync would do, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.text import Text

from monoctl.console.tables import Column, facts, fitting
from monoctl.console.words import NOTHING, days, number
from monoctl.views.reasons import REASONS
from monoctl.views.verification import differing_rows, verdict_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    type Row = dict[str, Any]


def shadow_view(answer: Row, *, width: int) -> Iterator[RenderableType]:
    """Return the counts that a sync would end with, the verdict on the stored rows, and what would change of them."""
    counts, total = answer["counts"], answer["mono_total"]
    verdict = answer["verdict"]
    yield facts(
        [
            ("account", answer["account_id"]),
            ("verdict", verdict_words(verdict) if verdict else Text("none: time was up", style="yellow")),
            ("rows seen", f"{number(counts['seen'])}{f' of {number(total)} at Mono' if total is not None else ''}"),
            ("  to insert", number(counts["inserted"])),
            ("  to update", number(counts["updated"])),
            ("  unchanged", number(counts["unchanged"])),
            ("  to quarantine", number(counts["quarantined"])),
            ("days", days(answer["window"]["start"], answer["window"]["end"])),
            ("written", "nothing"),
        ]
    )
    if answer["changes"]:
        yield Text()
        yield Text("rows that would change", style="bold")
        yield differing_rows(answer["changes"], width)
    if verdict and verdict["reason"]:
        yield Text()
        yield Text(REASONS.get(verdict["reason"], ""))


def shadows_table(answers: Sequence[Row], width: int) -> RenderableType:
    """Return what a sync of each of many accounts would do, a line each; of a refused one, by which error."""
    return fitting(
        (
            Column(title="account", cells=[Text(answer["account_id"]) for answer in answers]),
            Column(title="verdict", cells=[_verdict(answer) for answer in answers]),
            *(
                Column(
                    title=f"to {verb}", cells=[_count(answer, name) for answer in answers], keep=keep, justify="right"
                )
                for verb, name, keep in (
                    ("insert", "inserted", 1),
                    ("update", "updated", 0),
                    ("quarantine", "quarantined", 2),
                )
            ),
            Column(
                title="unchanged", cells=[_count(answer, "unchanged") for answer in answers], keep=3, justify="right"
            ),
        ),
        width,
    )


def _verdict(answer: Row) -> Text:
    if "error" in answer:
        return Text(answer["error"]["code"], style="red")
    verdict = answer["verdict"]
    return verdict_words(verdict) if verdict else Text("none: time was up", style="yellow")


def _count(answer: Row, name: str) -> Text:
    return Text(number(answer["counts"][name]) if "counts" in answer else NOTHING)
