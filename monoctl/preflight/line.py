"""One line of a pre-flight: passed, failed, or cannot be told, in words, and how to put it right."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a line stands."""

    PASS = "pass"  # noqa: S105 - a word, not a password
    FAIL = "fail"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, kw_only=True)
class Line:
    """`fix` is empty for what passed."""

    name: str
    state: State
    says: str
    fix: str = ""


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a check found, before it is a line."""

    state: State
    says: str
    fix: str = ""


def passed(says: str) -> Found:
    """It holds."""
    return Found(state=State.PASS, says=says)


def failed(says: str, fix: str) -> Found:
    """It does not hold."""
    return Found(state=State.FAIL, says=says, fix=fix)


def cannot_tell(says: str, fix: str) -> Found:
    """Nothing says whether it holds."""
    return Found(state=State.CANNOT_TELL, says=says, fix=fix)
