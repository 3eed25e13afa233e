"""A recorded verdict stands only while nothing that is stored now gainsays it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from mono_pipeline.core.account_verdict import VERIFIED, AccountVerdict, CheckReason, cannot_say, recorded_verdict
from mono_pipeline.core.verdict import VerdictKind, VerdictReason

MISMATCH = AccountVerdict(kind=VerdictKind.MISMATCH, reason=VerdictReason.DAYS_DIFFER, first_bad_day=date(2026, 6, 15))
NOTHING: dict[str, Any] = {"history_holds": True, "chain": None, "suspicions": 0, "removals": 0, "quarantined": 0}


@pytest.mark.parametrize("run", [VERIFIED, MISMATCH, cannot_say(VerdictReason.NOT_READY)])
def test_a_verdict_that_nothing_gainsays_stands(run: AccountVerdict) -> None:
    """Whatever it was."""
    assert recorded_verdict(run, **NOTHING) == run


def test_an_account_that_was_never_read_has_none() -> None:
    """Not even a good one."""
    assert recorded_verdict(None, **NOTHING) == cannot_say(CheckReason.NEVER_READ)


@pytest.mark.parametrize("run", [None, VERIFIED, MISMATCH])
def test_a_broken_history_is_a_mismatch_whatever_a_run_said(run: AccountVerdict | None) -> None:
    """Versions with a gap cannot be what was seen."""
    broken = AccountVerdict(kind=VerdictKind.MISMATCH, reason=CheckReason.HISTORY_BROKEN)

    assert recorded_verdict(run, **{**NOTHING, "history_holds": False}) == broken


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        ({"chain": VerdictReason.BALANCE_LAGGING}, VerdictReason.BALANCE_LAGGING),
        ({"quarantined": 1, "chain": VerdictReason.BALANCE_LAGGING}, VerdictReason.QUARANTINED),
        ({"removals": 1, "quarantined": 1}, VerdictReason.REMOVAL_PENDING),
        ({"suspicions": 1, "removals": 1, "quarantined": 1}, VerdictReason.DUPLICATE_SUSPECTED),
    ],
)
def test_what_stands_open_gainsays_verified_alone_the_gravest_first(
    found: dict[str, Any], reason: VerdictReason
) -> None:
    """A run that was not `verified` has said something graver already."""
    assert recorded_verdict(VERIFIED, **{**NOTHING, **found}) == cannot_say(reason)
    assert recorded_verdict(MISMATCH, **{**NOTHING, **found}) == MISMATCH


def test_a_verdict_is_shown_by_its_words() -> None:
    """The day in ISO 8601, where there is one."""
    assert MISMATCH.as_json() == {"kind": "mismatch", "reason": "days_differ", "first_bad_day": "2026-06-15"}
    assert VERIFIED.as_json() == {"kind": "verified", "reason": None, "first_bad_day": None}
    never = cannot_say(CheckReason.NEVER_READ).as_json()
    assert never == {"kind": "unverifiable", "reason": "never_read", "first_bad_day": None}
