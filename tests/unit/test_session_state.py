"""Nothing of ours outlives its transaction in a session: behind RDS Proxy it would pin the session, or be another's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    file
    for folder in ("layers/common/mono_pipeline", "functions")
    for file in (ROOT / folder).rglob("*")
    if file.suffix in {".py", ".sql"}
)
STATEMENT_ENDS = re.compile(r";|\n\s*\n|[\"']+")
SESSION_LOCK = re.compile(r"pg_(?:try_)?advisory_(?!xact_)\w*lock")
SESSION_STATE = re.compile(r"\s*(?:SET\s+(?!LOCAL\b)\w|CREATE\s+TEMP|LISTEN\s|PREPARE\s|DECLARE\s)")


def left_in_a_session(text: str) -> Iterator[str]:
    """Session locks, and statements that set, make or keep something for as long as the session lasts."""
    yield from SESSION_LOCK.findall(text)
    code = re.sub(r"--.*", "", text)
    yield from (statement for statement in STATEMENT_ENDS.split(code) if SESSION_STATE.match(statement))


def test_there_is_something_to_look_at() -> None:
    """All statements, and what runs them."""
    assert {"flush.sql", "runs.sql", "postgres.py"} <= {file.name for file in SOURCES}


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_source_leaves_no_lock_and_no_setting_in_a_session(file: Path) -> None:
    """Transaction locks and row locks alone."""
    assert list(left_in_a_session(file.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("SELECT pg_advisory_lock(1)", True),
        ("SELECT pg_try_advisory_lock(1)", True),
        ("SELECT pg_advisory_xact_lock(1)", False),
        ("-- name: x\nSET lock_timeout = '1s'", True),
        ('rows("SET SESSION lock_timeout TO 1")', True),
        ('rows("SET LOCAL lock_timeout = 1")', False),
        ("-- name: x\nUPDATE bank_accounts\n   SET fence = fence + 1", False),
        ("-- name: x\nCREATE TEMPORARY TABLE seen (id text)", True),
    ],
)
def test_what_would_be_found(statement: str, *, left: bool) -> None:
    """The rule itself."""
    assert bool(list(left_in_a_session(statement))) is left
