"""Which accounts have metrics of their own, in each of the four modes."""

from __future__ import annotations

import pytest

from mono_pipeline.core.account_metrics import AccountMetrics, AccountMetricsMode

CHOSEN, OTHER = "a" * 24, "b" * 24


@pytest.mark.parametrize(
    ("mode", "chosen_well", "chosen_failing", "other_well", "other_failing"),
    [
        (AccountMetricsMode.ALL, True, True, True, True),
        (AccountMetricsMode.FAILING, False, True, False, True),
        (AccountMetricsMode.ALLOWLIST, True, True, False, False),
        (AccountMetricsMode.OFF, False, False, False, False),
    ],
)
def test_a_mode_says_for_whom_cloudwatch_charges(
    mode: AccountMetricsMode, *, chosen_well: bool, chosen_failing: bool, other_well: bool, other_failing: bool
) -> None:
    """By account, and by whether a value tells of a failure."""
    metrics = AccountMetrics(mode=mode, chosen=frozenset({CHOSEN}))

    wanted = [metrics.wants(account, failing=failing) for account in (CHOSEN, OTHER) for failing in (False, True)]

    assert wanted == [chosen_well, chosen_failing, other_well, other_failing]
