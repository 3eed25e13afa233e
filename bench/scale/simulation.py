"""The pipeline as a discrete-event model: what waits for what, and for how long.

A message takes a worker (an environment of Lambda) for as long as its run lasts: calls to Mono, each paid for from the
shared budget, the worker's own processor, and a turn on the database's processors. Who cannot wait for the budget
gives the worker back and comes again with a later tick, as the real one does. A webhook takes the door first.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import simpy

from bench.scale.duration import Duration, Fixed
from bench.scale.mono_budget import Impatient, MonoBudget
from bench.scale.station import Station
from mono_pipeline.usecases.patience import MAX_SLEEP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

type Queue = Literal["daily", "backfill"]

TICK_SECONDS: Final = 300.0
NOTHING: Final = Fixed(seconds=0.0)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the deployment allows: places, database processors, calls to Mono a minute."""

    workers: int
    backfill_workers: int
    doors: int
    database_processors: int
    mono_per_minute: int
    patience_seconds: float = MAX_SLEEP_SECONDS
    # on one machine the functions, the database and everything between run on the same processors
    shared_processors: bool = False


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one message costs.

    `before` passes between the message's sending and its run without holding anything (queue, poller). `calls` are
    made one after the other, but for `in_flight` at once from the third on (the account and the first page tell what
    there is to read). `worker` and `database` are processor seconds; `idle` is what a run waits for besides, its worker
    held: commits to disk, hand-overs.
    """

    kind: str
    queue: Queue = "daily"
    calls: int
    mono: Duration
    worker: Duration
    database: Duration
    before: Duration = NOTHING
    idle: Duration = NOTHING
    door: Duration | None = None
    in_flight: int = 1


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """So many messages of a kind of work at an instant, in seconds from the beginning."""

    at: float
    work: Work
    count: int = 1


@dataclass(kw_only=True)
class Trace:
    """What happened. Times are seconds; `sojourn` from arrival to end by kind, `waited_for_door` likewise."""

    arrived: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    put_off: Counter[str] = field(default_factory=Counter)
    sojourn: dict[str, list[float]] = field(default_factory=dict)
    door_seconds: list[float] = field(default_factory=list)
    lambda_seconds: Counter[str] = field(default_factory=Counter)
    last_end: float = 0.0
    moments: list[Moment] = field(default_factory=list)

    @property
    def open(self) -> int:
        """Messages that have arrived and not ended."""
        return self.arrived.total() - self.ended.total()


@dataclass(frozen=True, kw_only=True)
class Moment:
    """How things stand at an instant: open messages, held places, calls that wait for the budget."""

    at: float
    open: int
    workers: int
    backfill_workers: int
    doors: int
    database: int
    calls: int


class Simulation:
    """One run of the model; the same seed gives the same run."""

    def __init__(self, limits: Limits, *, seed: int = 1) -> None:
        self.limits = limits
        self.env = simpy.Environment()
        self.trace = Trace()
        self.budget = MonoBudget(self.env, per_minute=limits.mono_per_minute)
        self.workers: dict[Queue, Station] = {
            "daily": Station(self.env, places=limits.workers),
            "backfill": Station(self.env, places=limits.backfill_workers),
        }
        self.door = Station(self.env, places=limits.doors)
        self.database = Station(self.env, places=limits.database_processors)
        self._chance = random.Random(seed)  # noqa: S311 - a repeatable model; nothing is kept secret by it

    def run(self, arrivals: Iterable[Arrival], *, until: float | None = None, every: float = 60.0) -> Trace:
        """Let everything arrive, and go on until `until` seconds or until nothing is left; look `every` seconds."""
        ending = self.env.process(self._let_arrive(arrivals))
        self.env.process(self._look(every, ending))
        self.env.run(until=until)
        return self.trace

    def _let_arrive(self, arrivals: Iterable[Arrival]) -> Generator[simpy.Event]:
        for arrival in arrivals:
            if arrival.at > self.env.now:
                yield self.env.timeout(arrival.at - self.env.now)
            for _ in range(arrival.count):
                self.trace.arrived[arrival.work.kind] += 1
                self.env.process(self._message(arrival.work))

    def _message(self, work: Work) -> Generator[simpy.Event]:
        arrived_at = self.env.now
        if work.door is not None:
            yield from self._through_the_door(work.door)
        yield self.env.timeout(work.before.draw(self._chance))
        steps = _steps(work)
        share = 1 / len(steps)
        while not (yield from self._in_a_worker(work, steps, share)):
            self.trace.put_off[work.kind] += 1
            yield self.env.timeout(TICK_SECONDS - self.env.now % TICK_SECONDS)
        self.trace.ended[work.kind] += 1
        self.trace.sojourn.setdefault(work.kind, []).append(self.env.now - arrived_at)
        self.trace.last_end = self.env.now

    def _through_the_door(self, door: Duration) -> Generator[simpy.Event]:
        came_at = self.env.now
        with self.door.place() as place:
            yield place
            began = self.env.now
            yield self.env.timeout(door.draw(self._chance))
            self.trace.lambda_seconds["webhook"] += self.env.now - began
        self.trace.door_seconds.append(self.env.now - came_at)

    def _in_a_worker(self, work: Work, steps: list[int], share: float) -> Generator[simpy.Event, object, bool]:
        with self.workers[work.queue].place() as place:
            yield place
            began = self.env.now
            done = yield from self._run(work, steps, share)
            self.trace.lambda_seconds[work.kind] += self.env.now - began
        return done

    def _run(self, work: Work, steps: list[int], share: float) -> Generator[simpy.Event, object, bool]:
        """One invocation; False when the budget would have kept it waiting too long.

        What is done is taken from `steps`: pages that have landed are not read again. `share` of the worker's own
        time belongs to each step.
        """
        patience = self.limits.patience_seconds
        while steps:
            for _ in range(steps[0]):
                asked_at = self.env.now
                try:
                    token = self.budget.ask(patience=patience, background=work.queue == "backfill")
                except Impatient:
                    return False
                if token is not None:
                    yield token
                    patience -= self.env.now - asked_at
            yield self.env.timeout(work.mono.draw(self._chance))
            yield from self._think(work.worker.draw(self._chance) * share)
            steps.pop(0)
        yield from self._on_the_database(work.database.draw(self._chance))
        yield self.env.timeout(work.idle.draw(self._chance))
        return True

    def _think(self, seconds: float) -> Generator[simpy.Event]:
        """On the worker's own processor, or on those that everybody shares."""
        if self.limits.shared_processors:
            yield from self._on_the_database(seconds)
        else:
            yield self.env.timeout(seconds)

    def _on_the_database(self, seconds: float) -> Generator[simpy.Event]:
        with self.database.place() as place:
            yield place
            yield self.env.timeout(seconds)

    def _look(self, every: float, arriving: simpy.Process) -> Generator[simpy.Event]:
        while not arriving.triggered or self.trace.open:
            self.trace.moments.append(
                Moment(
                    at=self.env.now,
                    open=self.trace.open,
                    workers=self.workers["daily"].busy,
                    backfill_workers=self.workers["backfill"].busy,
                    doors=self.door.busy,
                    database=self.database.busy,
                    calls=self.budget.waiting,
                )
            )
            yield self.env.timeout(every)


def _steps(work: Work) -> list[int]:
    """How many calls are waited for at once, step by step."""
    alone = min(work.calls, 2)
    batches, last = divmod(work.calls - alone, work.in_flight)
    return [1] * alone + [work.in_flight] * batches + ([last] if last else []) or [0]
