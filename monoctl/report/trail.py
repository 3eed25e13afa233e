"""A release's events as values; what a detail lacks, or has in another form, is None and breaks nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Detail:
    """The `detail` of an event: JSON that was written by many versions of many commands."""

    fields: dict[str, Any]

    def text(self, name: str) -> str | None:
        """A text that says something."""
        found = self.fields.get(name)
        return found.strip() or None if isinstance(found, str) else None

    def number(self, name: str) -> float | None:
        """A number."""
        found = self.fields.get(name)
        return float(found) if isinstance(found, int | float) and not isinstance(found, bool) else None

    def count(self, name: str) -> int | None:
        """A whole number."""
        found = self.number(name)
        return None if found is None else int(found)

    def truth(self, name: str) -> bool | None:
        """Yes or no."""
        found = self.fields.get(name)
        return found if isinstance(found, bool) else None

    def texts(self, name: str) -> tuple[str, ...] | None:
        """A list of texts."""
        found = self.fields.get(name)
        return tuple(str(each) for each in found) if isinstance(found, list) else None

    def part(self, name: str) -> Detail:
        """An object in it; an empty one where there is none."""
        found = self.fields.get(name)
        return Detail(found if isinstance(found, dict) else {})

    def parts(self, name: str) -> list[Detail]:
        """A list of objects."""
        found = self.fields.get(name)
        return [Detail(each) for each in found if isinstance(each, dict)] if isinstance(found, list) else []


@dataclass(frozen=True, kw_only=True)
class TrailEvent:
    """One event. `at` is the database's time."""

    at: datetime
    who: str
    kind: str
    detail: Detail


def trail_of(events: Iterable[dict[str, Any]]) -> tuple[TrailEvent, ...]:
    """Return the events of `releases.show`, in their order."""
    return tuple(
        TrailEvent(
            at=datetime.fromisoformat(str(each["at"])),
            who=str(each["actor"]),
            kind=str(each["kind"]),
            detail=Detail(each["detail"] if isinstance(each["detail"], dict) else {}),
        )
        for each in events
    )


def last(trail: Iterable[TrailEvent], *kinds: str) -> TrailEvent | None:
    """Return the newest event of one of these kinds."""
    return next((each for each in reversed(tuple(trail)) if each.kind in kinds), None)
