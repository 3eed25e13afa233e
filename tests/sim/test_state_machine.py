"""Hundreds of sequences of what a bank, a cloud and an operator may do; every invariant is checked after each step.

`SIM_SEQUENCES` says how many in all, `SEED` from which seed; a failure prints the simplest sequence that was found and
the command that replays it.
"""

from __future__ import annotations

import pytest

from tests.samples import SIM_SEED, SIM_SEQUENCES
from tests.sim.shard import keep, run_sequences

pytestmark = pytest.mark.integration

SHARDS = 4


@pytest.mark.parametrize("shard", range(SHARDS))
def test_whatever_happens_the_tables_are_the_bank_or_say_that_they_are_not(shard: int) -> None:
    """Never `verified` while what is stored is not what the bank showed; when faults end, equal after a few ticks."""
    seed, sequences = SIM_SEED + shard, -(-SIM_SEQUENCES // SHARDS)
    try:
        done = run_sequences(seed, sequences)
    except BaseException as found:
        found.add_note(f"replay: .venv/bin/python -m tests.sim --seed {seed} --n {sequences} --workers 1")
        raise
    keep(done)
    assert done["whole"] >= sequences
    assert done["seen"]["flush committed"], "the check of each flush's fence saw none"
