"""What the ops function tells of a release's period, as the values of the report."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.release_cohort import SLA_SECONDS
from monoctl.report.model import (
    AccountRow,
    Cell,
    DeadLetters,
    Figures,
    GivenUp,
    LetterAction,
    LetterGroup,
    RunCourse,
    Slot,
    VerdictMatrix,
)
from monoctl.report.period import length_of

if TYPE_CHECKING:
    from monoctl.report.model import Span

    type Row = dict[str, Any]

# The gravest first: what is stored is wrong, what could not be read, what could not be proven, what is well.
GRAVITY: Final = (
    ("mismatches", "mismatch"),
    ("failed", "failed"),
    ("unverifiable", "unverifiable"),
    ("verified", "verified"),
    ("stopped", "stopped"),
)
_ENDS: Final = ("completed", "incomplete", "failed", "stopped")


def run_course(told: Row, *, slot_seconds: float) -> RunCourse:
    """Return the answer of `releases.timeline`."""
    errors: dict[str, dict[str, int]] = {}
    for row in told["errors"]:
        errors.setdefault(row["slot"], {})[row["reason"]] = row["failed"]
    rows: dict[str, dict[bool, Row]] = {}
    for row in told["slots"]:
        rows.setdefault(row["slot"], {})[row["canary"]] = row
    return RunCourse(
        slot_seconds=slot_seconds,
        sla_seconds=SLA_SECONDS,
        whole=_figures(told["whole"]),
        slots=tuple(_slot(at, groups, errors.get(at, {})) for at, groups in rows.items()),
    )


def verdict_matrix(told: Row, period: Span, *, slot_seconds: float) -> VerdictMatrix:
    """Return the answer of `releases.verdicts`."""
    count = int(length_of(period) // slot_seconds) + 1
    columns = tuple(period.since + timedelta(seconds=slot_seconds * number) for number in range(count))
    return VerdictMatrix(
        slot_seconds=slot_seconds,
        columns=columns,
        found=told["found"],
        rows=tuple(_account(row, period, slot_seconds) for row in told["accounts"]),
    )


def dead_letters(told: Row, *, waiting: int | None) -> DeadLetters:
    """Return the answer of `releases.letters`; `waiting` is the queue's own word."""
    return DeadLetters(
        waiting=waiting,
        found=told["found"],
        accounts=tuple(
            GivenUp(
                account_id=row["account_id"],
                at=datetime.fromisoformat(row["at"]),
                reason=row["reason"],
                failures=row["failure_streak"],
            )
            for row in told["accounts"]
        ),
        archived=tuple(LetterGroup(**row) for row in told["archived"]),
        actions=tuple(_action(row) for row in told["actions"]),
    )


def _figures(row: Row) -> Figures:
    names = (
        "accounts",
        "failed",
        "fetches",
        "slow",
        "p95_seconds",
        "verified",
        "unverifiable",
        "mismatches",
        "zero_runs",
    )
    return Figures(runs=_runs(row), **{name: row[name] for name in names})


def _slot(at: str, groups: dict[bool, Row], errors: dict[str, int]) -> Slot:
    return Slot(
        at=datetime.fromisoformat(at),
        runs=sum(_runs(row) for row in groups.values()),
        failed=sum(row["failed"] for row in groups.values()),
        p95_canary=groups.get(True, {}).get("p95_seconds"),
        p95_rest=groups.get(False, {}).get("p95_seconds"),
        errors=errors,
    )


def _runs(row: Row) -> int:
    return sum(row[name] for name in _ENDS)


def _account(row: Row, period: Span, slot_seconds: float) -> AccountRow:
    names = ("account_id", "canary", "runs", "verified", "unverifiable", "mismatches", "failed", "why")
    cells = (_cell(slot, period, slot_seconds) for slot in row["slots"])
    return AccountRow(**{name: row[name] for name in names}, cells=tuple(cells))


def _cell(slot: Row, period: Span, slot_seconds: float) -> Cell:
    column = round((datetime.fromisoformat(slot["slot"]) - period.since).total_seconds() / slot_seconds)
    word = next((word for name, word in GRAVITY if slot[name]), "stopped")
    return Cell(column=column, word=word, runs=sum(slot[name] for name, _ in GRAVITY))


def _action(row: Row) -> LetterAction:
    outcomes = ", ".join(f"{name} {count}" for name, count in (row["outcomes"] or {}).items())
    unfinished = "" if row["finished_at"] else "not finished"
    return LetterAction(
        at=datetime.fromisoformat(row["at"]),
        who=row["asked_by"],
        action=row["action"],
        says=row["refused"] or outcomes or unfinished or "nothing was there",
    )
