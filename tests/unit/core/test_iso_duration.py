"""How long a duration may be, and what is said of one that is none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.iso_duration import parse_duration


def test_a_hundred_years_are_not_too_long_and_a_second_more_is() -> None:
    """36,500 days to the second."""
    assert parse_duration("older_than", "P36500D") == timedelta(days=36_500)
    with pytest.raises(InvalidInput) as refused:
        parse_duration("older_than", "P36500DT1S")
    assert str(refused.value) == "older_than: is longer than a hundred years"


def test_who_writes_another_form_is_told_which_forms_there_are() -> None:
    """With examples that are read."""
    with pytest.raises(InvalidInput) as refused:
        parse_duration("older_than", "P1M")

    assert str(refused.value) == (
        "older_than: is no ISO 8601 duration of weeks, or of days and time: P2D, PT12H, P1DT30M"
    )
    for example in str(refused.value).rpartition(": ")[2].split(", "):
        assert parse_duration("older_than", example)
