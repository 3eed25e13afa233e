"""The last bit of each rule of the wire: a page that lies exactly at an edge, and what one step beyond is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mono_pipeline.core.errors import MonoUnintelligible
from mono_pipeline.core.wire import (
    JobState,
    TransactionPage,
    parse_account_list,
    parse_job,
    parse_reauthorisation,
    realtime_job,
)
from mono_pipeline.core.wire.document import Number, find_flaw, spell
from mono_pipeline.core.wire.plain_page import MAX_ROWS, read_plain_page
from mono_pipeline.core.wire.quarantine import MAX_PAYLOAD, RejectionReason, reject
from mono_pipeline.core.wire.row_form import PlausibleDates
from tests.unit.wire.wire_pages import ACCOUNT, TODAY, envelope, landed, meta, page_of, parse, row, without

PLAUSIBLE = PlausibleDates.until(TODAY)


def compact(*rows: dict[str, Any]) -> bytes:
    """A page as Mono spells it: no white space, and `meta` right behind `data`."""
    document = json.loads(envelope(data=list(rows), meta=meta(total=len(rows), next=None)))
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "rows",
    [(row(),), (row(), row(id="other", narration="data [ ] meta é")), (row(balance=None),)],
)
def test_a_plain_page_lands_as_it_was_spelled(rows: tuple[dict[str, Any], ...]) -> None:
    """Not a byte of the rows is lost or added."""
    body = compact(*rows)
    plain = read_plain_page(body, PLAUSIBLE)

    assert plain is not None
    assert plain.rows_json == json.dumps(list(rows), separators=(",", ":"), ensure_ascii=False)
    assert plain.row_count == len(rows)
    assert [fields["id"] for fields in landed(parse(body))] == [fields["id"] for fields in rows]


def test_a_plain_page_with_its_meta_first_has_the_same_rows() -> None:
    """Then they are written again and not cut out."""
    document = json.loads(compact(row(), row(id="other")))
    turned = {key: document[key] for key in ("status", "message", "timestamp", "meta", "data")}
    plain = read_plain_page(json.dumps(turned, separators=(",", ":")).encode(), PLAUSIBLE)

    assert plain is not None
    assert json.loads(plain.rows_json) == document["data"]


@pytest.mark.parametrize(
    "dates", [("1889-01-01T00:00:00Z", "2025-01-01T00:00:00Z"), ("2025-01-01T00:00:00Z", "2999-01-01T00:00:00Z")]
)
def test_one_implausible_date_is_enough(dates: tuple[str, str]) -> None:
    """The earliest and the latest must both be plausible."""
    assert read_plain_page(compact(row(date=dates[0]), row(id="other", date=dates[1])), PLAUSIBLE) is None


def test_a_page_of_the_most_rows_is_a_page() -> None:
    """5,000 are read, whichever way; one more is refused (another test)."""
    rows = [
        {"id": f"{number:024x}", "amount": 1, "type": "credit", "date": "2025-06-18T07:02:34Z"}
        for number in range(MAX_ROWS)
    ]

    assert parse(page_of(*rows)).row_count == MAX_ROWS
    assert parse(page_of(*rows[:-1], {**rows[-1], "unknown": 1})).row_count == MAX_ROWS


def test_a_payload_of_exactly_the_limit_is_kept_whole() -> None:
    """One character more is cut so that its quotes may all need a backslash and it still fits."""
    frame = len(spell({"id": "x", "note": ""}))
    fits = {"id": "x", "note": "n" * (MAX_PAYLOAD - frame)}
    over = {"id": "x", "note": "n" * (MAX_PAYLOAD - frame + 1)}

    assert reject(fits, RejectionReason.BAD_AMOUNT).payload == spell(fits)
    cut = json.loads(reject(over, RejectionReason.BAD_AMOUNT).payload)
    assert cut == {"truncated": spell(over)[: MAX_PAYLOAD // 2 - 32]}


@pytest.mark.parametrize(
    ("text", "spelled"),
    [("1.50", "1.50"), ("-0", "-0"), ("1e5", "1e5"), ("NaN", '"NaN"'), ("Infinity", '"Infinity"')],
)
def test_a_number_is_spelled_as_it_came_and_what_is_none_as_text(text: str, spelled: str) -> None:
    """JSON has no NaN."""
    assert spell(Number(text)) == spelled


@pytest.mark.parametrize(
    ("text", "flawed"),
    [
        ("0." + "1" * 998, False),  # 1,000 characters
        ("0." + "1" * 999, True),
        ("0.000", False),
        ("-0.0e-5", False),
        ("1e-999", True),  # a number that a double makes zero
        ("1e999", True),
    ],
)
def test_a_number_that_can_be_kept_is(text: str, flawed: bool) -> None:  # noqa: FBT001 - drawn
    """To the last character, and zero however it is written."""
    assert (find_flaw(Number(text)) is not None) is flawed


def test_an_account_of_the_list_keeps_its_currency_and_its_bank() -> None:
    """They are what the import stores."""
    listed = {
        "id": ACCOUNT,
        "name": "Ada Obi",
        "account_number": "0131883461",
        "currency": "USD",
        "balance": 1,
        "type": "SAVINGS_ACCOUNT",
        "bvn": None,
        "institution": {"name": "Zenith Bank", "bank_code": "057", "type": "PERSONAL_BANKING"},
        "status": "AVAILABLE",
        "customer": {"id": "660e9c267474f97aba2aaaaa"},
    }
    facts = {"total": 1, "pages": 1, "previous": None, "next": None}
    (found,) = parse_account_list(
        json.dumps({"status": "successful", "message": "x", "data": [listed], "meta": facts}).encode()
    ).accounts

    assert (found.currency, found.institution, found.bank_code) == ("USD", "Zenith Bank", "057")


@pytest.mark.parametrize(
    "parse_one",
    [lambda body: parse_job(body, account_id=ACCOUNT, job_id="j"), lambda body: parse_reauthorisation(body, ACCOUNT)],
)
def test_a_payload_with_a_key_twice_is_refused_as_that(parse_one: Any) -> None:
    """Which of the two would count nobody knows."""
    with pytest.raises(MonoUnintelligible) as refused:
        parse_one(b'{"status": "successful", "data": {"id": "j", "id": "k", "status": "finished"}}')
    assert refused.value.reason == "duplicate_key"


def test_a_job_without_a_status_is_not_finished() -> None:
    """Nothing is assumed of it."""
    job = realtime_job({"x-job-id": "66f3d5c1a2b3c4d5e6f70819"})

    assert job is not None
    assert (job.state, job.has_new_data) == (JobState.UNKNOWN, False)


def test_the_path_of_a_link_ends_at_its_first_question_mark() -> None:
    """What a filter says names no account."""
    link = f"https://api.withmono.com/v2/accounts/{ACCOUNT}/transactions?a=/{'f' * 24}/?b=/{'e' * 24}/"

    assert parse(envelope(meta=meta(next=link))).has_next


@pytest.mark.parametrize("gap", [" ", "\t", "\n", "\r"])
@pytest.mark.parametrize("key", ["amount", "balance"])
def test_a_second_value_behind_a_spaced_colon_is_seen_by_that_space(key: str, gap: str) -> None:
    """Two good values of one key, one of them spelled so that counting colons would not find it."""
    once = compact(row())
    spaced = once.replace(f'"{key}":'.encode(), f'"{key}":1,"{key}"{gap}:'.encode())

    assert read_plain_page(once, PLAUSIBLE) is not None
    assert read_plain_page(spaced, PLAUSIBLE) is None
    assert parse(spaced).row_count == 0  # row by row both values are seen, and neither lands


@pytest.mark.parametrize("gap", ["\t", "\n", "\r"])
def test_white_space_elsewhere_leaves_a_page_plain(gap: str) -> None:
    """A page that is set out over lines is as good as one that is not."""
    assert read_plain_page(compact(row()).replace(b",", b"," + gap.encode()), PLAUSIBLE) is not None


@pytest.mark.parametrize("name", ["narration", "currency", "balance", "category"])
def test_a_row_may_lack_any_one_of_these_and_be_plain(name: str) -> None:
    """What is left out is not counted among the keys."""
    assert read_plain_page(compact(without(name)), PLAUSIBLE) is not None


def test_no_data_is_a_page_of_nothing_that_is_not_ready() -> None:
    """Every count is there, and none."""
    assert parse(envelope(data=None), page=3) == TransactionPage(
        number=3, rows_json="[]", row_count=0, seen=0, rejected=(), total=0, has_next=False, not_ready=True
    )
