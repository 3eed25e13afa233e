"""The database's clock is set back between two versions of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mono_pipeline.core.run import RunKind
from mono_pipeline.core.verdict import VERIFIED
from tests.faults.recovery import negative_durations, recover

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def test_P21_clock_jumps_back_between_two_versions(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """An hour back between two runs of which the second changes a row: no version is in force for less than no time."""
    account = pipeline.link(transactions=40)
    pipeline.sync(account)
    pipeline.sandbox.amend(account)
    pipeline.let_pass(hours=-1)
    # the rate budget refills only once the clock has caught up: what is left of it is not what is looked at here
    pipeline.rows("UPDATE provider_budget SET refilled_at = pipeline_now(), tokens = 1000 RETURNING tokens")
    end = pipeline.sync(account, kind=RunKind.FULL)
    negative = negative_durations(pipeline)
    recovered = recover(pipeline, account)

    assert (end.verdict, negative) == (VERIFIED, 0)
    seen(f"-1 h between versions: {negative} negative durations, {recovered.rows} rows")
