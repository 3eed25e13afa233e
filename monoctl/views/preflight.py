"""A pre-flight, for people: a mark and a sentence a line, and below what is not in order how to put it right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from monoctl.preflight.line import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from monoctl.preflight.line import Line

_STYLES: Final = {State.PASS: "green", State.FAIL: "bold red", State.CANNOT_TELL: "yellow"}


def preflight_view(lines: Sequence[Line]) -> Iterator[RenderableType]:
    """Return the lines and their sum."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row(Text(line.name), Text(line.state, style=_STYLES[line.state]), Text(line.says, overflow="fold"))
        if line.fix:
            table.add_row("", "", Text(f"-> {line.fix}", style="dim", overflow="fold"))
    yield table
    yield Text()
    yield Text(_sum(lines), style="bold")


def _sum(lines: Sequence[Line]) -> str:
    counts = {state: sum(line.state is state for line in lines) for state in State}
    words = {State.PASS: "passed", State.FAIL: "failed", State.CANNOT_TELL: "cannot be told"}
    return ", ".join(f"{count} {words[state]}" for state, count in counts.items() if count)
