"""Inspect, replay and purge dead letters, as far as one invocation goes; the next one with the same id goes on.

What is decided for a message is committed before anything is sent, and the message is deleted last. Killed anywhere, a
replay has done nothing twice: the run of an account is asked for once, however many of its messages are seen again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from mono_pipeline.adapters.dead_letter_store import DeadLetterStore, filter_words
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.core.flag import decide
from mono_pipeline.core.replay import Action
from mono_pipeline.usecases.dead_letter_sweep import Sweep

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.core.deadline import Deadline
    from mono_pipeline.core.flag import FlagReading
    from mono_pipeline.core.replay import Asked
    from mono_pipeline.usecases.collaborators import Collaborators

    type Row = dict[str, Any]

_SHOWN: Final = 100  # letters in the answer to an inspection, unless fewer are asked for


class Refusal(Struct, frozen=True, kw_only=True):
    """Why a replay is not begun: the flag is off for everyone, or nobody may call Mono for `seconds`."""

    code: str
    reason: str
    seconds: float | None = None


class Progress(Struct, frozen=True, kw_only=True):
    """How far an action is. `refusal` is why it was not done, or for a dry run why it would not be."""

    asked: Asked
    finished: bool
    expected: int
    seen: int
    refusal: Refusal | None
    outcomes: dict[str, Row]
    groups: list[Row]
    letters: list[Row]


class DeadLetters:
    """Serves what a person asks of the dead-letter queue."""

    def __init__(self, collaborators: Collaborators, *, pause: Callable[[float], None] = time.sleep) -> None:
        """`pause` waits, where so many a second are asked for."""
        self._with = collaborators
        self._queue = collaborators.dead_letters
        self._store = DeadLetterStore(collaborators.database)
        self._pause = pause

    def act(self, asked: Asked, deadline: Deadline) -> Progress:
        """Go on with an action until it is done or time is up.

        Raises InvalidInput where the id is that of another action, DatabaseUnavailable and QueueUnavailable. What was
        received and not dealt with is shown to others again, in any case.
        """
        reading = self._with.flag.read()
        row = self._store.begin(asked, expected=self._queue.count())
        _refuse_another(asked, row)
        refusal = self._refusal(asked, reading)
        if row["finished_at"] is not None:
            return self._progress(asked, finished=True, refusal=refusal)
        if refusal is not None and asked.changes:
            self._store.finish(asked.action_id, refused=refusal.code)
            return self._progress(asked, finished=True, refusal=refusal)
        self._store.forget_old()
        sweep = Sweep(self._with, self._store, asked, reading, now=row["now"], pause=self._pause)
        finished = sweep.go(deadline)
        if finished:
            self._store.finish(asked.action_id)
        progress = self._progress(asked, finished=finished, refusal=refusal)
        self._tell(progress)
        return progress

    def _refusal(self, asked: Asked, reading: FlagReading) -> Refusal | None:
        """A replay while nothing is synced only fills the queues; while nobody may call, it only burns replays."""
        if asked.action is not Action.REPLAY or asked.force:
            return None
        if reading.off_for_everyone:
            return Refusal(code="flag_off", reason=str(decide(reading).reason))
        pause = self._store.pause()
        return Refusal(code="provider_paused", reason=pause[1], seconds=pause[0]) if pause else None

    def _tell(self, progress: Progress) -> None:
        asked = progress.asked
        self._with.observer.event(
            f"mono.dead_letters.{asked.action}",
            None,
            action_id=str(asked.action_id),
            correlation_id=asked.correlation_id,
            asked_by=asked.asked_by,
            dry_run=not asked.changes,
            finished=progress.finished,
            outcomes={outcome: counts["messages"] for outcome, counts in progress.outcomes.items()},
        )

    def _progress(self, asked: Asked, *, finished: bool, refusal: Refusal | None) -> Progress:
        row = self._store.begin(asked, expected=0)
        limit = _SHOWN if asked.action is Action.INSPECT else 0
        return Progress(
            asked=asked,
            finished=finished,
            expected=row["expected"],
            seen=row["seen"],
            refusal=refusal,
            outcomes=self._store.outcomes(asked.action_id),
            groups=self._store.groups(asked.action_id),
            letters=self._store.letters(asked.action_id, limit=min(limit, asked.most or limit)),
        )


def _refuse_another(asked: Asked, row: Row) -> None:
    """An action goes on as it began: what it may touch was said then, and is in the books."""
    given = {
        "action": asked.action,
        "dry_run": not asked.changes,
        "forced": asked.force,
        "filter": filter_words(asked),
        "most": asked.most,
        "per_second": asked.per_second,
    }
    for name, value in given.items():
        if row[name] != value:
            raise InvalidInput("action_id", f"is that of an action with another {name}")
