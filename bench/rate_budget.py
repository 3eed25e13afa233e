"""`python -m bench.rate_budget`: sixteen workers that want all they can get for a minute, and what they are granted.

Each is a thread with a connection of its own. `--speed 6` lets the database's clock run six times as fast: the same
minute in ten seconds, as CI has it. Writes `.local/rate-budget.json`; exit code 1 when the grants leave [0.95, 1.00] of
the budget.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from local.postgres import PostgresServer
from local.results import ResultRow, passed, write_results
from mono_pipeline.adapters.migrator import migrate
from mono_pipeline.adapters.postgres import Database, DatabaseAddress
from mono_pipeline.adapters.rate_budget import RateBudget

MIGRATIONS: Final = Path(__file__).resolve().parents[1] / "migrations"
WORKERS: Final = 16
SECONDS: Final = 60.0
LEAST, MOST = 0.95, 1.0


def granted_in_a_minute(address: DatabaseAddress, *, per_minute: int, speed: float, full: bool) -> int:
    """How many calls the workers may make in 60 s of the database's clock, which runs `speed` times as fast as ours.

    `full` begins with a bucket that a quiet time has filled, else with an empty one.
    """
    clock = Database(address)
    (now,) = clock.rows("SELECT clock_timestamp()::text AS at")
    clock.rows(
        f"""CREATE OR REPLACE FUNCTION pipeline_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
            $$ SELECT timestamptz '{now["at"]}' + {speed} * (clock_timestamp() - timestamptz '{now["at"]}') $$"""
    )
    clock.rows("UPDATE provider_budget SET tokens = :tokens, refilled_at = pipeline_now()", tokens=1e9 if full else 0)
    clock.close()
    until = time.monotonic() + SECONDS / speed
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        return sum(pool.map(lambda _: _work(address, per_minute, speed, until), range(WORKERS)))


def _work(address: DatabaseAddress, per_minute: int, speed: float, until: float) -> int:
    database = Database(address)
    budget = RateBudget(database, per_minute=per_minute)
    calls = 0
    while time.monotonic() < until:
        grant = budget.take(1)
        if time.monotonic() >= until:
            break  # asked for in time and granted after it, perhaps: that call is one of the next minute
        calls += grant.tokens
        if not grant.tokens:
            time.sleep(max(0.0, min(grant.wait_seconds / speed, until - time.monotonic())))
    database.close()
    return calls


def main(arguments: list[str]) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--per-minute", type=int, nargs="*", default=[600, 6_000])
    options = parser.parse_args(arguments)
    rows = []
    with (
        TemporaryDirectory(prefix="mono-pipeline-") as folder,
        PostgresServer.start(Path(folder) / "cluster") as server,
    ):
        address = DatabaseAddress(host="127.0.0.1", port=server.port, database="postgres", user="postgres")
        migrate(address.url, MIGRATIONS)
        for per_minute in options.per_minute:
            for full in (True, False):
                calls = granted_in_a_minute(address, per_minute=per_minute, speed=options.speed, full=full)
                share = calls / per_minute
                begins = "full" if full else "empty"
                what = f"{WORKERS} workers for 60 s of a budget of {per_minute} a minute, bucket {begins} at first"
                rows.append(
                    ResultRow(
                        id=f"rate.{per_minute}.{begins}",
                        what=what,
                        value=round(share, 4),
                        unit="of the budget",
                        goal=f"{LEAST} to {MOST}",
                        ok=LEAST <= share <= MOST,
                    )
                )
                sys.stdout.write(f"{what}: {calls} granted, {share:.4f}\n")
                sys.stdout.flush()
    write_results("rate-budget", rows)
    return 0 if passed(rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
