"""Which part of the proof is drawn in an ordinary run of tests, and by which seeds; `make proof` plays all of it."""

from __future__ import annotations

import os
from typing import Final

CRASH_SEED: Final = int(os.environ.get("SEED", "20261124"))
CRASH_SAMPLE: Final = int(os.environ.get("CRASH_SAMPLE", "16"))  # points of each scenario
CRASH_EVERYWHERE: Final = bool(os.environ.get("CRASH_ALL"))
SIM_SEED: Final = int(os.environ.get("SEED", "1"))
SIM_SEQUENCES: Final = int(os.environ.get("SIM_SEQUENCES", "504"))


def told() -> str:
    """The samples in a line, so that whoever reads the end of a run can draw them again."""
    points = "every crash point" if CRASH_EVERYWHERE else f"{CRASH_SAMPLE} crash points a scenario by seed {CRASH_SEED}"
    return f"{points}; {SIM_SEQUENCES} sequences of the state machine from seed {SIM_SEED}"
