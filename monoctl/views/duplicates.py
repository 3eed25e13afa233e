"""Suspicions of double ids, for people."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.text import Text

from monoctl.console.tables import Column, fitting
from monoctl.console.words import number, signed
from monoctl.views.marks import marked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from monoctl.suspicion_pages import Decided

    type Row = dict[str, Any]

_NAMED = 10


def suspicions_view(rows: Sequence[Row], *, width: int) -> Iterator[RenderableType]:
    """Return a table for each account, both ids whole: whoever decides copies them."""
    ordered = sorted(rows, key=lambda row: (row["account_id"], row["id"]))
    for place, (account, group) in enumerate(groupby(ordered, key=lambda row: str(row["account_id"]))):
        if place:
            yield Text()
        mine = list(group)
        are_open = sum(row["status"] == "open" for row in mine)
        yield Text.assemble((account, "bold"), f"  {mine[0]['currency']}, {number(are_open)} open")
        yield fitting(_columns(mine), width)


def _columns(rows: Sequence[Row]) -> tuple[Column, ...]:
    decided = any(row["status"] != "open" for row in rows)
    columns = (
        Column(title="id", cells=[Text(str(row["id"])) for row in rows], justify="right"),
        Column(title="booked", cells=[Text(row["booking_date"]) for row in rows], keep=2),
        Column(
            title="amount",
            cells=[Text(signed(row["amount_minor"], row["direction"])) for row in rows],
            keep=1,
            justify="right",
        ),
        Column(title="old id", cells=[Text(row["old_id"]) for row in rows]),
        Column(title="new id", cells=[Text(row["new_id"]) for row in rows]),
        Column(title="narration", cells=[Text(row["narration"]) for row in rows], keep=4),
    )
    if not decided:
        return columns
    return (
        *columns,
        Column(title="decision", cells=[marked(row["status"]) for row in rows], keep=2),
        Column(title="by", cells=[Text(row["decided_by"] or "-") for row in rows], keep=3),
    )


def decision_view(done: Decided, *, same: bool) -> Iterator[RenderableType]:
    """Return what was decided, and which were not open."""
    meaning = "one transaction each: the new id counts" if same else "two transactions each: both count"
    yield Text(f"{number(len(done.decided))} {'accepted' if same else 'rejected'} ({meaning})")
    if done.not_open:
        named = ", ".join(str(each) for each in done.not_open[:_NAMED])
        more = f" and {number(len(done.not_open) - _NAMED)} more" if len(done.not_open) > _NAMED else ""
        yield Text(f"{number(len(done.not_open))} not open (decided before, or unknown): {named}{more}", style="yellow")
