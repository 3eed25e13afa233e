"""Suspicions of double ids: all pages of them, and decisions a part at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any, Final

from monoctl.errors import Unanswered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from monoctl.reach import AsksOps

    type Row = dict[str, Any]

LISTED_AT_ONCE: Final = 200
DECIDED_AT_ONCE: Final = 100


@dataclass(kw_only=True)
class Decided:
    """Suspicions by what became of them; `not_open` were decided before, or never were."""

    decided: list[int] = field(default_factory=list)
    not_open: list[int] = field(default_factory=list)


def all_suspicions(ops: AsksOps, *, account_id: str | None, decided: bool) -> Iterator[Row]:
    """Return suspicions in the order of their raising: open ones, or every one; of one account, or of all."""
    after = 0
    while True:
        answer = ops.ask("duplicates.list", account_id=account_id, decided=decided, after=after, limit=LISTED_AT_ONCE)
        yield from answer["suspicions"]
        if answer["next"] is None:
            return
        if answer["next"] <= after:
            raise Unanswered(f"the list of suspicions does not move on after {after}")
        after = answer["next"]


def decide(
    ops: AsksOps, ids: Sequence[int], *, same: bool, decided_by: str, watch: Callable[[Decided], None]
) -> Decided:
    """Decide each of `ids`; `watch` sees what is done so far. Whatever breaks in on it, what was decided stays so."""
    done = Decided()
    for part in batched(ids, DECIDED_AT_ONCE, strict=False):
        left = list(part)
        while left:
            answer = ops.ask("duplicates.decide", ids=left, same=same, decided_by=decided_by)
            if len(answer["left"]) >= len(left):
                raise Unanswered("the decisions do not move on")
            done.decided += answer["decided"]
            done.not_open += answer["not_open"]
            left = answer["left"]
            watch(done)
    return done
