"""What is refused is refused in words that name the field or setting and what it must be."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import pytest

from mono_pipeline.core.booking import DateWindow, booking_date
from mono_pipeline.core.completeness import COMPLETE, judge_unclear_total
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.core.errors import ConfigurationError, InvalidInput
from mono_pipeline.core.identity import parse_account_id, parse_job_id
from mono_pipeline.core.mono_address import MONO_BASE_URL, mono_address
from mono_pipeline.core.retry_after import retry_after_seconds

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("refuse", "words"),
    [
        (lambda: parse_account_id("x"), "account_id: must be 24 lower-case hexadecimal digits"),
        (lambda: parse_job_id("/"), "job_id: must be 1 to 64 letters, digits, '_' or '-'"),
        (lambda: DateWindow(start=date(2026, 2, 2), end=date(2026, 2, 1)), "start: is later than end"),
    ],
)
def test_a_bad_value_is_refused_with_its_field_and_form(refuse: Callable[[], object], words: str) -> None:
    """Whoever sent it can put it right."""
    with pytest.raises(InvalidInput) as refused:
        refuse()
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("url", "environment", "problem"),
    [
        ("https://mono.example", "prod", f"must be {MONO_BASE_URL} unless ENVIRONMENT=local"),
        ("https://mono.example", "local", f"must be {MONO_BASE_URL}, or scheme, loopback host and port alone"),
        ("http:", "local", f"must be {MONO_BASE_URL}, or scheme, loopback host and port alone"),
        ("http://127.0.0.1:99999", "local", "is no URL"),
        ("http://127.0.0.1:0", "local", "is no URL"),
    ],
)
def test_an_address_that_may_not_have_the_key_is_refused_by_its_setting(
    url: str, environment: str, problem: str
) -> None:
    """An operator reads which setting, and what it may be."""
    with pytest.raises(ConfigurationError) as refused:
        mono_address(url, environment=environment)
    assert str(refused.value) == str(ConfigurationError("MONO_BASE_URL", problem))


def test_an_instant_without_a_zone_is_no_instant() -> None:
    """It would silently mean the machine's own zone."""
    with pytest.raises(ValueError, match=r"^an instant needs its zone$"):
        booking_date(datetime(2026, 6, 1))  # noqa: DTZ001 - what is refused


def test_one_row_outside_the_window_is_enough_to_know_what_totals_count() -> None:
    """Both totals are the same although a row is known to lie outside."""
    assert judge_unclear_total(windowed_total=9, unfiltered_total=9, rows_outside=1) == COMPLETE


def test_a_deadline_moves_by_what_it_is_given() -> None:
    """`later` adds grace, `within` takes the nearer of two."""
    deadline = Deadline(at=1_000.0)

    assert deadline.later(5.0).at == 1_005.0
    far = Deadline.after(1_000.0)
    assert far.within(10.0).at < far.at
    assert far.within(10_000.0).at == far.at


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Tue, 24 Nov 2026 10:00:30 +0100", 30.0),  # with a zone, which counts
        ("Tue, 24 Nov 2026 09:00:30 -0000", 30.0),  # without one it is UTC
        ("000060", 60.0),
        ("0000060", 900.0),  # seven digits are more than anybody means
    ],
)
def test_a_time_to_wait_is_read_with_its_zone_and_its_digits(header: str, seconds: float) -> None:
    """RFC 9110 10.2.3; a zone of its own is not overwritten."""
    assert retry_after_seconds(header, answered_at="Tue, 24 Nov 2026 09:00:00 GMT") == seconds
