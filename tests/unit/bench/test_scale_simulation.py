"""The model of the pipeline at scale obeys the laws that any queue obeys."""

from __future__ import annotations

import itertools
import random
from statistics import mean

import pytest
import simpy

from bench.scale.duration import Duration, Exponential, Fixed, LogNormal
from bench.scale.mono_budget import Impatient, MonoBudget
from bench.scale.simulation import NOTHING, Arrival, Limits, Simulation, Work

WIDE = Limits(workers=50, backfill_workers=5, doors=50, database_processors=50, mono_per_minute=100_000)


def work(
    *, calls: int = 0, worker: float = 0.0, database: float = 0.0, mono: float = 0.0, door: Duration | None = None
) -> Work:
    """A message of plain times."""
    return Work(
        kind="daily",
        calls=calls,
        mono=Fixed(seconds=mono),
        worker=Fixed(seconds=worker),
        database=Fixed(seconds=database),
        door=door,
    )


def poisson(per_second: float, seconds: float, what: Work, *, seed: int = 3) -> list[Arrival]:
    """Messages that come by chance, so many a second on the average."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable model
    times = itertools.takewhile(lambda at: at < seconds, itertools.accumulate(_gaps(chance, per_second)))
    return [Arrival(at=at, work=what) for at in times]


def _gaps(chance: random.Random, per_second: float) -> itertools.starmap[float]:
    return itertools.starmap(chance.expovariate, itertools.repeat((per_second,)))


def test_every_message_that_arrives_ends() -> None:
    """Conservation: with tight limits, put-off runs and webhooks at the door, none is lost and none is doubled."""
    tight = Limits(workers=3, backfill_workers=2, doors=2, database_processors=1, mono_per_minute=90)
    kinds = [
        Work(kind="daily", calls=2, mono=LogNormal(median=0.3, p95=1.0), worker=NOTHING, database=Fixed(seconds=0.02)),
        Work(kind="full", queue="backfill", calls=9, mono=Fixed(seconds=0.2), worker=NOTHING, database=NOTHING),
        work(calls=2, mono=0.1, door=Fixed(seconds=0.05)),
    ]
    arrivals = [Arrival(at=float(number), work=kinds[number % 3], count=3) for number in range(60)]

    simulation = Simulation(tight)
    trace = simulation.run(arrivals)

    assert trace.arrived.total() == trace.ended.total() == 180
    assert trace.open == 0
    assert trace.put_off.total() > 0
    assert sum(len(times) for times in trace.sojourn.values()) == 180
    # the budget granted at least the calls of every run that ended; runs that were put off made some of them in vain
    assert simulation.budget.granted >= 20 * 3 * (2 + 9 + 2)


def test_one_place_and_exponential_times_are_the_mm1_queue() -> None:
    """Poisson arrivals at 0.7 of an exponential server's pace: mean time in the system is 1 / (mu - lambda)."""
    arriving, serving = 7.0, 10.0
    only = Limits(workers=1, backfill_workers=1, doors=1, database_processors=1, mono_per_minute=100_000)
    one = Work(kind="daily", calls=0, mono=NOTHING, worker=Exponential(mean=1 / serving), database=NOTHING)

    simulation = Simulation(only, seed=7)
    trace = simulation.run(poisson(arriving, 1_500.0, one))

    assert mean(trace.sojourn["daily"]) == pytest.approx(1 / (serving - arriving), rel=0.15)
    assert simulation.workers["daily"].utilisation == pytest.approx(arriving / serving, rel=0.05)


def test_utilisation_is_arrivals_times_service_over_places() -> None:
    """The utilisation law, for workers and for the database's processors."""
    limits = Limits(workers=8, backfill_workers=1, doors=1, database_processors=2, mono_per_minute=100_000)

    simulation = Simulation(limits)
    simulation.run(poisson(10.0, 300.0, work(worker=0.3, database=0.1)), until=300.0)

    assert simulation.database.utilisation == pytest.approx(10.0 * 0.1 / 2, rel=0.05)
    in_a_worker = simulation.workers["daily"].busy_seconds / simulation.workers["daily"].served
    assert simulation.workers["daily"].utilisation == pytest.approx(10.0 * in_a_worker / 8, rel=0.05)
    assert in_a_worker >= 0.4


def test_as_many_are_inside_as_arrive_a_second_times_their_stay() -> None:
    """Little's law, with the moments that the model looks at."""
    simulation = Simulation(WIDE)
    trace = simulation.run(poisson(20.0, 200.0, work(worker=0.5)), until=200.0, every=0.25)

    stay = mean(trace.sojourn["daily"])
    assert mean(moment.open for moment in trace.moments) == pytest.approx(20.0 * stay, rel=0.05)


@pytest.mark.parametrize("per_minute", [60, 600, 3_000])
def test_calls_never_exceed_the_budget_of_any_minute(per_minute: int) -> None:
    """And with enough to do they come to nearly all of it."""
    limits = Limits(
        workers=200,
        backfill_workers=1,
        doors=1,
        database_processors=1,
        mono_per_minute=per_minute,
        patience_seconds=1e9,
    )
    simulation = Simulation(limits)
    counts = []

    def count() -> object:
        while True:
            counts.append(simulation.budget.granted)
            yield simulation.env.timeout(1.0)

    simulation.env.process(count())  # type: ignore[arg-type]  # a generator of events, as it asks for

    simulation.run([Arrival(at=0.0, work=work(calls=2), count=per_minute * 3)], until=180.0)

    in_a_minute = [later - earlier for earlier, later in zip(counts, counts[60:], strict=False)]
    assert max(in_a_minute) <= per_minute
    assert min(in_a_minute) >= 0.95 * per_minute


def test_who_would_wait_too_long_comes_again_with_a_later_tick() -> None:
    """As the real one: ten seconds of sleep at most, then the tick."""
    slow = Limits(workers=40, backfill_workers=1, doors=1, database_processors=1, mono_per_minute=60)

    trace = Simulation(slow).run([Arrival(at=0.0, work=work(calls=1), count=40)])

    assert trace.put_off["daily"] > 0
    assert trace.open == 0
    assert max(trace.sojourn["daily"]) >= 300.0


def test_background_leaves_the_reserve_to_daily_work() -> None:
    """At an empty reserve a history waits while a daily call goes."""
    env = simpy.Environment()
    budget = MonoBudget(env, per_minute=600)
    while budget.ask(patience=60.0, background=True) is None:
        pass

    assert budget.ask(patience=0.0) is None
    with pytest.raises(Impatient):
        budget.ask(patience=0.0, background=True)


def test_calls_in_flight_together_are_waited_for_together() -> None:
    """Ten calls, the first two alone and four at once: four answers are waited for."""
    history = Work(
        kind="full",
        queue="backfill",
        calls=10,
        mono=Fixed(seconds=1.0),
        worker=NOTHING,
        database=NOTHING,
        in_flight=4,
    )

    trace = Simulation(WIDE).run([Arrival(at=0.0, work=history)])

    assert trace.sojourn["full"] == [pytest.approx(4.0)]


def test_workers_of_one_machine_share_its_processors() -> None:
    """Two processors and eight runs of a second each: four seconds, however many workers there are."""
    machine = Limits(
        workers=8, backfill_workers=1, doors=1, database_processors=2, mono_per_minute=100_000, shared_processors=True
    )

    trace = Simulation(machine).run([Arrival(at=0.0, work=work(worker=0.5, database=0.5), count=8)])

    assert trace.last_end == pytest.approx(4.0)


def test_the_same_seed_is_the_same_run() -> None:
    """Figures and drawings of the page are made anew byte by byte."""
    slow_answers = Work(
        kind="daily", calls=2, mono=LogNormal(median=0.3, p95=1.0), worker=NOTHING, database=Fixed(seconds=0.01)
    )

    first, second = (Simulation(WIDE, seed=5).run(poisson(5.0, 60.0, slow_answers)) for _ in range(2))

    assert first.sojourn == second.sojourn
