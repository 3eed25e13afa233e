"""A sync from the question to its end: the answer at once, or the run followed until it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

from monoctl.errors import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from monoctl.reach import CallsSync, SyncAnswer

    type Watch = Callable[[SyncAnswer], None]

LOOK_SECONDS: Final = 1.0
LOST_LOOKS: Final = 10  # looks in a row without an answer; the run does not need the one who watches it


@dataclass(frozen=True, kw_only=True)
class SyncWanted:
    """What is asked for. Both days or none; booking dates, both included."""

    account_id: str
    start: date | None = None
    end: date | None = None


class StillRunning(Unanswered):
    """The run had not ended when the time to wait was over; it goes on."""

    def __init__(self, run_id: str, account_id: str, seconds: float) -> None:
        super().__init__(
            f"run {run_id} goes on after {seconds:.0f} s of waiting: `monoctl accounts show {account_id}` tells its end"
        )


class SyncWait:
    """Waits for one sync, `patience` seconds at most. `monotonic` and `pause` are in seconds."""

    def __init__(
        self,
        api: CallsSync,
        *,
        patience: float,
        monotonic: Callable[[], float],
        pause: Callable[[float], None],
    ) -> None:
        self._api = api
        self._patience = patience
        self._monotonic = monotonic
        self._pause = pause
        self._give_up = monotonic() + patience

    def until_the_end(self, wanted: SyncWanted, watch: Watch) -> SyncAnswer:
        """Return the answer to exactly what was asked.

        A run that holds the account already was started by somebody else, perhaps for other days: it is waited for,
        and then ours is asked for. `watch` sees every answer. Raises StillRunning.
        """
        answer = self._api.ask(wanted.account_id, start=wanted.start, end=wanted.end)
        while answer.status == "already_running" and answer.run_id:
            watch(answer)
            self._end_of(answer.run_id, wanted, watch)
            self._wait_or_give_up(answer.run_id, wanted)  # its lease may outlive it by a moment
            answer = self._api.ask(wanted.account_id, start=wanted.start, end=wanted.end)
        if answer.status == "accepted" and answer.run is not None:
            watch(answer)
            return self._end_of(answer.run.run_id, wanted, watch)
        return answer

    def _end_of(self, run_id: str, wanted: SyncWanted, watch: Watch) -> SyncAnswer:
        while True:
            answer = self._look(run_id)
            watch(answer)
            if not answer.is_under_way:
                return answer
            self._wait_or_give_up(run_id, wanted)

    def _wait_or_give_up(self, run_id: str, wanted: SyncWanted) -> None:
        if self._monotonic() >= self._give_up:
            raise StillRunning(run_id, wanted.account_id, self._patience)
        self._pause(LOOK_SECONDS)

    def _look(self, run_id: str) -> SyncAnswer:
        """A look that survives a short absence of the API or of the database behind it."""
        for _ in range(LOST_LOOKS):
            try:
                answer = self._api.run(run_id)
            except (httpx.TransportError, Unanswered):
                self._pause(LOOK_SECONDS)
                continue
            if answer.status != "unavailable":
                return answer
            self._pause(LOOK_SECONDS)
        return self._api.run(run_id)
