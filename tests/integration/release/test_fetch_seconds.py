"""What a release is judged by of a run's speed: how long Mono's answers were waited for, kept with the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.sandbox.effects import Status
from local.sandbox.faults import Fault

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


def test_a_run_keeps_how_long_it_waited_for_mono(pipeline: Pipeline) -> None:
    """Of the fetch alone: it is within the run, and a little of it at least."""
    account = pipeline.link(transactions=60)

    run = pipeline.run_row(pipeline.sync(account))

    assert 0 < run["fetch_seconds"] <= (run["finished_at"] - run["started_at"]).total_seconds()


def test_a_run_that_fails_keeps_it_too(pipeline: Pipeline) -> None:
    """A bank that fails after its first page was slow or quick before that."""
    account = pipeline.link(transactions=60)
    pipeline.sandbox.inject(Fault(effect=Status(status=500), path="*/transactions", page=2, times=None))

    run = pipeline.run_row(pipeline.sync(account))

    assert (run["status"], run["error_code"]) == ("failed", "mono_server_error")
    assert run["fetch_seconds"] > 0
