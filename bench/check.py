"""`make bench-check`: has the main job become slower, compared with the peer, than when the ratios were stored?

Runs `make bench` with five rounds and holds the medians of its ratios against `stored_ratios.json`: a ratio that is
more than a quarter below the stored one of the same shape fails. `--store` writes the ratios of the run that was just
made (`.local/bench.json`) instead, with its commit. Not for CI: what shares the machine changes the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench import run
from local.results import STATE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STORED: Final = Path(__file__).with_name("stored_ratios.json")
MEASURED: Final = STATE / "bench.json"
ROUNDS: Final = 5
LARGEST_DROP: Final = 0.25


@dataclass(frozen=True, kw_only=True)
class Ratios:
    """How many times as fast as a peer, by the id of the figure; only those of one shape can be compared."""

    commit: str | None
    shape: str
    values: Mapping[str, float]

    @classmethod
    def measured(cls, document: Mapping[str, Any], *, shape: str) -> Ratios:
        """Of a result file of `make bench`."""
        values = {row["id"]: float(row["value"]) for row in document["rows"] if ".times_" in row["id"]}
        return cls(commit=document["commit"], shape=shape, values=values)

    @classmethod
    def stored(cls, text: str) -> Ratios:
        """Read back what `text` wrote."""
        return cls(**json.loads(text))

    def text(self) -> str:
        """To be stored."""
        return json.dumps({"commit": self.commit, "shape": self.shape, "values": dict(self.values)}, indent=2) + "\n"


class NotComparable(Exception):
    """The stored ratios are of another shape, or nothing is stored; the message says what to do."""


def fallen(now: Ratios, before: Ratios) -> list[str]:
    """A sentence for each ratio that fell too far, or is not measured any more.

    Raises:
        NotComparable: the shapes differ, or there is nothing to compare with.
    """
    if now.shape != before.shape or not before.values:
        raise NotComparable(f"stored is {before.shape!r}, measured {now.shape!r}: store anew with --store")
    sentences = []
    for name, stored in before.values.items():
        found = now.values.get(name)
        if found is None:
            sentences.append(f"{name}: {stored:.2f} at {before.commit}, not measured now")
        elif found < stored * (1 - LARGEST_DROP):
            drop = 100 * (1 - found / stored)
            sentences.append(f"{name}: {found:.2f}, was {stored:.2f} at {before.commit} ({drop:.0f} % less)")
    return sentences


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and compare, or store; 0 when nothing fell."""
    parser = argparse.ArgumentParser(prog="make bench-check", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--store", action="store_true", help="store the ratios of the last `make bench`")
    asked = parser.parse_args(arguments)
    if not asked.store:
        run.main(["--runs", str(ROUNDS)])  # its goals are its own
    now = Ratios.measured(json.loads(MEASURED.read_text()), shape=str(run.FULL))
    if asked.store:
        STORED.write_text(now.text())
        print(f"{STORED.name}: {len(now.values)} ratios of {now.commit}")
        return 0
    worse = fallen(now, Ratios.stored(STORED.read_text()))
    print("\n".join(worse) or "no ratio fell by more than a quarter")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
