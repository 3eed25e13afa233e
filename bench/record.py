"""`python -m bench.record`: keeps what the benchmarks measured, and makes the tables of docs/performance.md of it.

Each benchmark writes its rows to `.local/<target>.json`. Those that are there replace what `docs/performance.json` has
of their targets, with commit, day and machine; then what stands between the marks of docs/performance.md is written
anew from all that is kept: every goal with its figure and command, and the seconds of the run beside the peers.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from local.results import ROOT, STATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE: Final = ROOT / "docs" / "performance.md"
RECORD: Final = PAGE.with_suffix(".json")
BEGIN, END = "<!-- {}: written by python -m bench.record -->", "<!-- end of {} -->"
COMMANDS: Final = {  # in the order of the table
    "bench": "make bench",
    "bench-peers": "make bench-peers",
    "cost": "make cost",
    "evidence": "python -m bench.evidence --all-peers",
    "cold-start": "python -m bench.cold_start",
    "bench-webhook": "make bench-webhook",
    "bench-front-door": "python -m bench.front_door",
    "bench-dead-letters": "make bench-dead-letters",
    "rate-budget": "python -m bench.rate_budget",
    "bench-scale": "python -m bench.scale.validate",
}
TURNS: Final = ("cold", "again", "A", "B")

type Known = dict[str, dict[str, Any]]


def main() -> int:
    """Take what there is, write the record and the page; 1 when a kept figure misses its goal and is not waived."""
    known: Known = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    known |= measured(STATE)
    RECORD.write_text(json.dumps(known, indent=1) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), known))
    missed = [f"{target}: {row['id']}" for target, row in _goals(known) if _judged(row) == "missed"]
    sys.stdout.write("".join(f"missed: {each}\n" for each in missed) or "every goal is met or waived\n")
    return 1 if missed else 0


def measured(folder: Path) -> Known:
    """What the result files of `folder` say, by target."""
    return {
        target: {
            "commit": told["commit"],
            "day": f"{datetime.fromtimestamp(file.stat().st_mtime, UTC):%Y-%m-%d}",
            "machine": machine(),
            "rows": told["rows"],
        }
        for target in COMMANDS
        if (file := folder / f"{target}.json").exists()
        for told in [json.loads(file.read_text())]
    }


def machine() -> str:
    """Cores, processor and memory of this machine."""
    names = [line for line in _text("/proc/cpuinfo").splitlines() if line.startswith("model name")]
    processor = names[0].partition(":")[2].strip() if names else platform.machine()
    gibibytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return f"{os.cpu_count()} cores of {processor}, {gibibytes:.0f} GiB"


def filled(page: str, known: Known) -> str:
    """The page with today's tables between its marks."""
    for name, text in (("goals", goals_table(known)), ("seconds", seconds_table(known))):
        begin, end = BEGIN.format(name), END.format(name)
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"{PAGE.name} has no marks of {name}")
        page = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return page


def goals_table(known: Known) -> str:
    """Every figure that has a goal, and below it when and where each command was last run."""
    lines = ["| | measured | goal | |", "|---|---|---|---|"]
    for target in _targets(known):
        lines.append(f"| **`{COMMANDS[target]}`** | | | |")
        lines += [_goal_line(row) for of, row in _goals(known) if of == target]
    runs: dict[str, list[str]] = {}
    for target in _targets(known):
        told = known[target]
        runs.setdefault(f"{told['day']}, commit {told['commit'][:7]}, {told['machine']}", []).append(COMMANDS[target])
    lines += ["", *(f"* {run}: {', '.join(f'`{each}`' for each in commands)}" for run, commands in runs.items())]
    return "\n".join(lines)


def seconds_table(known: Known) -> str:
    """Seconds of each contestant of `make bench-peers` by turn, and its peak memory."""
    if "bench-peers" not in known:
        return "Not measured yet."
    rows = {row["id"]: row["value"] for row in known["bench-peers"]["rows"]}
    lines = [f"| seconds | {' | '.join(TURNS)} | peak MiB |", f"|---|{'---|' * len(TURNS)}---|"]
    for row in known["bench-peers"]["rows"]:
        key, _, turn = row["id"].rpartition(".")
        if turn == "cold" and row["unit"] == "s":
            cells = (_number(rows.get(f"{key}.{each.lower()}")) for each in TURNS)
            name = row["what"].removesuffix(", cold")
            lines.append(f"| {name} | {' | '.join(cells)} | {_number(rows.get(f'{key}.peak'))} |")
    return "\n".join(lines)


def _targets(known: Known) -> list[str]:
    return [target for target in COMMANDS if target in known]


def _goals(known: Known) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for target in _targets(known):
        for row in known[target]["rows"]:
            if row["goal"] is not None:
                yield target, row


def _goal_line(row: Mapping[str, Any]) -> str:
    measured = f"{_shown(row['value'])} {row['unit']}".strip()
    return f"| {_cell(row['what'])}{_mark(row)} | {measured} | {_shown(row['goal'])} | {_judged(row)} |"


def _judged(row: Mapping[str, Any]) -> str:
    if row["ok"]:
        return "met"
    return "waived" if row.get("waived") else "missed"


def _mark(row: Mapping[str, Any]) -> str:
    return f" (`{row['id']}`)" if row.get("waived") else ""


def _shown(value: str | float | bool) -> str:  # noqa: FBT001 - a figure may be a yes or no
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _cell(text: str) -> str:
    return text.replace("|", "/")


def _text(path: str) -> str:
    file = Path(path)
    return file.read_text() if file.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
