"""What one piece of work costs, as measured: `service_times.json`, written by `python -m bench.scale.measure`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from bench.scale.duration import Fixed, LogNormal
from bench.scale.simulation import Work

FILE: Final = Path(__file__).with_name("service_times.json")
VCPU_MEGABYTES: Final = 1769  # Lambda's documentation: one vCPU at so much memory, and in proportion below


@dataclass(frozen=True, kw_only=True)
class ServiceTimes:
    """Seconds of a processor of the measured machine, but for Mono's answers and SQS, which are assumed.

    `*_page` is of a page of 100 rows in a full history.
    """

    daily_worker: float
    daily_database: float
    page_worker: float
    page_database: float
    door: float
    row_bytes: float
    log_bytes: float
    mono_median: float
    mono_p95: float
    queue_seconds: float

    @classmethod
    def read(cls, file: Path = FILE) -> Self:
        """What the file says."""
        told: dict[str, Any] = json.loads(file.read_text())
        return cls(**{name: row["value"] for name, row in told["times"].items()})

    def daily(self, *, memory_mib: int, by_webhook: bool = False, kind: str = "daily") -> Work:
        """One incremental sync of one page; one that a webhook asked for comes through the door."""
        return Work(
            kind=kind,
            calls=2,
            mono=LogNormal(median=self.mono_median, p95=self.mono_p95),
            worker=Fixed(seconds=self.daily_worker / vcpus(memory_mib)),
            database=Fixed(seconds=self.daily_database),
            before=Fixed(seconds=self.queue_seconds),
            door=Fixed(seconds=self.door / vcpus(memory_mib)) if by_webhook else None,
        )

    def noted(self, *, memory_mib: int) -> Work:
        """A webhook that starts no run: through the door, and written down by a worker."""
        return Work(
            kind="noted",
            calls=0,
            mono=Fixed(seconds=0.0),
            worker=Fixed(seconds=self.daily_worker / 4 / vcpus(memory_mib)),
            database=Fixed(seconds=self.daily_database / 4),
            before=Fixed(seconds=self.queue_seconds),
            door=Fixed(seconds=self.door / vcpus(memory_mib)),
        )

    def history(self, *, pages: int, memory_mib: int) -> Work:
        """A deep reading of so many pages, four of them in flight at once."""
        return Work(
            kind="full",
            queue="backfill",
            calls=1 + pages,
            mono=LogNormal(median=self.mono_median, p95=self.mono_p95),
            worker=Fixed(seconds=pages * self.page_worker / vcpus(memory_mib)),
            database=Fixed(seconds=pages * self.page_database),
            before=Fixed(seconds=self.queue_seconds),
            in_flight=4,
        )


def vcpus(memory_mib: int) -> float:
    """The share of a processor that a function of so much memory has; one is the most that our code can use."""
    return min(1.0, memory_mib / VCPU_MEGABYTES)
