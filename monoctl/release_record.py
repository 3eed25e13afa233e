"""Writing down in a release what a command found, where the release is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mono_pipeline.core.release import ReleaseEventKind
    from monoctl.session import Session


def record_in(session: Session, release: str | None, kind: ReleaseEventKind, detail: dict[str, Any]) -> None:
    """Write an event into the release; without its id, nothing. Raises OpsRefused where there is no such release."""
    if release is not None:
        who = session.reach.who
        session.reach.ops.ask("releases.record", release_id=release, actor=who, kind=kind.value, detail=detail)
