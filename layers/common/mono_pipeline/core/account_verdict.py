"""What can be said of an account's stored rows: from the tables alone, or with Mono beside them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from mono_pipeline.core.balance_chain import ChainState
from mono_pipeline.core.verdict import VerdictKind, VerdictReason

if TYPE_CHECKING:
    from datetime import date


class CheckReason(StrEnum):
    """Reasons that only `verify` gives, beside those of a run's verdict."""

    NEVER_READ = "never_read"  # no run of the account has a verdict
    HISTORY_BROKEN = "history_broken"  # versions are not 1..n, or do not rebuild the table


class AccountVerdict(Struct, frozen=True, kw_only=True):
    """`first_bad_day` is set for a mismatch on a day only."""

    kind: VerdictKind
    reason: VerdictReason | CheckReason | None = None
    first_bad_day: date | None = None

    def as_json(self) -> dict[str, Any]:
        """As `verify.account` answers."""
        return {
            "kind": self.kind,
            "reason": self.reason,
            "first_bad_day": self.first_bad_day.isoformat() if self.first_bad_day else None,
        }


VERIFIED = AccountVerdict(kind=VerdictKind.VERIFIED)
CHAIN_REASONS = {
    ChainState.MISSING: VerdictReason.BALANCE_MISSING,
    ChainState.LAGGING: VerdictReason.BALANCE_LAGGING,
    ChainState.BACKWARDS: VerdictReason.BALANCE_BACKWARDS,
}


def cannot_say(reason: VerdictReason | CheckReason) -> AccountVerdict:
    """The verdict that says why nothing can be said."""
    return AccountVerdict(kind=VerdictKind.UNVERIFIABLE, reason=reason)


def recorded_verdict(
    run: AccountVerdict | None,
    *,
    history_holds: bool,
    chain: VerdictReason | None,
    suspicions: int,
    removals: int,
    quarantined: int,
) -> AccountVerdict:
    """The verdict of the run that stands, unless what is stored now gainsays it: the gravest thing that was found.

    A run that was `verified` stays so only while nothing stands open and the running balances still carry its rows:
    `chain` is why they do not. It accuses no row, and so is no mismatch.
    """
    if not history_holds:
        return AccountVerdict(kind=VerdictKind.MISMATCH, reason=CheckReason.HISTORY_BROKEN)
    if run is None:
        return cannot_say(CheckReason.NEVER_READ)
    if run.kind is not VerdictKind.VERIFIED:
        return run
    open_now = (
        (suspicions, VerdictReason.DUPLICATE_SUSPECTED),
        (removals, VerdictReason.REMOVAL_PENDING),
        (quarantined, VerdictReason.QUARANTINED),
    )
    reason = next((reason for count, reason in open_now if count), chain)
    return run if reason is None else cannot_say(reason)
