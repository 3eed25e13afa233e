"""A deadline is a moment on this process's own clock."""

from __future__ import annotations

import time

from mono_pipeline.core.deadline import Deadline


def test_a_deadline_ahead_has_time_left_and_not_more_than_was_given() -> None:
    """`remaining` counts down from what was given."""
    deadline = Deadline.after(1_000)
    assert 900 < deadline.remaining() <= 1_000
    assert not deadline.expired


def test_a_deadline_behind_has_no_time_left_and_never_less() -> None:
    """`remaining` may be given to a socket, which takes no negative timeout."""
    for deadline in (Deadline.after(0), Deadline.after(-5), Deadline(at=time.monotonic() - 1)):
        assert deadline.remaining() == 0.0
        assert deadline.expired


def test_within_is_the_earlier_of_two_moments() -> None:
    """One exchange may be cut shorter than the invocation, never longer."""
    deadline = Deadline.after(1_000)
    assert deadline.within(10).remaining() <= 10
    assert deadline.within(5_000) == deadline
