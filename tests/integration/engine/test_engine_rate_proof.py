"""Sixteen workers get nearly all of a minute's budget, and never more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.rate_budget import LEAST, MOST, granted_in_a_minute

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import DatabaseAddress

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("full", [True, False], ids=["after a quiet time", "in the middle of work"])
def test_sixteen_workers_get_the_budget_of_a_minute_and_never_more(address: DatabaseAddress, *, full: bool) -> None:
    """A minute of a clock that runs twelve times as fast; `python -m bench.rate_budget` takes it whole."""
    calls = granted_in_a_minute(address, per_minute=600, speed=12, full=full)

    assert LEAST * 600 <= calls <= MOST * 600
