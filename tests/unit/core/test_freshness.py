"""When a copy of Mono's counts as filled, and which accounts are counted by themselves."""

from __future__ import annotations

import pytest

from mono_pipeline.core.freshness import has_own_metric, is_filled
from mono_pipeline.core.wire import AccountSnapshot, ListedAccount


def account(data_status: str | None, *retrieved: str) -> AccountSnapshot:
    """Return an account as its own page shows it."""
    return AccountSnapshot(
        id="686265c6c41fad92985e806c",
        name=None,
        account_number=None,
        currency="NGN",
        balance_minor=None,
        bank_code=None,
        institution=None,
        customer_id=None,
        data_status=data_status,
        retrieved_data=retrieved,
        ref=None,
    )


@pytest.mark.parametrize(
    ("data_status", "retrieved", "filled"),
    [
        ("AVAILABLE", (), True),
        ("PARTIAL", ("balance", "transactions"), True),
        ("FAILED", ("transactions",), True),
        ("PARTIAL", ("balance",), False),
        ("PROCESSING", ("balance", "transactions"), False),
        ("UNAVAILABLE", (), False),
        (None, (), False),
    ],
)
def test_a_copy_is_filled_when_mono_has_transactions(
    data_status: str | None,
    retrieved: tuple[str, ...],
    filled: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """PROCESSING may show a part of the history: that is not it yet (Mono contract 3)."""
    assert is_filled(account(data_status, *retrieved)) is filled


@pytest.mark.parametrize(("data_status", "filled"), [("AVAILABLE", True), ("PARTIAL", False), (None, False)])
def test_a_list_does_not_say_what_was_retrieved(data_status: str | None, *, filled: bool) -> None:
    """There the status alone decides."""
    own = account(data_status)
    listed = ListedAccount(**{name: getattr(own, name) for name in ListedAccount.__struct_fields__})

    assert is_filled(listed) is filled


@pytest.mark.parametrize(("mode", "own"), [("all", True), ("failing", True), ("allowlist", True), ("off", False)])
def test_a_stale_account_is_counted_by_itself_as_a_failing_one(mode: str, own: bool) -> None:  # noqa: FBT001
    """`ACCOUNT_METRICS_MODE`: each account is a metric that CloudWatch charges for."""
    assert has_own_metric(mode) is own
