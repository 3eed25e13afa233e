"""How many pages a pass should have, from what a page really holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_pipeline.core.page_plan import expected_last_page, page_cap


@pytest.mark.parametrize(
    ("number", "rows", "total", "last"),
    [
        (1, 20, 278, 14),
        (1, 20, 280, 14),
        (1, 20, 281, 15),
        (1, 7, 100, 15),  # the server caps the limit
        (1, 5, 5, 1),
        (1, 0, 0, 1),
        (1, 0, 278, 1),  # an empty page says nothing of the others
        (9, 20, 100, 9),  # the total shrank under us
    ],
)
def test_the_last_page_is_expected_from_the_rows_of_a_page(number: int, rows: int, total: int, last: int) -> None:
    """The limit that was asked for plays no part."""
    assert expected_last_page(number=number, rows=rows, total=total) == last


@given(rows=st.integers(1, 200), total=st.integers(0, 100_000))
def test_the_expected_pages_hold_the_total_and_no_page_too_many(rows: int, total: int) -> None:
    """Read up to there, every row has come; without the last one, some have not."""
    last = expected_last_page(number=1, rows=rows, total=total)

    assert last * rows >= total
    assert last == 1 or (last - 1) * rows < total


@given(expected=st.integers(1, 100_000))
def test_the_cap_leaves_room_for_a_bank_that_adds_rows(expected: int) -> None:
    """As many pages again, and a few for short histories; but an end there is."""
    assert 2 * expected < page_cap(expected) <= 2 * expected + 10
