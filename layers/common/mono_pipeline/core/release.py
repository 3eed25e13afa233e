"""A release and what happens in it: the words of its audit trail."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from mono_pipeline.core.errors import InvalidInput

if TYPE_CHECKING:
    from datetime import datetime

_RELEASE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ACTOR: Final = re.compile(r"\S{1,200}")


class ReleaseStatus(StrEnum):
    """How a release stands; its events say so."""

    OPEN = "open"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    CLOSED = "closed"


class ReleaseEventKind(StrEnum):
    """What can happen in a release. `PROMOTION_FINISHED`, `ROLLBACK_FINISHED` and `CLOSED` change its status."""

    PREFLIGHT_CHECKED = "preflight.checked"
    WEBHOOK_CONFIRMED = "webhook.confirmed"
    SHADOW_COMPARED = "shadow.compared"
    SMOKE_TESTED = "smoke.tested"
    DATA_VERIFIED = "data.verified"
    FLAG_CHANGED = "flag.changed"
    CANARY_STARTED = "canary.started"
    CANARY_STOPPED = "canary.stopped"
    GATE_OBSERVED = "gate.observed"
    GATE_JUDGED = "gate.judged"
    PROMOTION_STARTED = "promotion.started"
    PROMOTION_STEP = "promotion.step"
    PROMOTION_HELD = "promotion.held"
    PROMOTION_FINISHED = "promotion.finished"
    ROLLBACK_STARTED = "rollback.started"
    ROLLBACK_FINISHED = "rollback.finished"
    DEAD_LETTERS_CLEARED = "dead_letters.cleared"
    SIGNED_OFF = "release.signed_off"
    CLOSED = "release.closed"


class Release(Struct, frozen=True, kw_only=True):
    """One release. `version` is what is released, as its operator calls it."""

    id: str
    began_at: datetime
    actor: str
    version: str
    reason: str
    status: ReleaseStatus


class ReleaseEvent(Struct, frozen=True, kw_only=True):
    """Something that was done or found in a release; events are ordered by `id`, `at` is the database's time."""

    id: int
    at: datetime
    actor: str
    kind: ReleaseEventKind
    detail: dict[str, Any] = field(default_factory=dict)


def parse_release_id(text: str) -> str:
    """Return a release's id; raise InvalidInput for what can be none: up to 64 letters, digits and `._-`."""
    if not _RELEASE_ID.fullmatch(text):
        raise InvalidInput("release_id", f"{text[:40]!r} is no release id (letters, digits, `._-`, at most 64)")
    return text


def parse_actor(text: str) -> str:
    """Return who acts; raise InvalidInput for what is no name without white space."""
    if not _ACTOR.fullmatch(text):
        raise InvalidInput("actor", "must be a name without white space, at most 200 characters")
    return text
