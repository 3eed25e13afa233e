"""Named SQL: a statement stands in a `.sql` file behind `-- name: its_name` and a line on what it guarantees."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def statements(file: str) -> dict[str, str]:
    """All statements of `adapters/sql/<file>.sql` by name. A name that is used twice is an error at first use."""
    text = (files(__package__) / "sql" / f"{file}.sql").read_text(encoding="utf-8")
    _, *parts = _NAME.split(text)
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{file}.sql names a statement twice")
    return {name: body.strip().rstrip(";") for name, body in zip(names, bodies, strict=True)}
