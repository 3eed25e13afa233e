"""A whole number that a caller gave in a JSON object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mono_pipeline.core.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST = 2**63 - 1  # of a bigint


def whole_number(event: Mapping[str, Any], name: str, *, usual: int, least: int = 1, at_most: int = LARGEST) -> int:
    """The number `name` of `event`, else `usual`; one beyond `at_most` is `at_most`: a page has no more rows.

    Raises InvalidInput for what is no whole number, and for one below `least`. A text or a truth value is none.
    """
    given = event.get(name, usual)
    if isinstance(given, bool) or not isinstance(given, int) or given < least:
        raise InvalidInput(name, f"is no whole number from {least} on")
    return min(given, at_most)
