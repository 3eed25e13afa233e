"""How a link stands is judged over what was told of it as a set: no order, and no repetition, changes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.sandbox.sandbox import Sandbox
from mono_pipeline.core.link_state import LinkMarks, Mark, is_success, judge_link, mark_of, revives, wants_read
from mono_pipeline.core.run import LinkStatus
from mono_pipeline.core.webhook_event import WebhookEvent, WebhookKind
from tests.link_lives import LIVES
from tests.webhook_life import message

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

START = datetime(2026, 1, 27, 21, 0, tzinfo=UTC)
UNDATED = {WebhookKind.UNLINKED, WebhookKind.JOB_UPDATED, WebhookKind.REAUTHORISATION_REQUIRED}


def at(minute: int) -> datetime:
    """An instant, in minutes."""
    return START + timedelta(minutes=minute)


def event(kind: WebhookKind, minute: int | None = None, **told: object) -> WebhookEvent:
    """An event of a kind, dated unless its kind never is."""
    dated = None if minute is None or kind in UNDATED else at(minute).isoformat()
    return WebhookEvent(
        name=None, kind=kind, account_id="a" * 24, event_key=f"event:{kind}-{minute}", has_event_id=True,
        happened_at=dated, **told,  # type: ignore[arg-type]
    )  # fmt: skip


def marks(*told: tuple[Mark, int]) -> LinkMarks:
    """Marks at minutes."""
    noted = LinkMarks()
    for mark, minute in told:
        noted = noted.noting(mark, at(minute))
    return noted


TOLD = st.lists(st.tuples(st.sampled_from(Mark), st.integers(0, 8)), max_size=6)


@given(TOLD, st.randoms(use_true_random=False))
def test_no_order_and_no_repetition_matters(told: list[tuple[Mark, int]], order: Random) -> None:
    """Whatever was told, in whatever order and however often."""
    again = told * 2
    order.shuffle(again)

    assert judge_link(marks(*again)) == judge_link(marks(*told))


def test_all_orders_of_six_marks_agree() -> None:
    """One of each kind."""
    told = [(mark, minute) for minute, mark in enumerate(Mark)]
    assert len(told) == 6

    assert len({judge_link(marks(*order)) for order in permutations(told)}) == 1


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ([], LinkStatus.LINKED),
        ([(Mark.CONNECTED, 1), (Mark.DELIVERED, 2)], LinkStatus.LINKED),
        ([(Mark.REAUTH_REQUIRED, 1)], LinkStatus.REAUTH_REQUIRED),
        ([(Mark.REAUTH_REQUIRED, 1), (Mark.SUCCEEDED, 2)], LinkStatus.LINKED),
        ([(Mark.REAUTH_REQUIRED, 2), (Mark.SUCCEEDED, 1)], LinkStatus.REAUTH_REQUIRED),
        ([(Mark.REAUTH_REQUIRED, 2), (Mark.SUCCEEDED, 2)], LinkStatus.REAUTH_REQUIRED),  # in doubt, the worse
        ([(Mark.REAUTH_REQUIRED, 1), (Mark.SIGNED_IN, 2)], LinkStatus.REAUTH_REQUIRED),  # data have not followed
        ([(Mark.REAUTH_REQUIRED, 1), (Mark.SIGNED_IN, 2), (Mark.DELIVERED, 2)], LinkStatus.LINKED),
        ([(Mark.REAUTH_REQUIRED, 1), (Mark.DELIVERED, 2)], LinkStatus.REAUTH_REQUIRED),  # the first one, late
        ([(Mark.SIGNED_IN, 1), (Mark.REAUTH_REQUIRED, 2), (Mark.DELIVERED, 3)], LinkStatus.REAUTH_REQUIRED),
        # what followed signing in once more says nothing of the signing in before it
        (
            [(Mark.SIGNED_IN, 1), (Mark.DELIVERED, 2), (Mark.REAUTH_REQUIRED, 3), (Mark.SIGNED_IN, 4)],
            LinkStatus.REAUTH_REQUIRED,
        ),
        # signing in once more does not undo what signing in before had proven
        ([(Mark.REAUTH_REQUIRED, 1), (Mark.SIGNED_IN, 2), (Mark.DELIVERED, 3), (Mark.SIGNED_IN, 4)], LinkStatus.LINKED),
        ([(Mark.UNLINKED, 5), (Mark.SUCCEEDED, 9), (Mark.SIGNED_IN, 9), (Mark.DELIVERED, 9)], LinkStatus.UNLINKED),
        ([(Mark.CONNECTED, 5), (Mark.UNLINKED, 5)], LinkStatus.UNLINKED),
        ([(Mark.UNLINKED, 5), (Mark.CONNECTED, 6)], LinkStatus.LINKED),
        ([(Mark.UNLINKED, 5), (Mark.CONNECTED, 6), (Mark.REAUTH_REQUIRED, 7)], LinkStatus.REAUTH_REQUIRED),
    ],
)
def test_the_judgement(told: list[tuple[Mark, int]], status: LinkStatus) -> None:
    """Sticky until a later success; unlinked until a later link; the worse where instants do not tell."""
    assert judge_link(marks(*told)).status is status


@pytest.mark.parametrize(
    ("told", "mark", "reads"),
    [
        (event(WebhookKind.CONNECTED, 1), Mark.CONNECTED, True),
        (event(WebhookKind.CONNECTED), None, True),
        (event(WebhookKind.REAUTHORISED, 1), Mark.SIGNED_IN, True),
        (event(WebhookKind.UNLINKED), Mark.UNLINKED, False),
        (event(WebhookKind.JOB_UPDATED, job_status="FINISHED"), None, True),
        (event(WebhookKind.JOB_UPDATED, job_status="PROCESSING"), None, False),
        (event(WebhookKind.JOB_UPDATED, job_status="FAILED"), None, False),
        (event(WebhookKind.REAUTHORISATION_REQUIRED), Mark.REAUTH_REQUIRED, True),
        (event(WebhookKind.SYNC_FAILED), None, True),
        (event(WebhookKind.SYNCED), None, True),
        (event(WebhookKind.UNKNOWN), None, False),
        (event(WebhookKind.UPDATED, 1, retrieved_data=("balance", "transactions")), Mark.DELIVERED, True),
        (event(WebhookKind.UPDATED, 1, retrieved_data=("balance",)), None, False),
        (event(WebhookKind.UPDATED, 1, data_status="AVAILABLE"), Mark.DELIVERED, True),  # of 2024: not said
        (event(WebhookKind.UPDATED, 1, data_status="FAILED"), None, False),
        (event(WebhookKind.UPDATED, 1, sync_status="SUCCESSFUL"), Mark.SUCCEEDED, True),
        (event(WebhookKind.UPDATED, 1, sync_status="SUCCESS"), Mark.SUCCEEDED, True),
        (event(WebhookKind.UPDATED, 1, sync_status="FAILED"), None, True),
        (event(WebhookKind.UPDATED, 1, sync_status="UNKNOWN"), None, True),
        (event(WebhookKind.UPDATED, 1, sync_status="REAUTHORISATION_REQUIRED"), Mark.REAUTH_REQUIRED, True),
    ],
)
def test_what_an_event_says(told: WebhookEvent, mark: Mark | None, *, reads: bool) -> None:
    """By an allow-list: only what is known to be a success is one; what is cached is read whatever became of it."""
    assert (mark_of(told), wants_read(told)) == (mark, reads)
    assert is_success(told) == (mark is Mark.SUCCEEDED)


@pytest.mark.parametrize(
    ("told", "proven"),
    [
        ([], None),
        ([(Mark.SIGNED_IN, 1)], None),
        ([(Mark.DELIVERED, 2)], None),
        ([(Mark.SIGNED_IN, 1), (Mark.DELIVERED, 2)], 1),
        ([(Mark.SIGNED_IN, 2), (Mark.DELIVERED, 2)], 2),
        ([(Mark.CONNECTED, 1), (Mark.DELIVERED, 5)], 1),
        ([(Mark.CONNECTED, 1), (Mark.SIGNED_IN, 3), (Mark.DELIVERED, 5)], 3),
        ([(Mark.SIGNED_IN, 1), (Mark.DELIVERED, 2), (Mark.SIGNED_IN, 3)], 1),  # nothing has followed the second one
        ([(Mark.SIGNED_IN, 3), (Mark.DELIVERED, 2)], None),
        ([(Mark.SIGNED_IN, 1), (Mark.DELIVERED, 2), (Mark.SIGNED_IN, 3), (Mark.DELIVERED, 4)], 3),
        ([(Mark.SIGNED_IN, 1), (Mark.DELIVERED, 2), (Mark.SUCCEEDED, 9)], 9),
        ([(Mark.SUCCEEDED, 1), (Mark.SIGNED_IN, 3), (Mark.DELIVERED, 4)], 3),
        ([(Mark.SUCCEEDED, 1)], 1),
    ],
)
def test_a_link_is_proven_as_of_a_success_or_of_a_signing_in_that_data_followed(
    told: list[tuple[Mark, int]], proven: int | None
) -> None:
    """Not as of when they came, and not by a signing in that nothing has followed yet."""
    assert judge_link(marks(*told)).proven_at == (None if proven is None else at(proven))


def test_what_says_nothing_of_the_link_leaves_no_mark() -> None:
    """A job's end, for one."""
    assert marks().noting(None, at(1)) == marks()


def test_when_the_customer_was_last_wanted_is_kept_whatever_came_after() -> None:
    """The account's own instant of it rises with every such report."""
    told = marks((Mark.REAUTH_REQUIRED, 1), (Mark.REAUTH_REQUIRED, 3), (Mark.SUCCEEDED, 5))
    assert (judge_link(told).required_at, judge_link(told).proven_at) == (at(3), at(5))
    assert judge_link(marks()).required_at is None


def test_the_newest_mark_of_a_kind_may_be_asked_for_up_to_an_instant() -> None:
    """That instant included; without one, whenever."""
    told = marks((Mark.SIGNED_IN, 1), (Mark.SIGNED_IN, 3), (Mark.CONNECTED, 5))
    assert told.newest(Mark.SIGNED_IN) == at(3)
    assert told.newest(Mark.SIGNED_IN, until=at(3)) == at(3)
    assert told.newest(Mark.SIGNED_IN, until=at(2)) == at(1)
    assert told.newest(Mark.SIGNED_IN, until=at(0)) is None
    assert told.newest(Mark.SIGNED_IN, Mark.CONNECTED, until=at(9)) == at(5)


def test_only_a_later_link_may_revive() -> None:
    """Dated after the end; of one that never ended there is nothing to revive."""
    assert revives(marks((Mark.UNLINKED, 5)), at(6))
    assert not revives(marks((Mark.UNLINKED, 5)), at(5))
    assert not revives(marks((Mark.CONNECTED, 5)), at(6))


@pytest.mark.parametrize(("life", "status"), LIVES)
def test_W11_all_720_orders_of_six_events_are_judged_alike(  # noqa: N802 - the row's name
    life: Callable[[Sandbox], list[dict[str, Any]]], status: str
) -> None:
    """Dated and undated, as a sandbox sends them; undated ones count as of when they reach us."""
    events = [message(body).event for body in life(Sandbox(seed=life.__name__, now=START))]
    assert len(events) == 6
    present = max(event.account_id or "" for event in events)  # of two links, the younger
    received_at = START + timedelta(days=1)
    judged = set()
    for order in permutations(events):
        told = LinkMarks()
        for each in order:
            if each.account_id == present:
                dated = datetime.fromisoformat(each.happened_at) if each.happened_at else received_at
                told = told.noting(mark_of(each), dated)
        judged.add(judge_link(told))

    assert {state.status for state in judged} == {status}
    assert len(judged) == 1


@pytest.mark.parametrize(("life", "status"), LIVES)
def test_W11_all_720_orders_of_arrival_end_in_one_status(  # noqa: N802 - the row's name
    life: Callable[[Sandbox], list[dict[str, Any]]], status: str
) -> None:
    """Each event reaches us by itself, long after it happened: one without a date is then of another instant."""
    events = [message(body).event for body in life(Sandbox(seed=life.__name__, now=START))]
    present = max(event.account_id or "" for event in events)  # of two links, the younger
    ends = set()
    for order in permutations(events):
        told = LinkMarks()
        for minute, each in enumerate(order):
            if each.account_id == present:
                dated = datetime.fromisoformat(each.happened_at) if each.happened_at else None
                told = told.noting(mark_of(each), dated or START + timedelta(days=1, minutes=minute))
        ends.add(judge_link(told).status)

    assert ends == {status}
