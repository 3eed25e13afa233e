"""The numbers that a caller of the ops function gives: how many rows, after which one, from which page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from mono_pipeline.core.deadline import Deadline
from mono_pipeline.usecases.operations import Operations

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

PERIOD: Final = {"since": "2026-11-01T00:00:00Z", "until": "2026-11-01T01:00:00Z", "slot_seconds": 60}
FLAGS: Final = {"before": "false", "after": "true"}
# Every action that takes a number of this kind: its name, what else it must be given, and the least that is taken.
NUMBERS: Final[dict[tuple[str, str], tuple[dict[str, Any], int]]] = {
    ("accounts.import", "page"): ({}, 1),
    ("accounts.list", "limit"): ({}, 1),
    ("duplicates.list", "limit"): ({}, 1),
    ("duplicates.list", "after"): ({}, 0),
    ("releases.show", "limit"): ({}, 1),
    ("releases.show", "after"): ({}, 0),
    ("releases.list", "limit"): ({}, 1),
    ("releases.cohort", "sample"): (FLAGS, 0),
    ("releases.verdicts", "limit"): (PERIOD, 1),
}


def test_what_is_no_number_is_refused_by_its_name_and_what_is_one_is_answered(pipeline: Pipeline) -> None:
    """For every action that takes one; a text, a fraction and a number below the least are the caller's mistake."""
    operations = Operations(pipeline.worker)
    operations.perform(
        {"action": "releases.begin", "release_id": "2026-11-01-a", "actor": "ada", "version": "1", "reason": "a test"},
        Deadline.after(30),
    )
    wrong: dict[tuple[str, str, str], Any] = {}
    for (action, name), (others, least) in NUMBERS.items():
        for given in ("ten", "10", 1.5, None, True, least - 1):
            answer = operations.perform({"action": action, **others, name: given}, Deadline.after(30))
            if answer != {"error": {"code": "InvalidInput", "message": f"{name}: is no whole number from {least} on"}}:
                wrong[action, name, repr(given)] = answer
        for given in (max(least, 1), 2**70):
            answer = operations.perform({"action": action, **others, name: given}, Deadline.after(30))
            if "error" in answer and action != "accounts.import":  # so far, Mono's list has no page
                wrong[action, name, repr(given)] = answer

    assert wrong == {}
