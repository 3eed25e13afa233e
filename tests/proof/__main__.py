"""`make proof`: everything that proves the data, whole; what each part took, and the result as a page.

The parts that continuous integration samples run whole here. Each part writes its own output to `.local/proof/`; this
program prints one line a part, writes `.local/proof.json`, and ends with 1 when a part failed. What is known of each
part, with its commit and day, is kept in `docs/proof/last.json`, and `docs/proof/last.md` is made of it: `--only PART`
runs some of them again and replaces their lines alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from local.results import ROOT, STATE, ResultRow, passed, write_results

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PYTHON: Final = ".venv/bin/python"
LAST: Final = ROOT / "docs" / "proof" / "last.md"
RECORD: Final = LAST.with_suffix(".json")
LOGS: Final = STATE / "proof"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part: what it shows, how it is run, and which `figures` of its `.local/<name>.json` are its result.

    Without figures its last line is.
    """

    name: str
    shows: str
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    figures: tuple[str, ...] = ()


def _pytest(*words: str) -> tuple[str, ...]:
    return (PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", *words)


PARTS: Final = (
    Part(
        name="faults",
        shows="every fault row that applies ends as expected",
        argv=(PYTHON, "-m", "tests.faults"),
    ),
    Part(
        name="crash",
        shows="killed or cut off at every call of every scenario, the end is the same",
        argv=_pytest("tests/crash"),
        environment=(("CRASH_ALL", "1"),),
        figures=("scenarios", "points", "all points", "violations"),
    ),
    Part(
        name="sim",
        shows="the invariants hold after every step of random lives",
        argv=(PYTHON, "-m", "tests.sim", "--n", "2000"),
        figures=("whole", "steps", "violations"),
    ),
    Part(name="planted", shows="every planted bug is caught", argv=_pytest("tests/planted")),
    Part(
        name="mutation",
        shows="unit tests of the core notice what is changed",
        argv=(".local/mutmut/bin/python", "-m", "tests.mutation", "--report"),
        figures=("mutation.killed", "mutation.unexplained"),
    ),
    Part(
        name="evidence",
        shows="right where it says so, after the bank changed",
        argv=(PYTHON, "-m", "bench.evidence"),
        figures=("ours.in_the_end",),
    ),
    Part(
        name="cost",
        shows="what verification, history and length cost",
        argv=(PYTHON, "-m", "bench.cost"),
        figures=("load.with", "load.without", "load.cost", "cpu.cost", "memory.spread"),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a part ended; `said` is its result in a line."""

    part: Part
    code: int
    seconds: float
    said: str


def run(part: Part) -> Outcome:
    """Run a part to its end, its output in a file."""
    log = LOGS / f"{part.name}.log"
    results = STATE / f"{part.name}.json"
    results.unlink(missing_ok=True)  # what is there afterwards is of this run
    began = time.monotonic()
    with log.open("w") as out:
        ended = subprocess.run(  # noqa: S603 - ours
            part.argv,
            cwd=ROOT,
            env={**os.environ, **dict(part.environment)},
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    said = told_by(part, results) or last_line(log.read_text(errors="replace"))
    return Outcome(part=part, code=ended.returncode, seconds=time.monotonic() - began, said=said)


def told_by(part: Part, results: Path) -> str:
    """The part's figures as its results file has them; empty where it has none."""
    if not part.figures or not results.exists():
        return ""
    rows = {row["id"]: row for row in json.loads(results.read_text())["rows"]}
    found = [rows[name] for name in part.figures if name in rows]
    return "; ".join(f"{row['what']}: {row['value']}{f' {row["unit"]}' if row['unit'] else ''}" for row in found)


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip(" =") for line in text.splitlines() if line.strip(" =")]
    return lines[-1] if lines else ""


def main() -> int:
    """Run the parts one after the other."""
    parser = argparse.ArgumentParser(prog="make proof", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", choices=[part.name for part in PARTS], default=[])
    asked = parser.parse_args()
    LOGS.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for part in PARTS:
        if asked.only and part.name not in asked.only:
            continue
        commit = _commit()  # that of the code which runs, whatever is committed meanwhile
        outcomes.append(run(part))
        _say(_line(outcomes[-1]))
        record = recorded(RECORD, outcomes[-1], commit=commit, day=f"{datetime.now(UTC):%Y-%m-%d}")
        LAST.write_text(page(record))
    rows = [
        ResultRow(id=f"proof.{end.part.name}", what=end.part.shows, value=end.code, goal=0, ok=end.code == 0)
        for end in outcomes
    ]
    write_results("proof", rows)
    _say(f"{'everything holds' if passed(rows) else 'NOT everything holds'}; {sum(e.seconds for e in outcomes):.0f} s")
    return 0 if passed(rows) else 1


def recorded(file: Path, end: Outcome, *, commit: str, day: str) -> dict[str, dict[str, Any]]:
    """What is known of every part by its name, this outcome in the place of the one before it; `file` is rewritten."""
    record: dict[str, dict[str, Any]] = json.loads(file.read_text()) if file.exists() else {}
    record[end.part.name] = {
        "holds": end.code == 0,
        "seconds": round(end.seconds),
        "said": end.said,
        "commit": commit,
        "day": day,
    }
    file.write_text(json.dumps(record, indent=2) + "\n")
    return record


def page(record: Mapping[str, Mapping[str, Any]]) -> str:
    """The last whole result of each part, for the repository."""
    head = [
        "# The last whole proof",
        "",
        "`make proof`: every part as it was last run whole. [What each part claims](../proof.md).",
        "",
        "| part | shows | result | day | commit | seconds | what came of it |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = [
        f"| {part.name} | {part.shows} | {'holds' if known['holds'] else 'FAILS'} | {known['day']}"
        f" | {known['commit']} | {known['seconds']} | {known['said'].replace('|', '/')} |"
        for part in PARTS
        if (known := record.get(part.name))
    ]
    return "\n".join([*head, *rows]) + "\n"


def _line(end: Outcome) -> str:
    return f"{end.part.name:9} {'holds' if end.code == 0 else 'FAILS':5} {end.seconds:6.0f} s  {end.said}"


def _commit() -> str:
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],  # noqa: S607 - git from PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
