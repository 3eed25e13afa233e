"""`make mutation`: change the pure core in one place at a time, and see whether its unit tests notice.

Whole by default; `--sample N --seed S` takes N mutants by a seed that is printed, for continuous integration. Exit code
1 when fewer than 90 in a hundred are killed, when a module of the core has no unit test among those that are chosen, or
(of a whole run) when one survives that `survivors.toml` has no reason for. `--report` writes `docs/proof/mutation.md`.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from local.results import STATE, ResultRow, passed, write_results
from tests.mutation.workshop import ROOT, Mutant, Workshop, score

if TYPE_CHECKING:
    from collections.abc import Sequence

GOAL: Final = 90.0  # per cent
DEFAULT_SEED: Final = "mono-pipeline"
REASONS: Final = Path(__file__).with_name("survivors.toml")
REPORT: Final = ROOT / "docs" / "proof" / "mutation.md"


def main() -> int:
    """Make, try, print, and write `.local/mutation.json`."""
    asked = _parser().parse_args()
    began = time.monotonic()
    workshop = Workshop(STATE / ("mutation-sample" if asked.sample else "mutation"))
    mutants = workshop.make()
    unreached = workshop.unreached(mutants)
    if asked.sample:
        chosen = random.Random(asked.seed).sample(sorted(mutants, key=lambda mutant: mutant.name), asked.sample)  # noqa: S311 - a repeatable choice
        _say(f"{asked.sample} of {len(mutants)} mutants by seed {asked.seed!r}")
        workshop.try_out([mutant.name for mutant in chosen], children=asked.children)
        names = {mutant.name for mutant in chosen}
        tried = [mutant for mutant in workshop.mutants() if mutant.name in names]
    else:
        _say(f"all {len(mutants)} mutants")
        workshop.try_out([], children=asked.children)
        tried = workshop.mutants()
    survivors = [mutant for mutant in tried if not mutant.is_killed]
    changes = {mutant.name: workshop.change(mutant) for mutant in survivors}
    for mutant in survivors:
        _say(f"survives: {mutant.module}.{mutant.function} ({mutant.fate})\n{changes[mutant.name]}")
    rows = result_rows(tried, unreached=unreached, unexplained=unexplained(survivors), whole=not asked.sample)
    path = write_results("mutation", rows)
    if asked.report:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(report(tried, changes, seconds=time.monotonic() - began))
        _say(f"written: {REPORT.relative_to(ROOT)}")
    for row in rows[1:3]:
        _say(f"{row.value} {row.what}")
    _say(f"{rows[0].value} % of {len(tried)} killed, {time.monotonic() - began:.0f} s; {path.relative_to(ROOT)}")
    return 0 if passed(rows) else 1


def unexplained(survivors: Sequence[Mutant]) -> list[str]:
    """The functions in which a mutant survives for no reason that is written down."""
    reasons = tomllib.loads(REASONS.read_text())
    return sorted({key for mutant in survivors if (key := f"{mutant.module}.{mutant.function}") not in reasons})


def result_rows(
    tried: Sequence[Mutant], *, unreached: Sequence[str], unexplained: Sequence[str], whole: bool
) -> list[ResultRow]:
    """The share of all, what there must be none of, and the share of each module."""
    killed = sum(mutant.is_killed for mutant in tried)
    share = round(100 * killed / len(tried), 1)
    return [
        ResultRow(
            id="mutation.killed",
            what="mutants killed, of all tried",
            value=share,
            unit="%",
            goal=GOAL,
            ok=share >= GOAL,
        ),
        _none_of("mutation.unreached", "modules without a unit test", unreached, counts=True),
        _none_of("mutation.unexplained", "functions with a survivor without a reason", unexplained, counts=whole),
        *(
            ResultRow(id=f"mutation.{module}", what=f"killed of {counts.total()}", value=counts[True])
            for module, counts in sorted(score(tried).items())
        ),
    ]


def _none_of(row_id: str, what: str, found: Sequence[str], *, counts: bool) -> ResultRow:
    named = f"{what}: {' '.join(found)}" if found else what
    return ResultRow(id=row_id, what=named, value=len(found), goal=0 if counts else None, ok=not found)


def report(tried: Sequence[Mutant], changes: dict[str, str], *, seconds: float) -> str:
    """The page of a whole run: the score of each module, and each survivor with the reason why it may live."""
    killed = sum(mutant.is_killed for mutant in tried)
    lines = [
        "# Mutation testing of the pure core",
        "",
        "Each mutant changes one place of one function of `mono_pipeline.core`: a comparison, a number, an argument,",
        "a word. It is killed when a unit test fails. This page is written by `make mutation`.",
        "",
        f"Last whole run: {datetime.now(UTC):%Y-%m-%d}, {len(tried):,} mutants, {seconds / 60:.0f} minutes:",
        f"**{100 * killed / len(tried):.1f} % killed** (goal: {GOAL:.0f} %).",
        "",
        "mutmut does not change what is decorated (properties, class methods) nor tables at the top of a module, such",
        "as that of `classify`; those have tests that go through them line by line.",
        "",
        "| module | mutants | killed |",
        "|---|---|---|",
        *(f"| {name} | {counts.total()} | {counts[True]} |" for name, counts in sorted(score(tried).items())),
        "",
        "## Survivors",
        "",
    ]
    reasons = tomllib.loads(REASONS.read_text())
    for mutant in sorted((mutant for mutant in tried if not mutant.is_killed), key=lambda mutant: mutant.name):
        key = f"{mutant.module}.{mutant.function}"
        lines += [f"* `{key}`: {reasons.get(key, 'no reason: a test is missing')}", "", "  ```diff"]
        lines += [f"  {line}" for line in changes[mutant.name].splitlines()] + ["  ```"]
    return "\n".join(lines) + "\n"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make mutation", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sample", type=int, default=0, help="try only so many, chosen by the seed")
    parser.add_argument("--seed", default=DEFAULT_SEED)
    parser.add_argument("--children", type=int, default=2, help="mutants that are tried at once (2)")
    parser.add_argument("--report", action="store_true", help="write docs/proof/mutation.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
