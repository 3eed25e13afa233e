"""The questions that are put to the model, and their answers as figures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import quantiles
from typing import TYPE_CHECKING, Final

from bench.scale.cost import Day
from bench.scale.fleet import DAY, Fleet, burst
from bench.scale.simulation import Limits, Simulation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.scale.service_times import ServiceTimes
    from bench.scale.simulation import Arrival, Moment, Trace

# The template's own: SyncWorkerConcurrency, BackfillWorkerConcurrency, MonoRateLimitPerMinute; the 1,000 environments
# of an AWS account less those that are reserved; a db.t4g.medium.
AS_DEPLOYED: Final = Limits(workers=20, backfill_workers=5, doors=946, database_processors=2, mono_per_minute=600)
HOUR: Final = 3600.0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the model says of one scenario.

    Delays are from a message's sending to the end of its run, in seconds. `drained` is when the last one ended; None
    where there still were some at the end of the time looked at.
    """

    name: str
    hours: float
    arrived: int
    ended: int
    still_open: int
    put_off: int
    p50: float
    p95: float
    p99: float
    door_p99: float
    workers_peak: int
    workers_busy: float
    database_busy: float
    budget_used: float
    connections_peak: int
    drained: float | None
    day: Day
    moments: Sequence[Moment]


def asked(
    name: str, limits: Limits, arrivals: Iterable[Arrival], *, hours: float | None, webhooks: float, every: float = 60.0
) -> Answer:
    """One run of the model; `hours` None goes on until nothing is left. `webhooks` is their share of all messages."""
    simulation = Simulation(limits)
    trace = simulation.run(arrivals, until=None if hours is None else hours * HOUR, every=every)
    seconds = simulation.env.now
    delays = sorted(delay for kind, times in trace.sojourn.items() if kind != "full" for delay in times)
    cuts = quantiles(delays, n=100)
    scale = DAY / seconds
    return Answer(
        name=name,
        hours=seconds / HOUR,
        arrived=trace.arrived.total(),
        ended=trace.ended.total(),
        still_open=trace.open,
        put_off=trace.put_off.total(),
        p50=cuts[49],
        p95=cuts[94],
        p99=cuts[98],
        door_p99=quantiles(trace.door_seconds, n=100)[98],
        workers_peak=simulation.workers["daily"].peak,
        workers_busy=simulation.workers["daily"].utilisation,
        database_busy=simulation.database.utilisation,
        budget_used=simulation.budget.granted / (limits.mono_per_minute * seconds / 60),
        connections_peak=simulation.workers["daily"].peak + simulation.workers["backfill"].peak,
        drained=None if trace.open else trace.last_end,
        day=_day(trace, simulation, scale, webhooks),
        moments=trace.moments,
    )


def _day(trace: Trace, simulation: Simulation, scale: float, webhooks: float) -> Day:
    messages = round(trace.ended.total() * scale)
    return Day(
        lambda_seconds=trace.lambda_seconds.total() * scale,
        messages=messages,
        webhooks=round(messages * webhooks),
        calls=round(simulation.budget.granted * scale),
    )


def fleet_of_100k(times: ServiceTimes) -> Answer:
    """A hundred thousand accounts with the template as it is, for three hours of the day, which are all alike."""
    arrivals = Fleet(accounts=100_000).arrivals(times, seconds=3 * HOUR)
    return asked("100k accounts, as deployed", AS_DEPLOYED, arrivals, hours=3, webhooks=0.47)


def fleet_of_1m(times: ServiceTimes, limits: Limits, name: str) -> Answer:
    """A million accounts for an hour."""
    fleet = Fleet(accounts=1_000_000)
    return asked(name, limits, fleet.arrivals(times, seconds=HOUR), hours=1, webhooks=0.47)


def raised(per_minute: int, workers: int, backfill_workers: int, processors: int) -> Limits:
    """The template with other parameters, and a larger database."""
    return replace(
        AS_DEPLOYED,
        mono_per_minute=per_minute,
        workers=workers,
        backfill_workers=backfill_workers,
        database_processors=processors,
    )


def after_an_outage(times: ServiceTimes, limits: Limits, name: str, *, accounts: int) -> Answer:
    """Three events of each account within ten minutes."""
    return asked(name, limits, burst(times, accounts=accounts, seconds=600.0), hours=None, webhooks=1.0)


def delays_by_load(times: ServiceTimes, loads: Sequence[float]) -> list[tuple[float, float, float]]:
    """(share of the rate limit that is needed, median delay, 95th percentile), an hour each as deployed."""
    found = []
    for load in loads:
        accounts = round(load * AS_DEPLOYED.mono_per_minute * 1440 / Fleet(accounts=1).calls_a_day)
        arrivals = Fleet(accounts=accounts).arrivals(times, seconds=HOUR)
        answer = asked(f"{load:.2f}", AS_DEPLOYED, arrivals, hours=1, webhooks=0.47, every=600.0)
        found.append((load, answer.p50, answer.p95))
    return found
