"""Whatever bytes arrive, they become values or a refusal; nothing else is ever raised."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire import (
    REFUSALS,
    RejectionReason,
    TransactionPage,
    parse_account,
    parse_account_list,
    parse_job,
    parse_reauthorisation,
)
from tests.unit.wire.wire_mutations import any_json, mutated_bodies
from tests.unit.wire.wire_pages import ACCOUNT, envelope, page_of_text, parse, row


def assert_is_whole(page: TransactionPage) -> None:
    """Every row of a page is accounted for, and what it hands on is sound."""
    rows = json.loads(page.rows_json)
    assert len(rows) == page.row_count == len({kept["id"] for kept in rows})
    assert page.seen == page.row_count + len(page.rejected)
    page.rows_json.encode()  # no half surrogate pair
    assert "\\u0000" not in page.rows_json.replace("\\\\", "")
    for rejected in page.rejected:
        assert rejected.reason in RejectionReason
        assert rejected.payload.isascii()
        assert len(rejected.payload) <= 64 * 1024
        json.loads(rejected.payload, parse_int=str, parse_constant=_refuse)


def _refuse(constant: str) -> Any:
    raise AssertionError(constant)


@given(st.one_of(mutated_bodies(), st.binary(max_size=200), any_json.map(lambda value: json.dumps(value).encode())))
@example(page_of_text("[" * 9_000 + "]" * 9_000))
@example(page_of_text('{"id":' * 4_000 + "1" + "}" * 4_000))
@example(page_of_text(json.dumps(row())[:-1] + ',"x":' + "[" * 9_000 + "]" * 9_000 + "}"))
def test_any_bytes_are_a_whole_page_or_a_refusal(body: bytes) -> None:
    """A hostile answer cannot crash a worker, nor slip a broken row into a flush."""
    try:
        page = parse(body)
    except MonoUnintelligible as refused:
        assert refused.reason in REFUSALS  # noqa: PT017 - most bodies are refused, and that is right
        return
    assert_is_whole(page)


@given(st.one_of(mutated_bodies(), any_json.map(lambda value: envelope(data=value))))
def test_any_bytes_are_an_account_a_list_a_job_a_link_or_a_refusal(body: bytes) -> None:
    """The smaller answers are no weaker."""
    for read in (
        lambda: parse_account(body, ACCOUNT),
        lambda: parse_account_list(body),
        lambda: parse_job(body, account_id=ACCOUNT, job_id="job"),
        lambda: parse_reauthorisation(body, ACCOUNT),
    ):
        try:
            read()
        except MonoUnintelligible as refused:
            assert refused.reason in REFUSALS  # noqa: PT017 - as above
