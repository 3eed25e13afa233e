"""What is kept of what was told of a link."""

from __future__ import annotations

from datetime import UTC, datetime

from mono_pipeline.core.link_state import LinkMarks, Mark, judge_link

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_an_event_that_says_nothing_of_its_link_leaves_no_mark() -> None:
    """What was told before stands as it is."""
    told = LinkMarks().noting(Mark.UNLINKED, NOON)

    assert told.noting(None, NOON) == told
    assert LinkMarks().noting(None, NOON).told == frozenset()


def test_the_judgement_says_since_when_the_customer_is_wanted() -> None:
    """The instant is stored, and compared with what comes later."""
    assert judge_link(LinkMarks().noting(Mark.REAUTH_REQUIRED, NOON)).required_at == NOON
    assert judge_link(LinkMarks()).required_at is None
