"""`python -m bench.scale`: puts the questions to the model; writes `bench/scale/answers.json` and `docs/scale/*.svg`.

Nothing is measured here: the service times are read from `service_times.json`, the prices from `prices.json`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from bench.scale import drawings
from bench.scale.cost import Prices, month, per_million_transactions
from bench.scale.fleet import Fleet
from bench.scale.scenarios import (
    AS_DEPLOYED,
    Answer,
    after_an_outage,
    delays_by_load,
    fleet_of_1m,
    fleet_of_100k,
    raised,
)
from bench.scale.service_times import ServiceTimes
from local.results import ROOT

FILE: Final = Path(__file__).with_name("answers.json")
DRAWINGS: Final = ROOT / "docs" / "scale"
LOADS: Final = (0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.1)
ENOUGH: Final = raised(per_minute=4_500, workers=60, backfill_workers=20, processors=4)


def main() -> int:
    """Ask, draw, write, print."""
    times, prices = ServiceTimes.read(), Prices.read()
    small = fleet_of_100k(times)
    too_many = fleet_of_1m(times, AS_DEPLOYED, "1M accounts, as deployed")
    enough = fleet_of_1m(times, ENOUGH, "1M accounts, limits raised")
    outage = after_an_outage(times, AS_DEPLOYED, "webhooks of 20k accounts at once", accounts=20_000)
    by_load = delays_by_load(times, LOADS)
    months = {
        "100k accounts": month(Fleet(accounts=100_000), small.day, times, prices, database="db.t4g.medium"),
        "1M accounts": month(Fleet(accounts=1_000_000), enough.day, times, prices, database="db.m7g.xlarge"),
    }
    accounts = {"100k accounts": 100_000, "1M accounts": 1_000_000}
    drawings.backlog([too_many, enough], DRAWINGS / "backlog.svg", title="A million accounts: open messages")
    drawings.backlog([outage], DRAWINGS / "outage.svg", title="60,000 webhooks in ten minutes: open messages")
    drawings.held(enough, DRAWINGS / "held.svg", title="A million accounts, limits raised: what is held at once")
    drawings.delays(by_load, DRAWINGS / "delays.svg", title="As deployed: delay by load, Mono's limit the bottleneck")
    drawings.costs(
        months, accounts, DRAWINGS / "cost.svg", title=f"USD, list prices of {prices.dated}, {prices.region}"
    )
    answers = [small, too_many, enough, outage]
    document = {
        "command": "python -m bench.scale",
        "scenarios": [_plain(answer) for answer in answers],
        "delays_by_load": [
            {"load": load, "p50_seconds": round(p50, 2), "p95_seconds": round(p95, 2)} for load, p50, p95 in by_load
        ],
        "months": {name: _bill(items, Fleet(accounts=accounts[name])) for name, items in months.items()},
    }
    FILE.write_text(json.dumps(document, indent=2) + "\n")
    _print(answers, document["months"])
    print("\n".join(table_lines(document)))
    return 0


def _plain(answer: Answer) -> dict[str, Any]:
    """An answer without its moments, in figures of three places."""
    told = {name: value for name, value in vars(answer).items() if name not in {"moments", "day"}}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in told.items()} | {
        name: round(value) for name, value in vars(answer.day).items()
    }


def _bill(items: dict[str, float], fleet: Fleet) -> dict[str, float]:
    total = sum(items.values())
    return {name: round(value, 2) for name, value in items.items()} | {
        "total": round(total, 2),
        "per_account_month": round(total / fleet.accounts, 6),
        "per_million_transactions": round(per_million_transactions(total, fleet), 2),
    }


def table_lines(document: dict[str, Any]) -> list[str]:
    """The answers as rows of the page's tables: a scenario each, then a fleet's month each."""
    lines = [
        f"| {row['name']} | {row['hours']:.1f} | {row['ended']:,} | {row['still_open']:,} | {row['p50']:,.0f} s "
        f"| {row['p95']:,.0f} s | {100 * row['workers_busy']:.0f} % | {100 * row['database_busy']:.0f} % "
        f"| {100 * row['budget_used']:.0f} % | {row['connections_peak']} |"
        for row in document["scenarios"]
    ]
    return lines + [
        f"| {name} | {bill['total']:,.0f} | {bill['per_account_month']:.4f} | {bill['per_million_transactions']:.0f} |"
        for name, bill in document["months"].items()
    ]


def _print(answers: list[Answer], months: dict[str, dict[str, float]]) -> None:
    console = Console(width=110, highlight=False)
    table = Table()
    for heading in ("", "hours", "ended", "open", "p50 s", "p95 s", "workers busy", "database", "Mono's limit"):
        table.add_column(heading, justify="left" if not heading else "right")
    for answer in answers:
        shares = (answer.workers_busy, answer.database_busy, answer.budget_used)
        table.add_row(
            answer.name,
            f"{answer.hours:.1f}",
            f"{answer.ended:,}",
            f"{answer.still_open:,}",
            f"{answer.p50:.1f}",
            f"{answer.p95:.1f}",
            *(f"{100 * share:.0f} %" for share in shares),
        )
    console.print(table)
    for name, bill in months.items():
        console.print(f"{name}: {bill}")


if __name__ == "__main__":
    sys.exit(main())
