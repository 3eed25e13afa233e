"""Syncs rows at the edges of days and says which day each was booked on: run by a process with a time zone of its own.

`python -m tests.integration.time.sync_in_zone HOST:PORT/DATABASE` reads rows as JSON from stdin, writes JSON to stdout.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import date
from typing import Any

from local.sandbox.sandbox import Sandbox
from mono_pipeline.adapters.postgres import DatabaseAddress
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.run import RunKind
from tests.harness import Pipeline


def synced(where: str, told: dict[str, Any]) -> dict[str, Any]:
    """Import an account with these rows, sync it whole and by window, and look at what is stored."""
    host, _, rest = where.partition(":")
    port, _, database = rest.partition("/")
    address = DatabaseAddress(host=host, port=int(port), database=database, user="postgres")
    pipeline = Pipeline(address, Sandbox(seed="time"))
    try:
        account = pipeline.link(transactions=0, stamp="instant")
        pipeline.sandbox.add(account, rows=told["rows"])
        whole = pipeline.sync(account)
        day = date.fromisoformat(told["window"])
        window = pipeline.sync(account, kind=RunKind.WINDOW, asked=DateWindow(start=day, end=day))
        stored = pipeline.rows(
            """SELECT narration, booking_date, occurred_text, lagos_date(occurred_at) AS lagos
               FROM bank_transactions ORDER BY narration"""
        )
        canonical = pipeline.rows("SELECT narration, booking_date FROM canonical_bank_transactions ORDER BY narration")
        return {
            "local_hour_of_new_year": time.localtime(1_767_225_600).tm_hour,
            "session_zone": pipeline.rows("SHOW TimeZone")[0]["TimeZone"],
            "verdicts": [[str(end.verdict.kind), str(end.verdict.reason)] for end in (whole, window) if end.verdict],
            "days": {row["narration"]: str(row["booking_date"]) for row in stored},
            "lagos": {row["narration"]: str(row["lagos"]) for row in stored},
            "canonical": {row["narration"]: str(row["booking_date"]) for row in canonical},
            "window_seen": pipeline.run_row(window)["rows_seen"],
            "watermark": str(pipeline.watermark(account)),
            "today": str(pipeline.today()),
            "covered": [
                str(row["day"])
                for row in pipeline.rows(
                    "SELECT day FROM coverage_of(:account, :day, :day, 7) WHERE state = 'read'",
                    account=account,
                    day=day,
                )
            ],
        }
    finally:
        pipeline.close()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(synced(sys.argv[1], json.loads(sys.stdin.read()))))
