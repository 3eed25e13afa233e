"""`Retry-After` in every form: what Mono asks for, and never more than a quarter of an hour."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_pipeline.core.retry_after import MAX_RETRY_AFTER, retry_after_seconds

ANSWERED = "Tue, 24 Nov 2026 09:00:00 GMT"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("+5", 5.0),
        ("900", 900.0),
        ("901", 900.0),
        ("1000000000", 900.0),
        ("9" * 5_000, 900.0),
        ("-1", 0.0),
        ("-" + "9" * 5_000, 0.0),
        ("Tue, 24 Nov 2026 09:00:30 GMT", 30.0),
        ("Tuesday, 24-Nov-26 09:01:00 GMT", 60.0),
        ("Tue Nov 24 09:02:00 2026", 120.0),
        ("Tue, 24 Nov 2026 08:00:00 GMT", 0.0),
        ("Tue, 24 Nov 2099 09:00:00 GMT", 900.0),
    ],
)
def test_seconds_and_dates_are_read_and_bounded(header: str, seconds: float) -> None:
    """RFC 9110 10.2.3: seconds, or a date in one of three forms; negative is now, huge is 15 minutes."""
    assert retry_after_seconds(header, answered_at=ANSWERED) == seconds


@pytest.mark.parametrize(
    "header", [None, "", " ", "soon", "1.5", "1e3", "12 seconds", "\N{ARABIC-INDIC DIGIT ONE}", "Tue, 99 Nov 2026"]
)
def test_what_cannot_be_read_is_no_wish(header: str | None) -> None:
    """The caller then waits as long as it thinks right."""
    assert retry_after_seconds(header, answered_at=ANSWERED) is None


@pytest.mark.parametrize("answered_at", [None, "", "yesterday"])
def test_a_date_counts_from_the_answers_own_date(answered_at: str | None) -> None:
    """Without one it says nothing: neither our clock nor a wrong one of Mono's is asked."""
    assert retry_after_seconds("Tue, 24 Nov 2026 09:00:30 GMT", answered_at=answered_at) is None


@given(st.one_of(st.none(), st.text(), st.integers().map(str)), st.one_of(st.none(), st.text(), st.just(ANSWERED)))
def test_no_header_breaks_it_or_leaves_the_bounds(header: str | None, answered_at: str | None) -> None:
    """Whatever a server sends is a wait between 0 and 900 seconds, or none."""
    seconds = retry_after_seconds(header, answered_at=answered_at)
    assert seconds is None or 0.0 <= seconds <= MAX_RETRY_AFTER
