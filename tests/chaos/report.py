"""What a soak did, what is wrong at its end, and both as figures with their goals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from local.results import ResultRow
from tests.chaos.plan import Act

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.chaos.reckoning import Difference

# What ten minutes must have had, or more; a shorter soak its share.
LONG_SECONDS: Final = 600.0
LONG_SYNCS: Final = 5_000
LONG_RESTARTS: Final = 100
LONG_KILLS: Final = 100


@dataclass(kw_only=True)
class Report:
    """`differing` rows, and what else is `wrong`: invariants, verdicts and versions; `seconds` are those of harm."""

    seed: int
    seconds: float
    accounts: int
    workers: int
    took: float = 0.0
    done: Counter[Act] = field(default_factory=Counter)
    syncs: int = 0
    taken_over: int = 0
    leases_lost: int = 0
    looks: int = 0
    versions: int = 0
    rows: int = 0
    removed: int = 0
    dead_letters: int = 0
    verified: int = 0
    differing: list[Difference] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def note(self, found: Iterable[str]) -> None:
        """Keep what is wrong, once."""
        self.wrong += [problem for problem in found if problem not in self.wrong]

    def figures(self, *, syncs: int | None = None) -> list[ResultRow]:
        """Every figure, and its goal where it has one; `syncs` is the goal where a share of the long one's is not."""
        share = min(1.0, self.seconds / LONG_SECONDS)
        return [
            _figure("seed", "seed", self.seed),
            _figure("seconds", "harm", self.seconds, unit="s"),
            _figure("took", "with the time to come to rest", round(self.took), unit="s"),
            _figure("accounts", "accounts", self.accounts),
            _figure("workers", "workers", self.workers),
            _least("restarts", "crashes of PostgreSQL", self.done[Act.RESTART], LONG_RESTARTS * share),
            _least("kills", "workers killed", self.done[Act.KILL], LONG_KILLS * share),
            _least("freezes", "workers frozen for longer than a lease", self.done[Act.FREEZE], 1),
            _figure("changes", "changes at the bank", self.done[Act.CHANGE]),
            _figure("wakes", "wake-ups from outside, eight accounts each", self.done[Act.WAKE]),
            _least("syncs", "syncs completed", self.syncs, LONG_SYNCS * share if syncs is None else syncs),
            _least("taken_over", "interrupted syncs that another worker took up", self.taken_over, 1),
            _figure("leases_lost", "workers that came back to a lost lease", self.leases_lost),
            _figure("versions", "versions of rows, each held to what the bank showed", self.versions),
            _figure("rows", "rows at the bank", self.rows),
            _figure("removed", "rows that the bank took back", self.removed),
            _figure("dead_letters", "dead letters", self.dead_letters),
            _least("looks", "looks at all invariants", self.looks, 1),
            _exactly("verified", "accounts whose last sync is verified", self.verified, self.accounts),
            _exactly("differing", "rows that are not the bank's", len(self.differing), 0),
            _exactly("wrong", "invariants broken, mismatches, versions out of order", len(self.wrong), 0),
        ]


def _figure(name: str, what: str, value: float, *, unit: str = "") -> ResultRow:
    return ResultRow(id=f"chaos.{name}", what=what, value=value, unit=unit)


def _least(name: str, what: str, value: int, least: float) -> ResultRow:
    goal = int(least)
    return ResultRow(id=f"chaos.{name}", what=what, value=value, goal=f">= {goal}", ok=value >= goal)


def _exactly(name: str, what: str, value: int, goal: int) -> ResultRow:
    return ResultRow(id=f"chaos.{name}", what=what, value=value, goal=goal, ok=value == goal)
