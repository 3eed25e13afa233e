"""A page: its paging facts, the same id twice, and what makes it unusable as a whole."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import pytest

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire import REFUSALS
from tests.unit.wire.wire_pages import (
    ACCOUNT,
    ID,
    OTHER_ACCOUNT,
    envelope,
    landed,
    meta,
    page_of,
    page_of_text,
    parse,
    row,
)

LINK = "https://api.withmono.com/v2/accounts/{}/transactions?page=2"


def refusal_of(body: bytes, *, page: int = 1) -> str:
    """The reason for which the page is refused whole."""
    with pytest.raises(MonoUnintelligible) as refused:
        parse(body, page=page)
    assert refused.value.reason in REFUSALS
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    return refused.value.reason


def test_a_page_says_how_many_rows_there_are_and_whether_more_come() -> None:
    """`total` is Mono's word; the link itself is never handed on."""
    page = parse(envelope())
    assert (page.number, page.total, page.has_next, page.not_ready) == (1, 278, True, False)
    assert "withmono" not in repr(page)


@pytest.mark.parametrize("link", [None, ""])
def test_a_page_without_a_next_is_the_last(link: str | None) -> None:
    """An empty link is none."""
    assert not parse(envelope(meta=meta(next=link))).has_next


def test_links_may_be_absent() -> None:
    """Then there is no next page."""
    assert not parse(envelope(meta={"total": 1})).has_next


def test_an_empty_page_is_a_page() -> None:
    """Whether it means "no transactions" or "not yet" is decided with the account's status."""
    page = parse(envelope(data=[], meta=meta(total=0, next=None)))
    assert (page.seen, page.row_count, page.rows_json, page.not_ready) == (0, 0, "[]", False)


@pytest.mark.parametrize("facts", [meta(), None, {}])
def test_no_data_is_not_an_empty_page(facts: Any) -> None:
    """`data: null` means that Mono has not got it yet (Mono contract 2.6)."""
    page = parse(envelope(data=None, meta=facts))
    assert (page.not_ready, page.seen, page.has_next) == (True, 0, False)


@pytest.mark.parametrize("status", ["successful", "Successful", "SUCCESSFUL"])
def test_success_counts_in_any_letter_case(status: str) -> None:
    """Mono's statuses change their case (Mono contract 7.12)."""
    assert parse(envelope(status=status)).row_count == 1


def test_equal_rows_with_one_id_land_once() -> None:
    """Their fields may come in another order; the others are rejected, so that every row seen is accounted for."""
    turned = dict(reversed(row().items()))
    page = parse(page_of(row(), row(id="other"), turned, row()))
    assert [kept["id"] for kept in landed(page)] == [ID, "other"]
    assert [(bad.mono_transaction_id, bad.reason) for bad in page.rejected] == [(ID, "duplicate_id")] * 2


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_contradicting_rows_with_one_id_do_not_land(order: tuple[int, ...]) -> None:
    """Nobody knows which is right, in whatever order they come."""
    rows = [row(amount=1), row(amount=2), row(id="other")]
    page = parse(page_of(*[rows[place] for place in order]))
    assert [kept["id"] for kept in landed(page)] == ["other"]
    assert {(bad.mono_transaction_id, bad.reason) for bad in page.rejected} == {(ID, "duplicate_id")}
    assert sorted(json.loads(bad.payload)["amount"] for bad in page.rejected) == [1, 2]


@pytest.mark.parametrize("bad", [row(amount=1.5), row(date="soon"), row(metadata=[[]] * 1 + ["\0"])])
def test_a_good_row_does_not_land_beside_a_bad_one_with_its_id(bad: dict[str, Any]) -> None:
    """They contradict each other too; the bad one keeps its own reason."""
    page = parse(page_of(bad, row()))
    assert page.row_count == 0
    assert {rejected.reason.value for rejected in page.rejected} > {"duplicate_id"}


def test_ids_that_differ_in_letter_case_are_two() -> None:
    """Ids compare byte by byte."""
    assert parse(page_of(row(id="abc"), row(id="ABC"))).row_count == 2


def test_every_row_is_good_or_rejected() -> None:
    """The counts add up on a page with everything on it."""
    page = parse(page_of(row(), row(), row(id="a"), row(id="a", amount=9), row(id=None), 7, row(id="b")))
    assert page.seen == page.row_count + len(page.rejected) == 7


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"<!doctype html><title>502</title>",
        b"successful",
        envelope()[:-1],
        envelope()[: len(envelope()) // 2],
        envelope() + b"}",
        b"\xef\xbb\xbf" + envelope(),
        envelope().decode().encode("utf-16"),
        envelope(message="\N{LATIN SMALL LETTER E WITH ACUTE}").replace(b"\\u00e9", b"\xe9"),
        envelope(message="x").replace(b'"x"', b'"\xed\xa0\x80"'),
        envelope(message="x").replace(b'"x"', b'"a\nb"'),
        envelope(message="x").replace(b'"x"', b"NaN"),
        envelope(message="x").replace(b'"x"', b"9" * 5_000),
        envelope(message="x").replace(b'"x"', b"1e400"),
        envelope(message="x").replace(b'"x"', b"'x'"),
        envelope(message="x").replace(b'"x"', b"01"),
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        envelope(data="DEEP").replace(b'"DEEP"', b"[" * 100_000 + b"]" * 100_000),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_not_json_is_refused_whole(body: bytes) -> None:
    """Truncated, HTML, empty, a BOM, not UTF-8, numbers that are none, or nesting without end."""
    assert refusal_of(body) == "not_json"


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"true",
        b"7",
        b'"successful"',
        b"[]",
        b"{}",
        b'{"data": []}',
        b'{"status": "successful"}',
        envelope(status=None),
        envelope(status=200),
        envelope(data={}),
        envelope(data="rows"),
        envelope(data=0),
        envelope(data={"paging": {"total": 1}, "transactions": [row()]}),
    ],
)
def test_what_is_no_envelope_around_a_list_is_refused_whole(body: bytes) -> None:
    """An empty list is never read into an answer that has none."""
    assert refusal_of(body) == "not_an_envelope"


@pytest.mark.parametrize("status", ["failed", "processing", "", "unsuccessful", "successful "])
def test_another_status_around_rows_is_refused_whole(status: str) -> None:
    """HTTP 200 alone is no success."""
    assert refusal_of(envelope(status=status)) == "not_successful"


@pytest.mark.parametrize(
    "facts",
    [
        None,
        [],
        "meta",
        {},
        meta(total=None),
        meta(total="278"),
        meta(total=-1),
        meta(total=2.0),
        meta(total=True),
        meta(total=2**63),
        meta(page=2),
        meta(page=0),
        meta(page="2"),
        meta(page="one"),
        meta(page=True),
        meta(page=1.0),
        meta(next=2),
        meta(next={"page": 2}),
        meta(previous=False),
    ],
)
def test_paging_facts_that_are_missing_or_wrong_refuse_the_page(facts: Any) -> None:
    """Completeness is judged by them; another page than the asked one would be counted twice and one be missed."""
    assert refusal_of(envelope(meta=facts)) == "bad_meta"


@pytest.mark.parametrize("number", [3, "3", None])
def test_the_page_that_was_asked_for_is_taken(number: int | str | None) -> None:
    """Also when the server echoes the number as text, or says nothing of it."""
    assert parse(envelope(meta=meta(page=number)), page=3).number == 3


@pytest.mark.parametrize("name", ["next", "previous"])
@pytest.mark.parametrize(
    "link",
    [
        LINK.format(OTHER_ACCOUNT),
        LINK.format(OTHER_ACCOUNT.upper()),
        f"https://api.withmono.com/v2/{OTHER_ACCOUNT}/transactions?page=2",
        f"/v2/accounts/{OTHER_ACCOUNT}/transactions",
        f"https://evil.example/{OTHER_ACCOUNT}",
        f"https://api.withmono.com/v2/accounts/{ACCOUNT}/x/{OTHER_ACCOUNT}/transactions",
    ],
)
def test_a_page_whose_links_name_another_account_is_refused_whole(name: str, link: str) -> None:
    """Somebody else's payments are not written, not even to quarantine."""
    assert refusal_of(envelope(meta=meta(**{name: link}))) == "wrong_account"


@pytest.mark.parametrize(
    "link",
    [
        LINK.format(ACCOUNT),
        LINK.format(ACCOUNT.upper()),
        f"https://api.withmono.com/v2/{ACCOUNT}/transactions?page=2",
        "?page=2",
        "https://api.withmono.com/v2/accounts/transactions?page=2",
        f"https://api.withmono.com/v2/accounts/{ACCOUNT}/transactions?page=2&cursor=/{OTHER_ACCOUNT}/",
        "https://evil.example/?page=2",
        "http://[::1",
        "http://169.254.169.254/latest/meta-data",
        "//evil",
        "file:///proc/self/environ",
        "javascript:alert(1)",
    ],
)
def test_a_link_that_names_no_other_account_is_only_a_sign_that_more_comes(link: str) -> None:
    """It is never followed, so that where it points does not matter."""
    assert parse(envelope(meta=meta(next=link))).has_next


def test_a_payload_that_names_another_account_is_refused_as_that() -> None:
    """The reason is an alarm of its own."""
    assert refusal_of(envelope(data={"account": {"id": OTHER_ACCOUNT}})) == "wrong_account"
    assert refusal_of(envelope(data={"account": {"id": ACCOUNT}})) == "not_an_envelope"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"status":', b'"status": "failed", "status":'),
        (b'"data":', b'"data": [], "data":'),
        (b'"meta":', b'"meta": {}, "meta":'),
        (b'"total":', b'"total": 1, "total":'),
        (b'"message":', b'"message": "", "message":'),
    ],
)
def test_a_key_twice_outside_the_rows_refuses_the_page(old: bytes, new: bytes) -> None:
    """It is not one row that cannot be trusted."""
    assert refusal_of(envelope().replace(old, new, 1)) == "duplicate_key"


def test_a_payload_with_a_key_twice_refuses_the_page() -> None:
    """The same for a payload that is an object."""
    assert refusal_of(envelope(data="DATA").replace(b'"DATA"', b'{"a": 1, "a": 1}')) == "duplicate_key"


def test_more_rows_than_we_ever_ask_for_refuse_the_page() -> None:
    """5,000 are taken, one more is not."""
    rows = [json.dumps(row(id=str(number))) for number in range(5_000)]
    assert parse(page_of_text(*rows)).row_count == 5_000
    assert refusal_of(page_of_text(*rows, json.dumps(row(id="5001")))) == "too_many_rows"


@pytest.mark.parametrize("entry", ["{}", "7", "[[[[[[[]]]]]]]"])
def test_a_million_values_are_refused_before_they_become_objects(entry: str) -> None:
    """Eight megabytes of brackets would be hundreds as Python lists."""
    entries = ",".join([entry] * (1_000_000 // max(entry.count("["), 1)))
    assert refusal_of(page_of_text(entries)) == "too_large"


def test_a_refusal_says_nothing_of_the_answer() -> None:
    """Its text is a word of the closed list, whatever the answer held."""
    with pytest.raises(MonoUnintelligible) as refused:
        parse(envelope(status="SALARY OF ADA"))
    assert str(refused.value) == "unusable answer from Mono: not_successful"
