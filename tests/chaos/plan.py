"""What happens when: the whole schedule of a soak, made from its seed before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

RESTART_EVERY: Final = (1.0, 5.0)  # seconds between a server that is up and its next crash
KILL_EVERY: Final = (0.5, 3.0)
FREEZE_EVERY: Final = (2.0, 5.0)
FROZEN_FOR: Final = (3.5, 6.0)  # longer than a lease: another worker has taken the account over, and done its work
TICK_EVERY: Final = (4.0, 8.0)
CHANGE_EVERY: Final = (0.2, 0.6)
WAKE_EVERY: Final = (0.1, 0.4)


class Act(StrEnum):
    """What is done."""

    RESTART = "restart"  # PostgreSQL, in immediate mode
    KILL = "kill"  # a worker, by SIGKILL
    FREEZE = "freeze"  # a worker stops in mid-step, as Lambda freezes one, and others take its account over
    THAW = "thaw"  # and it goes on as if nothing had happened
    TICK = "tick"  # the scheduler's round, in a process that may be killed as well
    CHANGE = "change"  # something at the bank
    WAKE = "wake"  # messages from outside for some accounts


@dataclass(frozen=True, kw_only=True, order=True)
class Event:
    """An act, `at` so many seconds after the beginning; `choice` decides what it is done to."""

    at: float
    act: Act
    choice: int


_EVERY: Final = {
    Act.RESTART: RESTART_EVERY,
    Act.KILL: KILL_EVERY,
    Act.FREEZE: FREEZE_EVERY,
    Act.TICK: TICK_EVERY,
    Act.CHANGE: CHANGE_EVERY,
    Act.WAKE: WAKE_EVERY,
}


def plan(seed: int, seconds: float) -> list[Event]:
    """The events of a soak, the earliest first; the same for the same seed, whatever happens.

    A thaw has the `choice` of its freeze, and may come after `seconds`.
    """
    events: list[Event] = []
    for act, (least, most) in _EVERY.items():
        random = Random(f"{seed} {act}")  # noqa: S311 - a schedule is no secret
        at = random.uniform(least, most)
        while at < seconds:
            event = Event(at=at, act=act, choice=random.randrange(1 << 30))
            events.append(event)
            if act is Act.FREEZE:
                events.append(Event(at=at + random.uniform(*FROZEN_FOR), act=Act.THAW, choice=event.choice))
            at += random.uniform(least, most)
    return sorted(events)
