"""A simulation that finds something says how to see it again, and then it is seen again, step by step."""

from __future__ import annotations

import re
from copy import replace
from typing import TYPE_CHECKING

import pytest

from mono_pipeline.core.verdict import judge
from mono_pipeline.usecases import conclusion
from tests.sim.shard import attempt

if TYPE_CHECKING:
    from mono_pipeline.core.verdict import Findings, Verdict

pytestmark = pytest.mark.integration

AGAIN = re.compile(r"See it again: (.*)$", re.MULTILINE)
COMMAND = re.compile(r"\.venv/bin/python -m tests\.sim --seed (\d+) --n (\d+) --workers 1")
STEPS = re.compile(r"^state\..*$", re.MULTILINE)
BROKEN = re.compile(r"^AssertionError: (I1 verified, .*)$", re.MULTILINE)


def _without_comparing(findings: Findings) -> Verdict:
    return judge(replace(findings, differing=()))


def test_a_run_that_verifies_without_comparing_is_found_and_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command that is printed leads through the same steps to the same broken promise."""
    monkeypatch.setattr(conclusion, "judge", _without_comparing)

    first = attempt((1, 80, True))

    assert isinstance(first, str), "nothing was found"
    command = AGAIN.findall(first)[-1]
    seed, sequences = COMMAND.fullmatch(command).groups()  # type: ignore[union-attr]  # else the test is red
    again = attempt((int(seed), int(sequences), True))

    assert isinstance(again, str)
    assert BROKEN.findall(again)
    assert (BROKEN.findall(again), STEPS.findall(again)) == (BROKEN.findall(first), STEPS.findall(first))
