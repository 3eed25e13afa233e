"""When an account is tried again after failures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_pipeline.core.schedule import after_failures

HALF_A_DAY = 43_200.0


@pytest.mark.parametrize(
    ("streak", "seconds"),
    [(0, 0), (1, 300), (2, 600), (3, 1_200), (8, 38_400), (9, HALF_A_DAY), (10_000, HALF_A_DAY)],
)
def test_the_rest_doubles_up_to_the_normal_interval(streak: int, seconds: float) -> None:
    """Five minutes first; a long outage never rests longer than an account in order."""
    assert after_failures(streak, interval_seconds=HALF_A_DAY) == seconds


@given(streak=st.integers(-3, 10**6), interval=st.floats(1, 10**6))
def test_the_rest_never_shrinks_and_never_exceeds_the_interval(streak: int, interval: float) -> None:
    """For any streak and any interval, without an overflow."""
    rest = after_failures(streak, interval_seconds=interval)

    assert 0 <= rest <= interval
    assert rest <= after_failures(streak + 1, interval_seconds=interval)
