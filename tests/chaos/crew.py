"""The crew of a soak: worker processes that are killed, frozen and thawed, and the scheduler's rounds."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from local.aws import CREDENTIALS
from local.sandbox.world import DEFAULT_KEY
from tests.chaos import worker

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess
    from pathlib import Path

    from tests.chaos.ground import Ground

LEASE_SECONDS: Final = 45  # one and a half of our seconds
_ROUND_SECONDS: Final = 30.0
# A worker that was refused the account names the run that holds it; one that lost its lease in mid-run does not.
_NOT_ITS_OWN: Final = b"mono.wake_up.already_running"
_REFUSED: Final = b'"run_id"'


@dataclass(frozen=True, kw_only=True, eq=False)
class _Worker:
    process: BaseProcess
    serving: Any

    @property
    def account(self) -> str | None:
        """The account of the message that it has, None when it waits for one."""
        return str(self.serving.value.decode()) or None


class Crew:
    """As many `workers` as ever, whatever happens to them. A context manager."""

    def __init__(self, ground: Ground, bank_url: str, folder: Path, *, workers: int) -> None:
        self._count = workers
        self._ground = ground
        self._folder = folder
        self._environ = _environment(ground, bank_url)
        self._spawn = multiprocessing.get_context("forkserver")
        self._spawn.set_forkserver_preload(["tests.chaos.worker"])
        self._workers: list[_Worker] = []
        self._frozen: dict[int, _Worker] = {}
        self._ticks: list[BaseProcess] = []

    def __enter__(self) -> Self:
        for _ in range(self._count):
            self._hire()
        return self

    def __exit__(self, *_: object) -> None:
        for process in (*(each.process for each in self._workers), *self._ticks):
            process.kill()
            process.join()

    def kill(self, choice: int) -> None:
        """A worker dies and a new one comes; every other time it is one that has a message in hand, if any has.

        And every other time a scheduler's round dies too.
        """
        chosen = (choice % 4 < 2 and self._at_work(choice)) or _one_of(self._awake or self._workers, choice)
        self._workers.remove(chosen)
        chosen.process.kill()
        chosen.process.join()
        self._hire()
        if self._ticks and choice % 2:
            self._ticks[-1].kill()

    def freeze(self, choice: int) -> str | None:
        """A worker stops wherever it is, one that has a message if any has; the account of its message."""
        chosen = self._at_work(choice) or _one_of(self._awake or self._workers, choice)
        self._frozen[choice] = chosen
        _signal(chosen.process, signal.SIGSTOP)
        return chosen.account

    def thaw(self, choice: int) -> None:
        """The worker that was frozen by this `choice` goes on, if it lives."""
        _signal(self._frozen.pop(choice).process, signal.SIGCONT)

    def thaw_all(self) -> None:
        """Everybody goes on."""
        for choice in list(self._frozen):
            self.thaw(choice)

    def tick(self) -> None:
        """The scheduler's round begins, in a process of its own."""
        self._ticks = [each for each in self._ticks if each.is_alive()]
        process = self._spawn.Process(target=worker.tick, args=(self._environ, self._folder / "tick.log"), daemon=True)
        process.start()
        self._ticks.append(process)

    def tick_and_wait(self) -> None:
        """A whole round, and a moment for the workers."""
        self.tick()
        self._ticks[-1].join(timeout=_ROUND_SECONDS)
        time.sleep(0.5)

    def leases_lost(self) -> int:
        """How often a worker found that another had taken its account."""
        log = self._folder / "worker.log"
        lines = log.read_bytes().splitlines() if log.exists() else []
        return sum(_NOT_ITS_OWN in line and _REFUSED not in line for line in lines)

    @property
    def _awake(self) -> list[_Worker]:
        return [each for each in self._workers if each not in self._frozen.values()]

    def _at_work(self, choice: int) -> _Worker | None:
        busy = [each for each in self._awake if each.account]
        return _one_of(busy, choice) if busy else None

    def _hire(self) -> None:
        queues = self._ground.queues
        served = [queues[name] for name in ("urgent", "daily", "daily", "backfill")]
        serving = self._spawn.RawArray("c", worker.ACCOUNT_ID_LENGTH)
        process = self._spawn.Process(
            target=worker.work,
            args=(self._environ, served, self._ground.clock, self._folder / "worker.log", serving),
            daemon=True,
        )
        process.start()
        self._workers.append(_Worker(process=process, serving=serving))


def _one_of(workers: list[_Worker], choice: int) -> _Worker:
    return workers[choice % len(workers)]


def _signal(process: BaseProcess, number: signal.Signals) -> None:
    if process.pid is not None and process.is_alive():
        os.kill(process.pid, number)


def _environment(ground: Ground, bank_url: str) -> dict[str, str]:
    """Few rows to a page and two pages to a flush, so that most runs can be hit in the middle."""
    return {
        **CREDENTIALS,
        "AWS_ENDPOINT_URL": ground.aws_url,
        "ENVIRONMENT": "local",
        "POWERTOOLS_SERVICE_NAME": "mono-pipeline",
        "POWERTOOLS_METRICS_NAMESPACE": "TaxPoynt",
        "MONO_BASE_URL": bank_url,
        "MONO_SECRET_KEY": DEFAULT_KEY,
        "MONO_PAGE_LIMIT": "10",
        "MONO_OVERLAP_DAYS": "14",
        "MONO_RATE_LIMIT_PER_MINUTE": "100000",
        "FLUSH_ROWS": "20",
        "LEASE_SECONDS": str(LEASE_SECONDS),
        "DATABASE_HOST": ground.address.host,
        "DATABASE_PORT": str(ground.address.port),
        "DATABASE_NAME": ground.address.database,
        "DATABASE_USER": ground.address.user,
        "DATABASE_SSLMODE": "disable",
        "DATABASE_PASSWORD": "trusted_on_loopback",
        "QUEUE_URL": ground.queues["daily"],
        "BACKFILL_QUEUE_URL": ground.queues["backfill"],
        "DEAD_LETTER_QUEUE_URL": ground.queues["dead"],
    }
