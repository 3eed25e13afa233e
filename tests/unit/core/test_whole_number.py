"""Which numbers of a caller are taken as they are, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.whole_number import LARGEST, whole_number


@pytest.mark.parametrize(
    ("event", "taken"),
    [({}, 20), ({"limit": 1}, 1), ({"limit": 99}, 99), ({"limit": 100}, 100), ({"limit": 101}, 100)],
)
def test_a_number_is_taken_up_to_the_most(event: dict[str, Any], taken: int) -> None:
    """What is not given is the usual one."""
    assert whole_number(event, "limit", usual=20, at_most=100) == taken


def test_without_a_most_it_is_what_a_bigint_holds() -> None:
    """So that no statement fails of it."""
    assert whole_number({"after": 2**63}, "after", usual=0, least=0) == LARGEST == 2**63 - 1


@pytest.mark.parametrize("given", ["10", "ten", "", None, 1.0, True, [], {}, 0, -1], ids=repr)
def test_what_is_none_is_named(given: object) -> None:
    """The caller learns which field it was, and from where on numbers are taken."""
    with pytest.raises(InvalidInput) as refused:
        whole_number({"limit": given}, "limit", usual=20, at_most=100)
    assert str(refused.value) == "limit: is no whole number from 1 on"


def test_the_least_is_taken_and_one_below_it_is_not() -> None:
    """Zero, where that is a beginning."""
    assert whole_number({"after": 0}, "after", usual=5, least=0) == 0
    with pytest.raises(InvalidInput, match="after: is no whole number from 0 on"):
        whole_number({"after": -1}, "after", usual=5, least=0)
