"""docs/failures.md says what the table of errors says."""

from __future__ import annotations

from pathlib import Path

from mono_pipeline.core.classify import TABLE

DOCUMENT = Path(__file__).parents[2] / "docs" / "failures.md"
BEGIN, END = "<!-- table -->\n", "<!-- end -->"


def table() -> str:
    """The table of errors in Markdown."""
    lines = ["| error | of it | what | reason | seconds |", "|---|---|---|---|---|"]
    lines += [
        f"| `{row.error.__name__}` | {row.detail or ''} | {row.kind} | `{row.reason}` | {row.defer_seconds:g} |"
        for row in TABLE
    ]
    return "\n".join(["", *lines, "", ""])


def test_the_document_has_every_row_of_the_table() -> None:
    """And no other."""
    text = DOCUMENT.read_text(encoding="utf-8")

    assert text.partition(BEGIN)[2].partition(END)[0] == table()
