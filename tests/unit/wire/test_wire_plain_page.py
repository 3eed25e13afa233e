"""Reading a page whole and reading it row by row are one reading."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire.plain_page import read_plain_page
from mono_pipeline.core.wire.row_by_row import read_row_by_row
from mono_pipeline.core.wire.row_form import PlausibleDates
from tests.unit.wire.wire_mutations import mutated_bodies
from tests.unit.wire.wire_pages import (
    ACCOUNT,
    TODAY,
    as_postgresql_reads,
    envelope,
    meta,
    page_of,
    page_of_text,
    parse,
    row,
    without,
)

PLAUSIBLE = PlausibleDates.until(TODAY)


def is_plain(body: bytes) -> bool:
    """Whether the page is read whole."""
    return read_plain_page(body, PLAUSIBLE) is not None


def outcome(read: Any) -> Any:
    """Everything that a reading says, or why it was refused."""
    try:
        page = read()
    except MonoUnintelligible as refused:
        return refused.reason
    rows = [as_postgresql_reads(row) for row in json.loads(page.rows_json)]
    return (rows, page.number, page.row_count, page.seen, page.rejected, page.total, page.has_next, page.not_ready)


def careful_outcome(body: bytes) -> Any:
    """What the careful reading says."""
    return outcome(lambda: read_row_by_row(body, PLAUSIBLE, account_id=ACCOUNT, page=1))


@given(mutated_bodies())
@example(envelope())
@example(page_of(row(), row(id="other", narration=None, balance=None, currency=None)))
@example(page_of(row(date="2025-06-18T07:02:34.123456789Z")))
@example(envelope(meta=meta(page="1")))
@example(page_of_text(json.dumps(row()).replace('"amount"', '"amount": 1, "amount" ')))
def test_both_readings_of_any_bytes_are_the_same(body: bytes) -> None:
    """The fast way decides nothing that the careful way would decide otherwise."""
    assert outcome(lambda: parse(body)) == careful_outcome(body)


@pytest.mark.parametrize(
    "body",
    [
        envelope(),
        page_of(),
        page_of(row(), row(id="other", narration="", category="bank_charges", balance=-1)),
        page_of(without("balance")),
        page_of_text(json.dumps(row(narration="é, \U0001f4b8 and 'quotes': none of it unusual"), ensure_ascii=False)),
    ],
)
def test_a_page_as_mono_documents_it_is_read_whole(body: bytes) -> None:
    """The fast way is the usual way; else it would be no use."""
    assert is_plain(body)


@pytest.mark.parametrize("gap", [" ", "\t", "\n", "\r", "\r\n "])
@pytest.mark.parametrize("key", ["id", "amount", "balance", "date"])
def test_a_key_twice_is_never_plain_however_its_colons_are_spaced(key: str, gap: str) -> None:
    """Python keeps the last of the two, so that an amount could be chosen by whoever writes last."""
    text = json.dumps(row())
    twice = text.replace(f'"{key}":', f'"{key}": null, "{key}"{gap}:').replace('"type":', f'"type"{gap}:')
    assert not is_plain(page_of_text(twice))


@pytest.mark.parametrize(
    "body",
    [
        page_of(row(metadata={})),
        page_of(row(amount=-1)),
        page_of(row(), row()),
        page_of(row(date="2025-02-30T00:00:00Z")),
        page_of(row(date="1889-01-01T00:00:00Z")),
        page_of(row(date="2025-06-18T07:02:34.123456789Z")),
        page_of_text(json.dumps(row(amount=7)).replace(": 7", ": 7.0")),
        page_of_text(json.dumps(row(balance=7)).replace(": 7", ": NaN")),
        page_of_text(json.dumps(row(narration="?")).replace("?", "\\u0000")),
        page_of_text(json.dumps(row(narration="?")).replace("?", "\\ud800")),
        envelope(data=None),
        envelope(status="failed"),
        envelope(message=None),
        envelope(meta=meta(pages=14)),
        envelope(more={}),
        b"[]",
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_is_unusual_in_any_way_is_left_to_the_careful_reading(body: bytes) -> None:
    """It alone says what is rejected and what is refused."""
    assert not is_plain(body)


@given(st.text(st.characters()))
def test_text_lands_the_same_whichever_way_it_is_read(text: str) -> None:
    """Escapes, quotes and letters of any script."""
    body = page_of(row(narration=text))
    assert outcome(lambda: parse(body)) == careful_outcome(body)
