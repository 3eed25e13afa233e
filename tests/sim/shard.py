"""Runs a number of sequences from one seed on a PostgreSQL of their own, and keeps what they did."""

from __future__ import annotations

import fcntl
import json
import time
import traceback
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from local.postgres import PostgresServer
from local.results import STATE, ResultRow, write_results
from tests.sim.machine import STEPS, TALLY, PipelineMachine
from tests.sim.world import FAST, Ground

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST: Final = 500  # sequences of all their steps
SHARDS: Final = STATE / "sim"


def run_sequences(number: int, sequences: int, *, shrink: bool = True) -> dict[str, Any]:
    """Run `sequences` sequences of 30 steps from seed `number`; raises the simplest failing one that was found."""
    machine = seed(number)(type(f"Machine{number}", (PipelineMachine,), {}))
    began = time.monotonic()
    for counter in (TALLY.rules, TALLY.seen, TALLY.verdicts):
        counter.clear()
    TALLY.sequences = TALLY.whole = TALLY.steps = 0
    with ground() as made:
        PipelineMachine.ground = made
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=sequences,
                stateful_step_count=STEPS,
                deadline=None,
                database=None,
                phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
                suppress_health_check=list(HealthCheck),
                verbosity=Verbosity.normal,
                print_blob=True,
            ),
            _min_steps=STEPS,  # else a third of what Hypothesis plays ends earlier: pieces of sequences before it
        )
    return {
        "seed": number,
        "sequences": TALLY.sequences,
        "whole": TALLY.whole,
        "steps": TALLY.steps,
        "seconds": round(time.monotonic() - began, 1),
        "rules": dict(TALLY.rules),
        "seen": dict(TALLY.seen),
        "verdicts": dict(TALLY.verdicts),
    }


def attempt(job: tuple[int, int, bool]) -> dict[str, Any] | str:
    """As `run_sequences` with (seed, sequences, as found); a failure comes back as text, with how to see it again."""
    number, sequences, as_found = job
    try:
        return run_sequences(number, sequences, shrink=not as_found)
    except BaseException:  # noqa: BLE001 - whatever it is, it is shown
        again = f".venv/bin/python -m tests.sim --seed {number} --n {sequences} --workers 1"
        return f"{traceback.format_exc()}\nSeed {number} fails. See it again: {again}\n"


def keep(shard: dict[str, Any]) -> None:
    """Write a shard's figures, and all that there are as `.local/sim.json`."""
    SHARDS.mkdir(parents=True, exist_ok=True)
    with (SHARDS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (SHARDS / f"{shard['seed']}.json").write_text(json.dumps(shard), encoding="utf-8")
        write_results("sim", result_rows([json.loads(path.read_text("utf-8")) for path in SHARDS.glob("*.json")]))


def forget() -> None:
    """Drop what earlier runs kept."""
    for path in SHARDS.glob("*.json"):
        path.unlink()


def result_rows(shards: list[dict[str, Any]]) -> list[ResultRow]:
    """The figures of several shards together."""
    rules = merged(shards, "rules")
    whole = sum(shard["whole"] for shard in shards)
    rows = [
        ResultRow(id="whole", what="sequences of 30 steps", value=whole, goal=LEAST, ok=whole >= LEAST),
        ResultRow(
            id="sequences", what="all sequences, shorter ones too", value=sum(shard["sequences"] for shard in shards)
        ),
        ResultRow(
            id="violations", what="invariants violated after a step or at an end", value=0, goal=0
        ),  # a violation raises, so that its shard is never kept
        ResultRow(id="steps", what="steps, each followed by every check", value=sum(each["steps"] for each in shards)),
        ResultRow(id="seconds", what="longest shard", value=max(shard["seconds"] for shard in shards), unit="s"),
        ResultRow(id="seeds", what="seeds", value=" ".join(str(each["seed"]) for each in shards)),
    ]
    rows += [ResultRow(id=f"rule {name}", what="times", value=times) for name, times in sorted(rules.items())]
    rows += [
        ResultRow(id=f"verdict {name}", what="runs", value=times)
        for name, times in sorted(merged(shards, "verdicts").items())
    ]
    rows += [
        ResultRow(id=name, what="times seen", value=times)
        for name, times in sorted(merged(shards, "seen").items())
        if name.startswith("end: ")
    ]
    return rows


def merged(shards: list[dict[str, Any]], name: str) -> Counter[str]:
    """One of the counters over all shards."""
    total: Counter[str] = Counter()
    for shard in shards:
        total.update(shard[name])
    return total


@contextmanager
def ground() -> Iterator[Ground]:
    """A PostgreSQL for sequences, one after the other."""
    with (
        TemporaryDirectory(prefix="mono-pipeline-sim-") as folder,
        PostgresServer.start(Path(folder) / "cluster", settings=FAST) as server,
        closing(Ground(server)) as made,
    ):
        yield made
