"""A release's audit trail as the command line keeps it: every action it takes is a row, by name and with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.release import ReleaseEventKind, ReleaseStatus

if TYPE_CHECKING:
    from datetime import datetime

    from mono_pipeline.usecases.flag_editor import FlagVersion
    from monoctl.reach import AsksOps

    type Row = dict[str, Any]


class ReleaseBook:
    """One release, and what happens in it."""

    def __init__(self, ops: AsksOps, release: Row, *, who: str) -> None:
        self._ops = ops
        self._who = who
        self.release = release

    @property
    def id(self) -> str:
        """The release's id."""
        return str(self.release["id"])

    def record(self, kind: ReleaseEventKind, **detail: Any) -> Row:
        """Write down what happened; return the event."""
        answer = self._ops.ask("releases.record", release_id=self.id, actor=self._who, kind=kind.value, detail=detail)
        event: Row = answer["event"]
        return event

    def record_flag(self, before: FlagVersion, after: FlagVersion, **more: Any) -> Row:
        """Write down a change of the flag, with both values."""
        return self.record(
            ReleaseEventKind.FLAG_CHANGED,
            before={"version": before.version, "value": before.value},
            after={"version": after.version, "value": after.value},
            why=after.why,
            **more,
        )

    def events(self) -> list[Row]:
        """Everything that happened so far, in its order."""
        found: list[Row] = []
        answer = self._ops.ask("releases.show", release_id=self.id)
        found += answer["events"]
        while answer["next"] is not None:
            answer = self._ops.ask("releases.show", release_id=self.id, after=answer["next"])
            found += answer["events"]
        return found

    def last(self, *kinds: ReleaseEventKind) -> Row | None:
        """The newest event of one of these kinds."""
        wanted = {kind.value for kind in kinds}
        return next((event for event in reversed(self.events()) if event["kind"] in wanted), None)


def newest_release(ops: AsksOps) -> Row | None:
    """Return the newest release; an open one is always the newest."""
    found: list[Row] = ops.ask("releases.list", limit=1)["releases"]
    return found[0] if found else None


def open_book(
    ops: AsksOps, *, who: str, release_id: str | None, version: str, reason: str, now: datetime
) -> ReleaseBook:
    """Return the book of the release that is meant, opened where there is none: the one named, else the open one."""
    if release_id is None:
        newest = newest_release(ops)
        if newest is not None and newest["status"] == ReleaseStatus.OPEN:
            return ReleaseBook(ops, newest, who=who)
    begun = ops.ask(
        "releases.begin",
        release_id=release_id or f"{now:%Y%m%d-%H%M%S}",
        actor=who,
        version=version,
        reason=reason,
    )
    return ReleaseBook(ops, begun["release"], who=who)


def existing_book(ops: AsksOps, *, who: str, release_id: str | None) -> ReleaseBook:
    """Return the book of the release that is named, else of the newest; raise InvalidInput where there is none."""
    if release_id is not None:
        shown = ops.ask("releases.show", release_id=release_id, limit=1)
        return ReleaseBook(ops, shown["release"], who=who)
    newest = newest_release(ops)
    if newest is None:
        raise InvalidInput("--release", "there is no release yet: `monoctl canary start` begins one")
    return ReleaseBook(ops, newest, who=who)
