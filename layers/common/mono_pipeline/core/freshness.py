"""When Mono has confirmed fresh bank data without a real-time job, and which accounts have a metric of their own.

HTTP 200 and `data_status` are no freshness (Mono contract 2.5 and 3); a copy that is seen to be filled is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mono_pipeline.core.wire import AccountSnapshot, ListedAccount

# A stale account is a failing one; which accounts are chosen the observer knows.
_TELLS_STALE: Final = frozenset({"all", "failing", "allowlist"})


def is_filled(account: ListedAccount | AccountSnapshot) -> bool:
    """Whether Mono has the account's transactions now.

    An account that was PROCESSING when it was last seen has been fetched from the bank since: after a first link, and
    after any other link that starts anew. One that was filled when it was first seen proves nothing.
    """
    if account.data_status == "PROCESSING":
        return False
    retrieved: tuple[str, ...] = getattr(account, "retrieved_data", ())
    return account.data_status == "AVAILABLE" or "transactions" in retrieved


def has_own_metric(mode: str) -> bool:
    """Whether a stale account is counted by itself too, by `ACCOUNT_METRICS_MODE`."""
    return mode in _TELLS_STALE
