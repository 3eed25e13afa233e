"""Tables that fit: a column that does not is left out whole and named, never squeezed until it says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rich.console import Group
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

_GAP = 2
_NARROW_GAP = 1


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column with its cells; `keep` 0 always stays, a higher number goes sooner when there is no room."""

    title: str
    cells: Sequence[Text]
    keep: int = 0
    justify: Literal["left", "right"] = "left"

    @property
    def width(self) -> int:
        """In characters."""
        return max((len(self.title), *(cell.cell_len for cell in self.cells)))


def fitting(columns: Sequence[Column], width: int) -> RenderableType:
    """Return a table of the columns that fit into `width` characters, and a line that names the others."""
    kept = list(columns)
    while _total(kept, _NARROW_GAP) > width and any(column.keep for column in kept):
        kept.remove(max(kept, key=lambda column: column.keep))
    gap = _GAP if _total(kept, _GAP) <= width else _NARROW_GAP
    table = Table(box=None, padding=(0, gap, 0, 0), pad_edge=False, header_style="bold")
    for column in kept:
        table.add_column(column.title, justify=column.justify, overflow="fold", no_wrap=column.keep == 0)
    for row in zip(*(column.cells for column in kept), strict=True):
        table.add_row(*row)
    left_out = [column.title for column in columns if column not in kept]
    return Group(table, Text(f"no room for: {', '.join(left_out)}", style="dim")) if left_out else table


def facts(pairs: Iterable[tuple[str, Text | str]]) -> Table:
    """Return names and values, one a line."""
    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs:
        table.add_row(name, value if isinstance(value, Text) else Text(value))
    return table


def _total(columns: Sequence[Column], gap: int) -> int:
    return sum(column.width for column in columns) + gap * (len(columns) - 1)
