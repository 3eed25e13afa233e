"""The closed lists that dimensions take their values from, and the series that are told of before they happen.

A word that is on no list becomes `unexpected`: a value is never lost for it, and never makes a series of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mono_pipeline.adapters.inbox_store import Effect
from mono_pipeline.core.classify import TABLE, ErrorReason
from mono_pipeline.core.errors import MonoError, MonoRateLimited
from mono_pipeline.core.flag import FlagProblem, Reason
from mono_pipeline.core.observer import Outcome, Stage
from mono_pipeline.core.run import RunStatus
from mono_pipeline.core.verdict import VerdictKind, VerdictReason
from mono_pipeline.core.webhook_outcome import WebhookConclusion, WebhookOutcome, WebhookReason
from mono_pipeline.core.wire.quarantine import RejectionReason

if TYPE_CHECKING:
    from collections.abc import Iterable

UNEXPECTED: Final = str(ErrorReason.UNEXPECTED)
NONE: Final = "none"  # a verdict that needs no reason
FLAG: Final = "flag"
WEBHOOK: Final = "webhook"

STAGES: Final = frozenset(Stage) | {FLAG, WEBHOOK}
OUTCOMES: Final = frozenset(Outcome)
ERROR_REASONS: Final = frozenset(ErrorReason)
FLAG_PROBLEMS: Final = frozenset(f"flag_{problem}" for problem in FlagProblem)
VERDICT_KINDS: Final = frozenset(VerdictKind)
VERDICT_REASONS: Final = frozenset(VerdictReason) | {NONE}
FLAG_REASONS: Final = frozenset(Reason)
REJECTIONS: Final = frozenset(RejectionReason)
STATUSES: Final = frozenset(RunStatus)
REPEATED: Final = "repeated"  # an event that was served before and that Mono has sent again
EFFECTS: Final = frozenset(Effect) | {REPEATED}

# Ours, with the stage in which a run meets it.
_OURS: Final = (
    (Stage.SYNC, ErrorReason.CONFIGURATION),
    (Stage.SYNC, ErrorReason.QUEUE_UNAVAILABLE),
    (Stage.SYNC, ErrorReason.PARAMETERS_UNAVAILABLE),
    (Stage.PERSIST, ErrorReason.DATABASE_UNAVAILABLE),
    (Stage.PERSIST, ErrorReason.UNEXPECTED),
)


def known(word: str, words: Iterable[str]) -> str:
    """`word` where it is one of `words`, else `unexpected`."""
    return str(word) if word in words else UNEXPECTED


def error_pairs() -> list[tuple[str, str]]:
    """Every (stage, reason) that is known to happen, sorted: an alert must not wait for CloudWatch to list a new one.

    Mono's refusals fail the fetch; a 429 pauses it and is no error. A webhook fails where we are down.
    """
    mono = {row.reason for row in TABLE if issubclass(row.error, MonoError) and row.error is not MonoRateLimited}
    pairs = {(str(stage), str(reason)) for stage in (Stage.SYNC, Stage.BACKFILL) for reason in mono}
    pairs |= {(str(stage), str(reason)) for stage, reason in _OURS}
    pairs |= {(FLAG, word) for word in FLAG_PROBLEMS}
    down = {why for why in WebhookReason if WebhookConclusion(reason=why).outcome is WebhookOutcome.UNAVAILABLE}
    return sorted(pairs | {(WEBHOOK, str(why)) for why in down})
