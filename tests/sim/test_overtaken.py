"""What happens between two statements of a worker's transaction is among what the simulation plays, and it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mono_pipeline.adapters.inbox_store import InboxStore
from tests.sim.machine import TALLY, PipelineMachine
from tests.sim.shard import ground

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

CALLS = 10  # more than a worker makes in the transaction of an event
THE_END_OF_THE_OLD, THE_BEGINNING_OF_THE_NEW = 0, 1


@pytest.fixture(scope="module", autouse=True)
def _ground() -> Iterator[None]:
    with ground() as made:
        PipelineMachine.ground = made
        yield


def everywhere() -> list[str]:
    """Let the two meet behind each call; how they met."""
    return [way for calls in range(CALLS) for way in life(calls)]


def life(calls: int) -> list[str]:
    """The end of an old link is served, and behind so many calls of that transaction the new link's beginning is."""
    state = PipelineMachine()
    before = TALLY.rules.copy()
    state.link(rows=6, days=3, others=0, reminting=False, loaded=True)
    state.relink(account=0, same_ids=True, ends_old=True, arrive=True)
    state.overtake(slow=THE_END_OF_THE_OLD, calls=calls, fast=THE_BEGINNING_OF_THE_NEW)
    state.holds()
    state.teardown()
    return [name for name in ("overtaken", "waited for") if TALLY.rules[name] > before[name]]


def test_the_end_of_an_old_link_and_the_beginning_of_its_successor_are_served_at_once_wherever_they_meet() -> None:
    """Both ways of meeting come up: the one is overtaken by the other, and the one waits for the other."""
    assert set(everywhere()) == {"overtaken", "waited for"}


def test_a_worker_that_does_not_look_again_which_link_it_holds_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The race that a demo met by chance: 'unlinked' was written on the account when it had its new link already."""
    monkeypatch.setattr(InboxStore, "hold_link", lambda *_: True)

    with pytest.raises(AssertionError, match=r"L1 .* is held for unlinked, and it is not"):
        everywhere()
