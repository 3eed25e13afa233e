"""`python -m bench.dead_letters`: replay ten thousand dead letters, once, on real queues and a real PostgreSQL.

The use case runs as the function runs it: invocations of twenty seconds, each going on where the one before it stopped.
What is measured is the time from the first to the last, and how far this process's memory rises meanwhile.
"""

from __future__ import annotations

import os
import re
import sys
import time
from itertools import batched
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from local.aws import AwsStandIn, sqs_client
from local.ports import free_port
from local.postgres import PostgresServer
from local.results import ResultRow, passed, write_results
from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.migrator import migrate
from mono_pipeline.adapters.postgres import DatabaseAddress
from mono_pipeline.adapters.queue import FetchRequested
from mono_pipeline.core.replay import Action
from tests.dead_letter_desk import DeadLetterDesk
from tests.harness import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mono_pipeline.usecases.dead_letters import Progress

LETTERS: Final = 10_000
ACCOUNTS: Final = 2_000
INVOCATION_SECONDS: Final = 20.0
GOAL_SECONDS: Final = 60.0
GOAL_MIB: Final = 64.0
ROOT: Final = Path(__file__).resolve().parent.parent


def main() -> int:
    """Measure, print and write `.local/bench-dead-letters.json`; 0 when every goal is met."""
    with (
        TemporaryDirectory(prefix="mono-pipeline-") as folder,
        PostgresServer.start(Path(folder) / "cluster") as server,
    ):
        stand_in = AwsStandIn.start(port=free_port(), log=Path(folder) / "aws.log")
        try:
            rows = measure(server, stand_in)
        finally:
            stand_in.stop()
    for row in rows:
        goal = f"   goal {row.goal} {row.unit}" if row.goal is not None else ""
        print(f"{row.what:<58} {row.value:>10} {row.unit:<4}{goal}{'' if row.ok else '   MISSED'}")
    write_results("bench-dead-letters", rows)
    return 0 if passed(rows) else 1


def measure(server: PostgresServer, stand_in: AwsStandIn) -> list[ResultRow]:
    """Fill the queue, look at it, replay it, and count what that came to."""
    server.ensure_database("bench")
    migrate(server.url("bench"), ROOT / "migrations")
    address = DatabaseAddress(host="127.0.0.1", port=server.port, database="bench", user="postgres")
    pipeline = Pipeline(address, Sandbox(seed="dead letters"))
    desk = DeadLetterDesk(pipeline, sqs_client(stand_in.url))
    fill(desk)
    dry_seconds, _, dry = carry_through(desk, dry_run=True)
    from_peak = memory_peak(reset=True)
    seconds, invocations, done = carry_through(desk, dry_run=False)
    risen = memory_peak() - from_peak
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    left = desk.worker.dead_letters.count()
    runs = pipeline.rows("SELECT count(*) AS runs, count(DISTINCT account_id) AS accounts FROM sync_runs")[0]
    pipeline.close()
    once = (
        desk.counted(done) == {"requeued": LETTERS} and left == 0 and runs == {"runs": ACCOUNTS, "accounts": ACCOUNTS}
    )
    said = desk.counted(dry) == desk.counted(done)
    return [
        ResultRow(
            id="replay_seconds",
            what=f"replay of {LETTERS:,} messages of {ACCOUNTS:,} accounts",
            value=round(seconds, 1),
            unit="s",
            goal=GOAL_SECONDS,
            ok=seconds <= GOAL_SECONDS,
        ),
        ResultRow(
            id="replay_memory",
            what="memory that it rose by meanwhile",
            value=round(risen, 1),
            unit="MiB",
            goal=GOAL_MIB,
            ok=risen <= GOAL_MIB,
        ),
        ResultRow(id="replayed_once", what="one run an account, no letter left", value=once, goal=True, ok=once),
        ResultRow(id="dry_run_said_so", what="the dry run had said the same", value=said, goal=True, ok=said),
        ResultRow(id="dry_run_seconds", what="the dry run", value=round(dry_seconds, 1), unit="s"),
        ResultRow(id="rate", what="messages a second", value=round(LETTERS / seconds), unit="/s"),
        ResultRow(id="invocations", what="invocations of twenty seconds", value=invocations),
        ResultRow(id="load", what="load of the machine's processors when it ended", value=round(load, 1)),
    ]


def fill(desk: DeadLetterDesk) -> None:
    """Accounts, and wake-ups of theirs that no worker could finish."""
    desk.pipeline.rows(
        """INSERT INTO bank_accounts (mono_account_id, first_mono_account_id, mono_customer_id, currency)
           SELECT id, id, id, 'NGN'
           FROM (SELECT lpad(to_hex(n), 24, '0') AS id FROM generate_series(1, :most) AS n) AS made""",
        most=ACCOUNTS,
    )
    for batch in batched(bodies(), 10, strict=False):
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)]
        desk.sqs.send_message_batch(QueueUrl=desk.dead, Entries=entries)  # type: ignore[arg-type]  # of its form


def bodies() -> Iterator[str]:
    """The messages, each account's spread over all of the queue."""
    for number in range(LETTERS):
        account = f"{number % ACCOUNTS + 1:024x}"
        yield FetchRequested(account_id=account, correlation_id=f"c-{number}", requested_by="webhook").body()


def carry_through(desk: DeadLetterDesk, *, dry_run: bool) -> tuple[float, int, Progress]:
    """Seconds, invocations and the last answer of a replay."""
    began, action_id, invocations = time.perf_counter(), uuid4(), 0
    while True:
        invocations += 1
        told = desk.ask(Action.REPLAY, dry_run=dry_run, action_id=action_id, seconds=INVOCATION_SECONDS)
        if told.finished:
            return time.perf_counter() - began, invocations, told


def memory_peak(*, reset: bool = False) -> float:
    """The largest resident set of this process in MiB, since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"^VmHWM:\s+([0-9]+) kB", status, re.MULTILINE)[0]) / 1024


if __name__ == "__main__":
    sys.exit(main())
