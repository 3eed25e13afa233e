"""Named SQL: a statement stands in a `.sql` file behind `-- name: its_name` and a line on what it guarantees.

What several statements of a file have in common stands there once, behind `-- part: its_name`, and each of them takes
it in where it says `-- with: its_name`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_HEADING = re.compile(r"^-- (name|part): (\w+)$", re.MULTILINE)
_WITH = re.compile(r"^-- with: (\w+)$", re.MULTILINE)


@cache
def statements(file: str) -> dict[str, str]:
    """All statements of `adapters/sql/<file>.sql` by name.

    A name that is used twice, or a part that is not there, is an error at first use.
    """
    # a plain file wherever we run; importlib.resources would cost every start its own import
    text = (Path(__file__).parent / "sql" / f"{file}.sql").read_text(encoding="utf-8")
    _, *found = _HEADING.split(text)
    names = found[1::3]
    if len(set(names)) != len(names):
        raise ValueError(f"{file}.sql names a statement twice")
    bodies = [body.strip().rstrip(";") for body in found[2::3]]
    kinds = dict(zip(names, found[::3], strict=True))
    by_name = dict(zip(names, bodies, strict=True))
    return {
        name: _WITH.sub(lambda part: by_name[part[1]], body) for name, body in by_name.items() if kinds[name] == "name"
    }
