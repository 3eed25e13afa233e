"""Where a page ends and an excess begins, to the value; and a plain page is read whole, never row by row."""

from __future__ import annotations

import pytest

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire import row_by_row
from mono_pipeline.core.wire.document import MAX_VALUES, read_document, refuse_excess
from mono_pipeline.core.wire.plain_page import read_plain_page
from mono_pipeline.core.wire.row_form import PlausibleDates
from tests.unit.wire.wire_pages import TODAY, envelope, page_of, parse, row

NUMBERS = "7"
OBJECTS = "{}"
LISTS = "[]"


def list_of(value: str, count: int) -> bytes:
    """A list of `count` values."""
    return f"[{','.join([value] * count)}]".encode()


@pytest.mark.parametrize(
    ("value", "most"),
    [(NUMBERS, MAX_VALUES), (OBJECTS, MAX_VALUES // 2), (LISTS, MAX_VALUES // 2)],
    ids=["numbers", "objects", "lists"],
)
def test_250_000_values_are_read_and_one_more_is_not(value: str, most: int) -> None:
    """An empty object or list in a list counts twice: as a value of it, and as one that could hold some."""
    assert read_document(list_of(value, most))

    with pytest.raises(MonoUnintelligible, match="too_large"):
        refuse_excess(list_of(value, most + 1))


@pytest.mark.parametrize("mark", [",", "[", "{"])
def test_a_long_body_is_not_an_excess_for_its_length(mark: str) -> None:
    """What counts is values: 250,000 marks are none too many, in whatever length."""
    refuse_excess(mark.encode() * MAX_VALUES)
    refuse_excess(mark.encode() * MAX_VALUES + b" " * MAX_VALUES)

    with pytest.raises(MonoUnintelligible, match="too_large"):
        refuse_excess(mark.encode() * (MAX_VALUES + 1))


def test_a_plain_page_is_not_read_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be the same page at many times the price."""

    def read(*_: object, **__: object) -> None:
        pytest.fail("read row by row")

    monkeypatch.setattr(row_by_row, "read_row_by_row", read)

    assert parse(envelope()).row_count


def test_a_quotation_mark_in_a_narration_leaves_its_page_plain() -> None:
    """Only escapes of code points need a second look."""
    plausible = PlausibleDates.until(TODAY)

    assert read_plain_page(page_of(row(narration='PAID "IN FULL"')), plausible) is not None
    assert read_plain_page(page_of(row(narration="NUL \0")), plausible) is None
