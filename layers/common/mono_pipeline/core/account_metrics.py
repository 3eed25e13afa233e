"""Which accounts have metrics of their own: each is a custom metric that CloudWatch charges for."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from msgspec import Struct

MAX_CHOSEN: Final = 50  # accounts: their ids have to fit into a function's environment with all else, 4 kB


class AccountMetricsMode(StrEnum):
    """`ACCOUNT_METRICS_MODE`."""

    ALL = "all"
    FAILING = "failing"  # only values that tell of a failure: errors, stages that ended in one, an account gone stale
    ALLOWLIST = "allowlist"
    OFF = "off"


class AccountMetrics(Struct, frozen=True, kw_only=True):
    """The mode, and the accounts that are `chosen` by Mono id (`ACCOUNT_METRICS_ALLOWLIST`)."""

    mode: AccountMetricsMode = AccountMetricsMode.ALL
    chosen: frozenset[str] = frozenset()

    def wants(self, account_id: str, *, failing: bool) -> bool:
        """Whether a value of this account is counted by account too; `failing` says what it tells of."""
        match self.mode:
            case AccountMetricsMode.ALL:
                return True
            case AccountMetricsMode.FAILING:
                return failing
            case AccountMetricsMode.ALLOWLIST:
                return account_id in self.chosen
            case AccountMetricsMode.OFF:
                return False
