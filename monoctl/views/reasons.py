"""Why a verdict is not `verified`, as a sentence that says what to do; docs/verification.md says more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mono_pipeline.core.account_verdict import CheckReason
from mono_pipeline.core.verdict import VerdictReason

if TYPE_CHECKING:
    from collections.abc import Mapping

REASONS: Final[Mapping[str, str]] = {
    VerdictReason.NOT_READY: "Mono does not have the account's data yet: ask again in a few minutes.",
    VerdictReason.TOTAL_DIFFERS: "Mono gave another number of rows than it announced: ask again in an hour.",
    VerdictReason.DRIFT: "Rows moved while they were read: ask again.",
    VerdictReason.ENDLESS_PAGES: "Mono's pages did not end where its total said: report it to Mono.",
    VerdictReason.SUSPICIOUS_EMPTY: "Mono shows nothing of an account with history: look at its link.",
    VerdictReason.HISTORY_TRUNCATED: "Mono shows much less than it did; nothing is removed. Look at the bank.",
    VerdictReason.HISTORY_CHANGED: "Something older than the window changed; the deep re-read is due and settles it.",
    VerdictReason.DUPLICATE_SUSPECTED: "Ids may be double: `monoctl duplicates list`.",
    VerdictReason.QUARANTINED: "Rows came that cannot be trusted: they stand in quarantined_transactions.",
    VerdictReason.REMOVAL_PENDING: "Rows were not shown once; a second, independent reading decides.",
    VerdictReason.BALANCE_MISSING: "The bank supplies no running balances: counts and sums agree, no more is known.",
    VerdictReason.BALANCE_LAGGING: "Running balances do not follow the amounts: `--live` says which side is right.",
    VerdictReason.BALANCE_BACKWARDS: "The bank's running balances run backwards: they prove nothing here.",
    VerdictReason.BALANCE_AHEAD: "The account's balance is not its newest row's: rows are still to come.",
    VerdictReason.DAYS_DIFFER: "What is stored is not what the bank said. See docs/verification.md.",
    CheckReason.NEVER_READ: "No run has said anything of this account: `monoctl sync`.",
    CheckReason.HISTORY_BROKEN: "Somebody wrote past the pipeline. See docs/verification.md.",
}
