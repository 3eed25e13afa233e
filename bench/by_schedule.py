"""Our turn in `make evidence`: one tick of the schedule, and a worker that serves everything that it asked for.

The engine, stores and client as deployed, over HTTP and PostgreSQL's wire; only SQS and SSM are in memory. What is read
is the schedule's own decision: nobody asks for a full history. The last line is JSON, what the runs said; the exit code
is the gravest of them, as `monoctl sync` has it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from copy import replace
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.ours import Worker, environ_of
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.usecases.schedule_tick import ScheduleTick
from mono_pipeline.usecases.wake_up import WakeUp
from monoctl.exit_code import ExitCode

if TYPE_CHECKING:
    from mono_pipeline.adapters.queue import FetchRequested, WorkQueue

_SECONDS = 600.0
_CODES = {"verified": ExitCode.AS_PROMISED, "mismatch": ExitCode.MISMATCH}
_SAID = """
  SELECT coalesce(r.verdict, r.status) AS verdict, r.verdict_reason AS reason
  FROM bank_accounts a
  JOIN LATERAL (SELECT * FROM sync_runs r WHERE r.account_id = a.id ORDER BY r.requested_at DESC LIMIT 1) r ON true
"""


@dataclass
class _InMemory:
    """SQS's part."""

    messages: list[FetchRequested] = field(default_factory=list)

    def send(self, message: FetchRequested, *, group: str) -> None:
        del group
        self.messages.append(message)

    def send_many(self, messages: list[tuple[FetchRequested, str]]) -> int:
        taken = [message for message, _ in messages]
        self.messages += taken
        return len(taken)


def work_off(worker: Worker) -> Counter[str]:
    """One tick, and everything that came of it; how many accounts' newest runs said what."""
    queue = _InMemory()
    as_queue: WorkQueue = queue  # type: ignore[assignment]  # has what the use cases need of one
    wired = replace(worker.collaborators, daily=as_queue, backfill=as_queue)
    ScheduleTick(wired).tick(Deadline.after(_SECONDS))
    while queue.messages:
        WakeUp(wired, queue=as_queue).serve(
            queue.messages.pop(0), sent_at=time.time(), deadline=Deadline.after(_SECONDS)
        )
    return Counter(
        row["reason"] if row["verdict"] == "unverifiable" else row["verdict"] for row in wired.database.rows(_SAID)
    )


def exit_code(said: Counter[str]) -> ExitCode:
    """The gravest of what the runs said; where there was none, nothing is proven."""
    return max((_CODES.get(text, ExitCode.INCOMPLETE) for text in said), default=ExitCode.INCOMPLETE)


def main() -> int:
    """Work off one tick."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--secret-key", required=True)
    parser.add_argument("--import-accounts", action="store_true", help="take every account of Mono's list in first")
    asked = parser.parse_args()
    worker = Worker({**environ_of(asked.base_url, asked.database_url), "MONO_SECRET_KEY": asked.secret_key})
    if asked.import_accounts:
        list(worker.import_accounts())
    said = work_off(worker)
    print(json.dumps({"said": said}))
    return exit_code(said)


if __name__ == "__main__":
    sys.exit(main())
