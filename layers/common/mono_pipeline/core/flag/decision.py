"""On or off for one account, and the step of the order that decided it.

malformed, missing, unreadable (ERROR) -> kill switch (OFF) -> deny (DENY) -> allow (ALLOW) -> percentage (ROLLOUT);
at 100 % there is nothing to deal out and everyone is on (DEFAULT). STALE says that SSM does not answer and the last
good value, at most 300 s old, decided in its stead.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from mono_pipeline.core.flag.rule import BUCKETS, FlagRule, bucket

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


class Reason(StrEnum):
    """Why a decision is as it is. Each says which step decided; ROLLOUT and STALE go both ways."""

    OFF = "OFF"
    DENY = "DENY"
    ALLOW = "ALLOW"
    ROLLOUT = "ROLLOUT"
    DEFAULT = "DEFAULT"
    STALE = "STALE"
    ERROR = "ERROR"


class FlagProblem(StrEnum):
    """What is wrong with the flag itself."""

    MALFORMED = "malformed"
    MISSING = "missing"
    UNREADABLE = "unreadable"


class FlagReading(Struct, frozen=True, kw_only=True):
    """What is known of the flag at one instant.

    Attributes:
        rule: the rule to decide by; None is off for everyone.
        version: SSM's version of the value that was read, None where nothing was.
        problem: why this needs an alarm; None when the flag is in order.
        detail: the problem in words, for logs and guidance; never more of the value than its beginning.
        stale: SSM does not answer, and `rule` is the last good one.
    """

    rule: FlagRule | None
    version: int | None = None
    problem: FlagProblem | None = None
    detail: str = ""
    stale: bool = False

    @property
    def off_for_everyone(self) -> bool:
        """Whether no account can be on, so that the question needs no account and no database."""
        return self.rule is None or self.rule.off_for_everyone


class Decision(Struct, frozen=True, kw_only=True):
    """The answer for one account.

    Attributes:
        enabled: whether a sync may start, or go on.
        reason: the deciding step, to log and to count.
        rule_version: SSM's version of the rule that decided, None where none did.
        step: the deciding step of the last good rule when `reason` is STALE, else None.
        problem: what is wrong with the flag when `reason` is ERROR or STALE, else None.
        detail: the problem in words.
    """

    enabled: bool
    reason: Reason
    rule_version: int | None = None
    step: Reason | None = None
    problem: FlagProblem | None = None
    detail: str = ""


def decide(
    reading: FlagReading, account_id: str | None = None, *, also_known_as: AbstractSet[str] = frozenset()
) -> Decision:
    """Decide for an account; without one, whether anybody may be on.

    Args:
        reading: what is known of the flag now.
        account_id: the account's *first* Mono id: the bucket is over it, so that a re-link moves nobody. None asks
            "off for everyone?": `enabled` then only says that accounts must be looked at one by one.
        also_known_as: the account's later Mono ids; the lists mean it by any of them.
    """
    if reading.rule is None:
        return Decision(
            enabled=False,
            reason=Reason.ERROR,
            rule_version=reading.version,
            problem=reading.problem,
            detail=reading.detail,
        )
    if account_id is None:
        enabled, step = _anybody(reading.rule)
    else:
        enabled, step = _one(reading.rule, account_id, {account_id, *also_known_as})
    return Decision(
        enabled=enabled,
        reason=Reason.STALE if reading.stale else step,
        rule_version=reading.version,
        step=step if reading.stale else None,
        problem=reading.problem,
        detail=reading.detail,
    )


def _anybody(rule: FlagRule) -> tuple[bool, Reason]:
    if not rule.enabled:
        return False, Reason.OFF
    if rule.off_for_everyone:
        return False, Reason.ROLLOUT
    return True, Reason.DEFAULT


def _one(rule: FlagRule, account_id: str, names: set[str]) -> tuple[bool, Reason]:
    if not rule.enabled:
        return False, Reason.OFF
    if names & rule.deny:
        return False, Reason.DENY
    if names & rule.allow:
        return True, Reason.ALLOW
    if rule.percentage == BUCKETS:
        return True, Reason.DEFAULT
    return bucket(rule.salt, account_id) < rule.percentage, Reason.ROLLOUT
