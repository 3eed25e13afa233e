"""The verdict on a complete pass: the gravest thing that it found, and `verified` only when it found nothing."""

from __future__ import annotations

from copy import replace
from datetime import date
from itertools import pairwise

import pytest

from mono_pipeline.core.removal import Absence
from mono_pipeline.core.verdict import VERIFIED, DifferingDay, Findings, Verdict, VerdictKind, VerdictReason, judge

CLEAN = Findings(
    differing=[], missing=0, absence=Absence.NONE, open_suspicions=0, open_quarantine=0, balance_reason=None
)
# Each finding by itself, from the gravest down.
GRAVITY: list[tuple[dict[str, object], VerdictReason]] = [
    ({"absence": Absence.SUSPICIOUS_EMPTY}, VerdictReason.SUSPICIOUS_EMPTY),
    ({"absence": Absence.HISTORY_TRUNCATED}, VerdictReason.HISTORY_TRUNCATED),
    ({"open_suspicions": 1}, VerdictReason.DUPLICATE_SUSPECTED),
    ({"missing": 1}, VerdictReason.REMOVAL_PENDING),
    ({"open_quarantine": 1}, VerdictReason.QUARANTINED),
    ({"balance_reason": VerdictReason.BALANCE_AHEAD}, VerdictReason.BALANCE_AHEAD),
]


def _day(day: int) -> DifferingDay:
    return DifferingDay(
        day=date(2026, 9, day),
        bank_rows=1,
        stored_rows=1,
        bank_credits=1,
        stored_credits=2,
        bank_debits=0,
        stored_debits=0,
    )


def test_nothing_found_is_verified() -> None:
    """And nothing else is."""
    assert judge(CLEAN) == VERIFIED


@pytest.mark.parametrize(("finding", "reason"), GRAVITY)
def test_each_finding_alone_is_a_reason_of_its_own(finding: dict[str, object], reason: VerdictReason) -> None:
    """Nothing that was found is passed over."""
    judged = judge(replace(CLEAN, **finding))  # type: ignore[arg-type]

    assert (judged.kind, judged.reason, judged.first_bad_day) == (VerdictKind.UNVERIFIABLE, reason, None)


@pytest.mark.parametrize(("graver", "lighter"), [(graver, lighter) for graver, lighter in pairwise(GRAVITY)])
def test_the_gravest_of_two_findings_is_the_reason(
    graver: tuple[dict[str, object], VerdictReason], lighter: tuple[dict[str, object], VerdictReason]
) -> None:
    """One verdict has one reason."""
    merged = {**lighter[0], **graver[0]}

    assert judge(replace(CLEAN, **merged)).reason is graver[1]  # type: ignore[arg-type]


@pytest.mark.parametrize(("finding", "_"), [({}, None), *GRAVITY])
def test_a_day_that_differs_is_a_mismatch_whatever_else_was_found(finding: dict[str, object], _: object) -> None:
    """What is stored is not what was read: the first such day is named."""
    judged = judge(replace(CLEAN, differing=[_day(9), _day(3), _day(20)], **finding))  # type: ignore[arg-type]

    assert judged == Verdict(
        kind=VerdictKind.MISMATCH, reason=VerdictReason.DAYS_DIFFER, first_bad_day=date(2026, 9, 3)
    )
