"""A change of the flag by hand, in the audit trail of the release that is under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mono_pipeline.core.release import ReleaseStatus
from monoctl.failure import EXPLAINED, explain
from monoctl.release_book import ReleaseBook, newest_release

if TYPE_CHECKING:
    from mono_pipeline.usecases.flag_editor import FlagEdit
    from monoctl.flag_propagation import Propagation
    from monoctl.session import Session


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """The release that a change is on record in, None where none is open; `problem` says why it could not be told."""

    release: str | None
    problem: str | None = None


def record_edit(session: Session, edit: FlagEdit, propagation: Propagation | None) -> Recorded:
    """Write the change down where a release is open. Never raises: the flag itself needs no database."""
    who = session.reach.who
    try:
        newest = newest_release(session.reach.ops)
        if newest is None or newest["status"] != ReleaseStatus.OPEN:
            return Recorded(release=None)
        book = ReleaseBook(session.reach.ops, newest, who=who)
        measured = {"propagation_seconds": propagation.seconds} if propagation is not None else {}
        book.record_flag(edit.before, edit.after, **measured)
    except EXPLAINED as error:
        return Recorded(release=None, problem=f"not in the audit trail: {explain(error).sentence}")
    return Recorded(release=book.id)
