"""The audit trail of releases, for an operator: opened, written to and read through the ops function."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.adapters.release_store import ReleaseStore
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.release import ReleaseEventKind, parse_actor, parse_release_id
from mono_pipeline.core.whole_number import whole_number

if TYPE_CHECKING:
    from mono_pipeline.adapters.postgres import Database
    from mono_pipeline.core.release import Release, ReleaseEvent

    type Event = dict[str, Any]

LARGEST_PAGE: Final = 1_000
LARGEST_DETAIL: Final = 100_000  # characters of JSON; an invocation's answer holds a few of them
_LONGEST_WORD: Final = 700


class ReleaseLog:
    """Serves `releases.begin|record|show|list`."""

    def __init__(self, database: Database) -> None:
        self._store = ReleaseStore(database)

    def begin(self, event: Event) -> Event:
        """Open the release `release_id` of `version` by `actor`, for `reason`.

        Asked for again with the same id while it is open, it is the same release. Raises InvalidInput while another one
        is open, and for an id that was used before.
        """
        release_id, actor = parse_release_id(str(event.get("release_id", ""))), _actor(event)
        version, reason = _words(event, "version"), _words(event, "reason")
        begun = self._store.begin(release_id, actor=actor, version=version, reason=reason)
        if begun is None:
            begun = self._already_open(release_id)
        return {"release": release_document(begun)}

    def record(self, event: Event) -> Event:
        """Write down that `kind` happened in `release_id` by `actor`, with a `detail` object.

        Raises InvalidInput, also where there is no such release.
        """
        release_id, actor = parse_release_id(str(event.get("release_id", ""))), _actor(event)
        recorded = self._store.record(release_id, actor=actor, kind=_kind(event), detail=_detail(event))
        if recorded is None:
            raise _unknown(release_id)
        return {"event": event_document(recorded)}

    def show(self, event: Event) -> Event:
        """The release `release_id`, else the open one, else the newest, with its events after the event `after`.

        `next` is where the following page of events starts, or null. Raises InvalidInput where there is none.
        """
        limit = whole_number(event, "limit", usual=LARGEST_PAGE, at_most=LARGEST_PAGE)
        after = whole_number(event, "after", usual=0, least=0)
        release = self._wanted(event)
        events = self._store.events(release.id, after=after, limit=limit)
        return {
            "release": release_document(release),
            "events": [event_document(each) for each in events],
            "next": events[-1].id if len(events) == limit else None,
        }

    def list(self, event: Event) -> Event:
        """The last `limit` releases, newest first. Raises InvalidInput."""
        limit = whole_number(event, "limit", usual=20, at_most=LARGEST_PAGE)
        return {"releases": [release_document(each) for each in self._store.newest(limit)]}

    def _already_open(self, release_id: str) -> Release:
        other = self._store.open_one()
        if other is None:
            raise InvalidInput("release_id", f"{release_id} was a release before: take another id")
        if other.id != release_id:
            raise InvalidInput("release_id", f"{other.id} is under way: finish, roll back or close it first")
        return other

    def _wanted(self, event: Event) -> Release:
        if event.get("release_id"):
            found = self._store.find(parse_release_id(str(event["release_id"])))
        else:
            found = self._store.open_one() or next(iter(self._store.newest(1)), None)
        if found is None:
            raise _unknown(str(event.get("release_id") or ""))
        return found


def release_document(release: Release) -> Event:
    """A release as JSON."""
    return {
        "id": release.id,
        "began_at": release.began_at.isoformat(),
        "actor": release.actor,
        "version": release.version,
        "reason": release.reason,
        "status": release.status.value,
    }


def event_document(event: ReleaseEvent) -> Event:
    """An event as JSON."""
    return {
        "id": event.id,
        "at": event.at.isoformat(),
        "actor": event.actor,
        "kind": event.kind.value,
        "detail": event.detail,
    }


def _unknown(release_id: str) -> InvalidInput:
    return InvalidInput("release_id", f"there is no release {release_id}" if release_id else "there is no release yet")


def _actor(event: Event) -> str:
    return parse_actor(str(event.get("actor", "")))


def _words(event: Event, name: str) -> str:
    words = str(event.get(name, "")).strip()
    if not 0 < len(words) <= _LONGEST_WORD:
        raise InvalidInput(name, f"must be there, in at most {_LONGEST_WORD} characters")
    return words


def _kind(event: Event) -> ReleaseEventKind:
    try:
        return ReleaseEventKind(str(event.get("kind", "")))
    except ValueError:
        raise InvalidInput("kind", f"is none of: {', '.join(ReleaseEventKind)}") from None


def _detail(event: Event) -> Event:
    detail = event.get("detail", {})
    if not isinstance(detail, dict):
        raise InvalidInput("detail", "is no object")
    if len(json.dumps(detail)) > LARGEST_DETAIL:
        raise InvalidInput("detail", f"is longer than {LARGEST_DETAIL:,} characters")
    return detail
