"""Our turn: import the accounts that Mono lists, then read, land and verify the whole history of each.

A real process with the wiring of `bootstrap`: the same engine, stores and client, over HTTP and PostgreSQL's wire,
metrics and logs to stdout as deployed. Only SSM is in memory: secrets come from the environment, the flag is on.
With `--workers` above one, each worker is what a warm Lambda environment is: a process with a connection and a client
of its own, and accounts go to whoever is free. The last line is JSON: what the engine did and how long it took.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain, count, repeat
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from mono_pipeline.adapters.flag_reader import FlagReader
from mono_pipeline.adapters.parameters import Parameter, ParameterStore
from mono_pipeline.adapters.telemetry import Telemetry
from mono_pipeline.bootstrap import Environment
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.observer import Stage
from mono_pipeline.core.run import RunKind
from mono_pipeline.usecases.account_import import AccountImport
from mono_pipeline.usecases.account_sync import AccountSync
from mono_pipeline.usecases.paid_calls import PaidCalls

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing import SimpleQueue as Queue

    from mono_pipeline.usecases.collaborators import Collaborators

_SECONDS = 840.0  # a run of an account ends in one invocation


@dataclass(frozen=True, kw_only=True)
class Work:
    """What became of accounts, and the seconds spent waiting for Mono, landing rows and checking them."""

    accounts: int = 0
    verified: int = 0
    fetch: float = 0.0
    persist: float = 0.0
    verify: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(**{name: value + getattr(other, name) for name, value in asdict(self).items()})


class _SsmInMemory(ParameterStore):
    """SSM with the flag on and no other parameter."""

    def get(self, name: str) -> Parameter:
        return Parameter(name=name, value="true", version=1)

    def get_many(self, _names: Iterable[str]) -> dict[str, Parameter]:
        return {}


class _Stopwatch(Telemetry):
    """The deployed observer, which also adds up its stages, and the time from the last page landed to the verdict."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(Stage, 0.0)
        self.verify_seconds = 0.0
        self._landed_at = 0.0

    def stage(self, run: Any, stage: Stage, seconds: float, outcome: Any) -> None:
        self.seconds[stage] += seconds
        self._landed_at = time.monotonic()
        super().stage(run, stage, seconds, outcome)

    def event(self, name: str, run: Any, **fields: Any) -> None:
        if name == "mono.fetch.completed":
            self.verify_seconds += time.monotonic() - self._landed_at
        super().event(name, run, **fields)


class Worker:
    """One warm Lambda environment."""

    def __init__(self, environ: dict[str, str]) -> None:
        environment = Environment(environ)
        environment.parameters = _SsmInMemory()
        environment.flag = FlagReader(environment.parameters, environment.flag.name)
        environment.observer = self._watch = _Stopwatch()
        self.collaborators: Collaborators = environment.collaborators

    def import_accounts(self) -> Iterator[str]:
        """Bring every account of Mono's list in; each Mono id as soon as its account is there."""
        wired, deadline = self.collaborators, Deadline.after(_SECONDS)
        calls = PaidCalls(budget=wired.budget, patience=wired.patience(), executor=wired.executor, deadline=deadline)
        bring = AccountImport(wired, calls)
        for number in count(1):
            page = calls.once(partial(wired.mono.accounts, page=number, deadline=deadline))
            for account in page.accounts:
                brought = bring.listed([account])
                yield from (*brought.imported, *brought.known)
            if not page.has_next:
                break
        wired.budget.give_back()

    def sync(self, account_id: str) -> Work:
        """Read, land and verify all that Mono has of one account."""
        wired, before = self.collaborators, self._spent()
        account = wired.accounts.find(account_id)
        wired.runs.request(account.id, kind=RunKind.FULL, asked=None, requested_by="bench", correlation_id=account_id)
        run = wired.runs.claim(account.id, flag_reason="DEFAULT")
        if run is None:
            raise RuntimeError(f"{account_id} has nothing to do")
        end = AccountSync(wired).run(run, Deadline.after(_SECONDS))
        if end.verdict is None or end.verdict.kind != "verified":
            raise RuntimeError(f"{account_id} ended as {end.status} with {end.verdict}")
        fetch, persist, verify = (after - was for after, was in zip(self._spent(), before, strict=True))
        return Work(accounts=1, verified=1, fetch=fetch, persist=persist, verify=verify)

    def _spent(self) -> tuple[float, float, float]:
        seconds = self._watch.seconds
        return seconds[Stage.SYNC] + seconds[Stage.BACKFILL], seconds[Stage.PERSIST], self._watch.verify_seconds


def environ_of(base_url: str, database_url: str) -> dict[str, str]:
    """The environment variables of a local function that works with this Mono and this database."""
    database = urlsplit(database_url)
    return {
        "ENVIRONMENT": "local",
        "MONO_BASE_URL": base_url,
        "MONO_SECRET_KEY": "test_sk_of_the_page_source",
        "MONO_RATE_LIMIT_PER_MINUTE": "100000",  # the budget is asked as ever, but is not what is measured
        "DATABASE_HOST": str(database.hostname),
        "DATABASE_PORT": str(database.port),
        "DATABASE_NAME": database.path.removeprefix("/"),
        "DATABASE_USER": str(database.username),
        "DATABASE_SSLMODE": "disable",
        "DATABASE_PASSWORD": "trusted_on_loopback",
        "QUEUE_URL": "http://127.0.0.1/daily",
        "BACKFILL_QUEUE_URL": "http://127.0.0.1/backfill",
        "DEAD_LETTER_QUEUE_URL": "http://127.0.0.1/dead",
    }


def _serve(worker: Worker, todo: Queue[str | None]) -> Work:
    """Work on accounts until there are none."""
    return sum((worker.sync(account_id) for account_id in iter(todo.get, None)), Work())


def _serve_apart(environ: dict[str, str], todo: Queue[str | None], done: Queue[Work]) -> None:
    done.put(_serve(Worker(environ), todo))


def work_through(environ: dict[str, str], *, workers: int) -> Work:
    """Import all accounts and sync each; this process is one of the `workers`."""
    # Forked before there are threads and connections, so that nothing is shared but what was imported.
    context = multiprocessing.get_context("fork")
    todo, done = context.SimpleQueue(), context.SimpleQueue()
    others = [context.Process(target=_serve_apart, args=(environ, todo, done)) for _ in range(workers - 1)]
    for other in others:
        other.start()
    worker = Worker(environ)
    for turn in chain(worker.import_accounts(), repeat(None, workers)):
        todo.put(turn)
    work = _serve(worker, todo)
    for other in others:
        other.join()
        if other.exitcode:
            raise RuntimeError(f"a worker ended with code {other.exitcode}")
        work += done.get()
    return work


def main() -> None:
    """Do the whole job once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    began = time.monotonic()
    work = work_through(environ_of(asked.base_url, asked.database_url), workers=asked.workers)
    print(json.dumps({"seconds": time.monotonic() - began, **asdict(work)}))


if __name__ == "__main__":
    main()
