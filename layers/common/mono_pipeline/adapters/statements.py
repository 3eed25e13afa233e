"""Named SQL: a statement stands in a `.sql` file behind `-- name: its_name` and a line on what it guarantees.

What several statements have in common stands once, behind `-- part: its_name`, and each of them takes it in where it
says `-- with: its_name`, or `-- with: file.its_name` for a part of another file.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_HEADING = re.compile(r"^-- (name|part): (\w+)$", re.MULTILINE)
_WITH = re.compile(r"^-- with: (?:(\w+)\.)?(\w+)$", re.MULTILINE)


@cache
def statements(file: str) -> dict[str, str]:
    """All statements of `adapters/sql/<file>.sql` by name.

    A name that is used twice, or a part that is not there, is an error at first use.
    """
    found = _found(file)
    return {
        name: _WITH.sub(lambda part: _found(part[1] or file)[part[2]][1], body)
        for name, (kind, body) in found.items()
        if kind == "name"
    }


@cache
def _found(file: str) -> dict[str, tuple[str, str]]:
    """Each statement and part of a file: its kind and its text as written."""
    # a plain file wherever we run; importlib.resources would cost every start its own import
    text = (Path(__file__).parent / "sql" / f"{file}.sql").read_text(encoding="utf-8")
    _, *found = _HEADING.split(text)
    names = found[1::3]
    if len(set(names)) != len(names):
        raise ValueError(f"{file}.sql names a statement twice")
    bodies = (body.strip().rstrip(";") for body in found[2::3])
    return dict(zip(names, zip(found[::3], bodies, strict=True), strict=True))
