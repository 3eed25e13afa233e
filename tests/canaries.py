"""Canaries: values that nobody may tell, put into documents at any place."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def leaves(told: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value in a document."""
    inside = told.items() if isinstance(told, dict) else enumerate(told) if isinstance(told, list) else None
    if inside is None:
        yield path
        return
    for key, value in inside:
        yield from leaves(value, (*path, key))


def planted(told: dict[str, Any], paths: list[tuple[Any, ...]], canary: Any) -> dict[str, Any]:
    """The document with the canary at these places."""
    changed = copy.deepcopy(told)
    for path in paths:
        within: Any = changed
        for key in path[:-1]:
            within = within[key]
        within[path[-1]] = canary
    return changed
