"""docs/flag.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from mono_pipeline.core.flag import FLAG_NAME, MAX_FLAG_BYTES, FlagRule, Reason, parse_flag

PAGE = (Path(__file__).parents[3] / "docs" / "flag.md").read_text()


def test_the_example_is_a_rule_and_every_key_is_explained() -> None:
    """Who copies the example gets a flag that works."""
    (example,) = re.findall(r"```json\n(.*?)\n```", PAGE, re.DOTALL)

    assert parse_flag(example).percentage == 1250
    for key in FlagRule.__struct_fields__:
        assert f"`{key}`" in PAGE


def test_every_reason_is_in_the_table() -> None:
    """A reason in a log line can be looked up."""
    for reason in Reason:
        assert f"| `{reason}` |" in PAGE
    assert FLAG_NAME in PAGE
    assert f"{MAX_FLAG_BYTES:,} bytes" in PAGE
