"""What a fleet of accounts asks for in a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bench.scale.simulation import TICK_SECONDS, Arrival

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.scale.service_times import ServiceTimes

DAY: Final = 86_400.0
MEMORY_MIB: Final = 512
# How finely webhooks are spread: so many arrivals of several at once instead of one event a webhook.
_WEBHOOK_STEP: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Accounts, each synced twice a day (by schedule, and after one webhook), read whole every seventh day.

    `transactions` are an account's history, read a hundred a page.
    """

    accounts: int
    scheduled_a_day: float = 1.0
    webhooks_a_day: float = 1.0
    deep_read_days: float = 7.0
    transactions: int = 600

    @property
    def pages(self) -> int:
        """Pages of one full history."""
        return -(-self.transactions // 100)

    @property
    def calls_a_day(self) -> float:
        """Requests to Mono that all of this needs."""
        each = 2 * (self.scheduled_a_day + self.webhooks_a_day) + (1 + self.pages) / self.deep_read_days
        return self.accounts * each

    def arrivals(self, times: ServiceTimes, *, seconds: float) -> Iterator[Arrival]:
        """In order: what is due at each tick, and webhooks in between, spread evenly as the schedule's jitter does."""
        scheduled = times.daily(memory_mib=MEMORY_MIB)
        heard = times.daily(memory_mib=MEMORY_MIB, by_webhook=True)
        deep = times.history(pages=self.pages, memory_mib=MEMORY_MIB)
        steps = round(TICK_SECONDS / _WEBHOOK_STEP)
        for number in range(int(seconds / _WEBHOOK_STEP)):
            at, webhooks = number * _WEBHOOK_STEP, self.accounts * self.webhooks_a_day * _WEBHOOK_STEP / DAY
            if number % steps == 0:
                tick = number // steps
                share = TICK_SECONDS / DAY
                yield Arrival(at=at, work=scheduled, count=_part(self.accounts * self.scheduled_a_day * share, tick))
                yield Arrival(at=at, work=deep, count=_part(self.accounts / self.deep_read_days * share, tick))
            yield Arrival(at=at, work=heard, count=_part(webhooks, number))


def burst(times: ServiceTimes, *, accounts: int, seconds: float) -> Iterator[Arrival]:
    """Mono was away and delivers what it had kept: three events an account within `seconds`.

    Two of the three start a run (an account's webhooks start no more in five minutes); the third is only written down.
    """
    heard = times.daily(memory_mib=MEMORY_MIB, by_webhook=True, kind="webhook run")
    noted = times.noted(memory_mib=MEMORY_MIB)
    for number in range(int(seconds)):
        yield Arrival(at=float(number), work=heard, count=_part(2 * accounts / seconds, number))
        yield Arrival(at=float(number), work=noted, count=_part(accounts / seconds, number))


def _part(each: float, number: int) -> int:
    """Whole messages of turn `number`, so that all turns together come to the sum."""
    return int(each * (number + 1) + 1e-6) - int(each * number + 1e-6)
