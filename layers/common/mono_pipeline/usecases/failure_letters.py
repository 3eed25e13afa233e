"""The message of an account that failed too often. What owes it is committed first; it is sent until that is noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mono_pipeline.adapters.dead_letter_store import DeadLetterStore
from mono_pipeline.core.errors import QueueUnavailable

if TYPE_CHECKING:
    from mono_pipeline.core.dead_letter import FetchFailed
    from mono_pipeline.usecases.collaborators import Collaborators

_QUIET_SECONDS: Final = 60.0  # a worker that has just committed is sending it itself
_BATCH: Final = 500


class FailureLetters:
    """Sends `mono.fetch.failed`. Who dies between sending and noting it makes two copies, which name the same run."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators
        self._store = DeadLetterStore(collaborators.database)

    def send(self, letter: FetchFailed) -> bool:
        """Send and note it; False when SQS did not take it: the next tick sends it. Raises DatabaseUnavailable."""
        try:
            self._with.dead_letters.send(letter)
        except QueueUnavailable:
            self._with.observer.event(
                "mono.dead_letter.not_sent",
                None,
                account_id=letter.account_id,
                run_id=letter.run_id,
                correlation_id=letter.correlation_id,
            )
            return False
        self._store.note_sent(letter.run_id)
        return True

    def send_unsent(self) -> int:
        """Send what workers owe; returns how many SQS took. At the first that it does not take, the rest waits too."""
        sent = 0
        for letter in self._store.unsent(quiet_seconds=_QUIET_SECONDS, limit=_BATCH):
            if not self.send(letter):
                break
            sent += 1
        return sent
