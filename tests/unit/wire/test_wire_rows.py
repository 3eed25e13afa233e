"""One row: what lands and in which form, what is rejected and why."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wire.wire_pages import ID, landed, only_rejection, page_of, page_of_text, parse, row, without

MAX_BIGINT = 2**63 - 1


def test_a_good_row_becomes_what_postgresql_reads() -> None:
    """Every column has its value, and nothing is left over."""
    assert landed(parse(page_of(row()))) == [
        {
            "id": ID,
            "amount": 5_959_043,
            "type": "debit",
            "currency": "NGN",
            "narration": "NIP/KUDA/TRANSFER 20",
            "category": None,
            "balance": 5_142_770,
            "date": "2025-06-18T07:02:34.588Z",
            "extra": None,
        }
    ]


@pytest.mark.parametrize("amount", [0, 1, 2**53 + 1, MAX_BIGINT])
def test_an_amount_is_any_count_of_minor_units_that_a_bigint_holds(amount: int) -> None:
    """Zero is one, and beyond 2^53 nothing is rounded."""
    assert landed(parse(page_of(row(amount=amount))))[0]["amount"] == amount


@pytest.mark.parametrize(
    "amount",
    [
        "-1",
        "-0.0",
        "1.0",
        "5959043.5",
        "1e3",
        "1e400",
        "NaN",
        "Infinity",
        "-Infinity",
        "9223372036854775808",
        "9" * 5_000,
        '"5959043"',
        '"1,000.00"',
        '"\N{ARABIC-INDIC DIGIT ONE}"',
        "true",
        "null",
        "[]",
        "{}",
        '{"a": 1, "a": 2}',
    ],
)
def test_an_amount_is_never_rounded_or_guessed(amount: str) -> None:
    """A fraction, a sign, an exponent, text, a truth value or nothing is no amount."""
    spelled = json.dumps(row(amount="AMOUNT")).replace('"AMOUNT"', amount)
    rejected = only_rejection(page_of_text(spelled))
    assert (rejected.reason, rejected.mono_transaction_id) == ("bad_amount", ID)


def test_a_row_without_an_amount_is_rejected() -> None:
    """It is not zero."""
    assert only_rejection(page_of(without("amount"))).reason == "bad_amount"


@pytest.mark.parametrize("mono_id", ["a", "x" * 64, "A_b-9", "686265C6FF3885E5E53AB124"])
def test_any_short_plain_word_is_an_id(mono_id: str) -> None:
    """Mono promises no form; letter case counts."""
    assert landed(parse(page_of(row(id=mono_id))))[0]["id"] == mono_id


@pytest.mark.parametrize(
    "mono_id", ["", "x" * 65, "x" * 10_000, "a b", "a\0", "a\n", "é", "e\u0301", 7, True, [], {"$oid": ID}]
)
def test_what_is_no_id_is_rejected_without_one(mono_id: Any) -> None:
    """Rows without a usable id are never one row."""
    rejected = only_rejection(page_of(row(id=mono_id)))
    assert (rejected.reason, rejected.mono_transaction_id) == ("bad_id", None)


@pytest.mark.parametrize("fields", [without("id"), row(id=None)])
def test_a_row_without_an_id_is_rejected(fields: dict[str, Any]) -> None:
    """Neither absent nor null is an id."""
    rejected = only_rejection(page_of(fields))
    assert (rejected.reason, rejected.mono_transaction_id) == ("missing_id", None)


def test_rows_without_ids_are_rejected_each_by_itself() -> None:
    """Two missing ids are not the same id."""
    page = parse(page_of(without("id"), without("id")))
    assert [rejected.reason for rejected in page.rejected] == ["missing_id", "missing_id"]


@pytest.mark.parametrize("direction", ["Debit", "CREDIT", "reversal", "", "debit ", None, 1])
def test_a_direction_is_debit_or_credit_and_nothing_like_it(direction: Any) -> None:
    """Direction is in `type` alone, so that it is not guessed."""
    assert only_rejection(page_of(row(type=direction))).reason == "bad_type"


@pytest.mark.parametrize(
    "written",
    [
        "2025-06-18T07:02:34.588Z",
        "2022-04-16T03:55:29Z",
        "2026-05-15T23:00:00.000Z",
        "2026-05-16T00:00:00+01:00",
        "2026-05-16T00:00:00.123456-0930",
        "2024-02-29T00:00:00Z",
        "1990-01-01T00:00:00+01:00",
        "2027-11-25T23:59:59+01:00",
    ],
)
def test_an_instant_stays_as_mono_wrote_it(written: str) -> None:
    """Its precision tells banks apart."""
    assert landed(parse(page_of(row(date=written))))[0]["date"] == written


def test_more_than_microseconds_is_cut_to_what_postgresql_can_hold() -> None:
    """PostgreSQL would round 23:59:59.9999999 into the next day."""
    written = landed(parse(page_of(row(date="2025-06-18T22:59:59.999999999Z"))))[0]["date"]
    assert written == "2025-06-18T22:59:59.999999Z"


@pytest.mark.parametrize(
    "written",
    [
        "2025-06-18T07:02:34.588",
        "2025-06-18",
        "2025-06-18 07:02:34Z",
        "2025-02-29T00:00:00Z",
        "2025-06-31T00:00:00Z",
        "2025-13-01T00:00:00Z",
        "2016-12-31T23:59:60Z",
        "2025-06-18T24:00:00Z",
        "2025-06-18T07:02Z",
        "2025-06-18T07:02:34z",
        "2025-06-18t07:02:34Z",
        "2025-06-18T07:02:34+15:00",
        "2025-06-18T07:02:34+0",
        "0000-01-01T00:00:00Z",
        "25-06-18T07:02:34Z",
        "\N{ARABIC-INDIC DIGIT TWO}025-06-18T07:02:34Z",
        "2025-06-18T07:02:34Z\n",
        "18-06-2025",
        "infinity",
        "",
        1750230154588,
        None,
        True,
    ],
)
def test_an_instant_without_one_meaning_is_rejected(written: Any) -> None:
    """No zone, no such day, no such second, another form: quarantine, not a guess."""
    assert only_rejection(page_of(row(date=written))).reason == "bad_date"


@pytest.mark.parametrize(
    "written",
    [
        "0001-01-01T00:00:00+14:00",
        "1970-01-01T00:00:00Z",
        "1989-12-31T23:59:59+01:00",
        "1990-01-01T00:00:00+01:01",
        "2027-11-25T23:00:00Z",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_an_instant_that_no_bank_means_is_rejected(written: str) -> None:
    """Before 1990, or more than 366 days after today in Lagos."""
    assert only_rejection(page_of(row(date=written))).reason == "implausible_date"


@pytest.mark.parametrize("fields", [without("currency"), row(currency=None)])
def test_a_row_may_lack_its_currency(fields: dict[str, Any]) -> None:
    """The account's stands in for it, later."""
    assert landed(parse(page_of(fields)))[0]["currency"] is None


@pytest.mark.parametrize("currency", ["ngn", "NG", "NGNX", "", "N\0N", "\N{LATIN CAPITAL LETTER ETH}GN", 566, []])
def test_a_currency_is_three_capital_letters(currency: Any) -> None:
    """Anything else is rejected."""
    assert only_rejection(page_of(row(currency=currency))).reason == "bad_currency"


@pytest.mark.parametrize(("balance", "kept"), [(0, 0), (-5_000, -5_000), (MAX_BIGINT, MAX_BIGINT), (None, None)])
def test_a_balance_may_be_negative_or_absent(balance: int | None, kept: int | None) -> None:
    """An overdraft is a balance."""
    assert landed(parse(page_of(row(balance=balance))))[0]["balance"] == kept


def test_a_row_may_lack_its_balance() -> None:
    """Some banks give none."""
    assert landed(parse(page_of(without("balance"))))[0]["balance"] is None


@pytest.mark.parametrize("balance", [1.5, "5142770", True, [], 2**63])
def test_a_balance_is_a_count_of_minor_units(balance: Any) -> None:
    """As strict as an amount."""
    assert only_rejection(page_of(row(balance=balance))).reason == "bad_balance"


@pytest.mark.parametrize("fields", [without("narration"), row(narration=None), row(narration="")])
def test_a_bank_line_without_words_lands_with_none(fields: dict[str, Any]) -> None:
    """The money is real all the same."""
    assert landed(parse(page_of(fields)))[0]["narration"] == ""


@pytest.mark.parametrize(
    "text",
    [
        "é\N{COMBINING ACUTE ACCENT}",
        "\N{PILE OF POO}",
        "\N{RIGHT-TO-LEFT OVERRIDE}abc",
        "line\r\nbreak\ttab",
        "\x1b[31mred\x7f",
        '{"_aws": {"CloudWatchMetrics": []}}',
        "=cmd()|' /C calc'!A0",
        "'; DROP TABLE bank_transactions; --",
        '"\\/\b\f',
        "\u2028\u2029\ufeff\uffff",
        "x" * 1_000_000,
    ],
)
def test_text_lands_as_it_came(text: str) -> None:
    """Whatever is in it, as long as PostgreSQL can hold it; also when Mono spells it in escapes or plainly."""
    for body in (page_of(row(narration=text, category=text)), _plainly(row(narration=text, category=text))):
        (kept,) = landed(parse(body))
        assert (kept["narration"], kept["category"]) == (text, text)


def _plainly(fields: dict[str, Any]) -> bytes:
    return page_of_text(json.dumps(fields, ensure_ascii=False))


@pytest.mark.parametrize("name", ["narration", "category"])
@pytest.mark.parametrize("text", ["a\\u0000b", "\\ud800", "\\udc00\\ud800", "\\uD83D"])
def test_text_that_postgresql_cannot_hold_is_rejected(name: str, text: str) -> None:
    """A NUL or half a surrogate pair would fail the whole flush."""
    spelled = json.dumps(row(**{name: "TEXT"})).replace("TEXT", text)
    rejected = only_rejection(page_of_text(spelled))
    assert rejected.reason == "bad_text"
    assert rejected.payload.isascii()


@pytest.mark.parametrize(("name", "reason"), [("narration", "bad_text"), ("category", "bad_category")])
@pytest.mark.parametrize("value", [1, True, [], {}, ["text"]])
def test_text_is_text(name: str, reason: str, value: Any) -> None:
    """Nothing is turned into a string."""
    assert only_rejection(page_of(row(**{name: value}))).reason == reason


@pytest.mark.parametrize("entry", [None, True, 7, 1.5, "row", [], [row()]])
def test_what_is_no_object_is_no_row(entry: Any) -> None:
    """It is rejected alone."""
    rejected = only_rejection(page_of(entry))
    assert (rejected.reason, json.loads(rejected.payload)) == ("not_an_object", entry)


def test_a_row_with_a_key_twice_is_rejected_with_both_values() -> None:
    """Which amount counts is anybody's guess; a JSON library would have kept the last in silence."""
    spelled = json.dumps(row()).replace('"type"', '"\\u0061mount": 1, "type"')
    rejected = only_rejection(page_of_text(spelled))
    assert (rejected.reason, rejected.mono_transaction_id) == ("duplicate_key", ID)
    pairs = json.loads(rejected.payload, object_pairs_hook=list)
    assert [value for key, value in pairs if key == "amount"] == [5_959_043, 1]


def test_a_row_with_two_ids_has_none() -> None:
    """Nobody knows which it is."""
    rejected = only_rejection(page_of_text(json.dumps(row()).replace('"type"', '"id": "another", "type"')))
    assert (rejected.reason, rejected.mono_transaction_id) == ("duplicate_key", None)


def test_unknown_fields_are_kept_with_their_numbers_as_they_were_spelled() -> None:
    """1.10 stays 1.10, and an integer of any size stays itself."""
    unknown = (
        '"metadata": {"rate": 1.10, "tiny": 1e-300, "big": 123456789012345678901234567890, "on": true, "no": null}'
    )
    page = parse(page_of_text(json.dumps(row())[:-1] + f', {unknown}, "extra": ["é"]}}'))
    assert page.rows_json.endswith(
        '"extra":{"metadata":{"rate":1.10,"tiny":1e-300,"big":123456789012345678901234567890,"on":true,"no":null}'
        ',"extra":["\\u00e9"]}}]'
    )


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("NaN", "not_a_number"),
        ("-Infinity", "not_a_number"),
        ("1e400", "number_too_large"),
        ("-1e400", "number_too_large"),
        ("1e-400", "number_too_large"),
        ("0e1000", "number_too_large"),
        ("0e-99999", "number_too_large"),
        ("1E+0001", "number_too_large"),
        ("1" * 310, "number_too_large"),
        ("0." + "1" * 1_000, "number_too_large"),
        ("9" * 5_000, "number_too_large"),
        ('"\\u0000"', "bad_text"),
        ('"\\ud800"', "bad_text"),
        ('{"\\u0000": 1}', "bad_text"),
        ('{"a": 1, "a": 1}', "duplicate_key"),
        ("[" * 64 + "]" * 64, "too_deep"),
        ('{"a":' * 64 + "1" + "}" * 64, "too_deep"),
    ],
)
@pytest.mark.parametrize("inside", ["{}", "[{}]", '{{"deep": {}}}'])
def test_an_unknown_field_that_cannot_be_kept_rejects_its_row(value: str, reason: str, inside: str) -> None:
    """It is never nulled, rounded or dropped."""
    spelled = json.dumps(row())[:-1] + f', "metadata": {inside.format(value)}}}'
    rejected = only_rejection(page_of_text(spelled))
    assert (rejected.reason, rejected.mono_transaction_id) == (reason, ID)
    json.loads(rejected.payload, parse_int=str)


def test_a_payload_says_where_it_was_too_deep() -> None:
    """Sixty-four levels are kept, so that reading it back is no danger either."""
    rejected = only_rejection(page_of_text("[" * 9_000 + "]" * 9_000))
    assert rejected.payload == "[" * 64 + '"(deeper than 64 levels)"' + "]" * 64


@pytest.mark.parametrize("value", ["0e999", "0e-999", "-0.0", "1e308", "1e-308", "9" * 308, "[" * 63 + "]" * 63])
def test_what_can_be_kept_is(value: str) -> None:
    """The limits are where PostgreSQL's are near, not closer."""
    page = parse(page_of_text(json.dumps(row())[:-1] + f', "metadata": {value}}}'))
    assert f'"extra":{{"metadata":{value}}}' in page.rows_json


def test_a_good_row_lands_beside_a_bad_one() -> None:
    """One bad row never costs its neighbours."""
    page = parse(page_of(row(id="good-1"), row(id="bad", amount=1.5), row(id="good-2")))
    assert [kept["id"] for kept in landed(page)] == ["good-1", "good-2"]
    assert [(bad.mono_transaction_id, bad.reason) for bad in page.rejected] == [("bad", "bad_amount")]
    assert (page.seen, page.row_count) == (3, 2)


def test_the_payload_of_a_rejected_row_is_the_row() -> None:
    """A person can see what Mono sent."""
    fields = row(amount=1.5, narration="₦ é")
    rejected = only_rejection(page_of(fields))
    assert json.loads(rejected.payload) == fields
    assert rejected.payload.isascii()


@pytest.mark.parametrize("filler", ["x", '"', "\\", "\N{PILE OF POO}", "\0"])
def test_a_payload_is_at_most_64_kib_of_ascii_json(filler: str) -> None:
    """A megabyte in quarantine helps nobody; what is cut says so."""
    rejected = only_rejection(page_of(row(amount=None, narration=filler * 500_000)))
    assert len(rejected.payload) <= 64 * 1024
    assert rejected.payload.isascii()
    assert json.loads(rejected.payload)["truncated"].startswith('{"id":')


def test_a_payload_that_fits_is_not_cut() -> None:
    """The limit counts what is written."""
    rejected = only_rejection(page_of(row(amount=None, narration="x" * 60_000)))
    assert json.loads(rejected.payload)["narration"] == "x" * 60_000


def test_neither_page_nor_rejection_shows_narrations_in_its_repr() -> None:
    """A log line or traceback with a page in it holds nobody's payments."""
    page = parse(page_of(row(narration="SALARY OF ADA"), row(id="bad", amount=None, narration="SALARY OF ADA")))
    assert "ADA" not in repr(page)


optional_text = st.one_of(st.none(), st.text(st.characters(codec="utf-8", exclude_characters="\0")))
plain_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**30), 10**30), optional_text),
    lambda part: st.one_of(st.lists(part, max_size=3), st.dictionaries(optional_text.map(str), part, max_size=3)),
    max_leaves=10,
)
good_rows = st.fixed_dictionaries(
    {
        "id": st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z"),
        "amount": st.integers(0, MAX_BIGINT),
        "type": st.sampled_from(["debit", "credit"]),
        "date": st.datetimes(datetime(1990, 1, 2), datetime(2027, 11, 25)).map(lambda at: f"{at.isoformat()}Z"),  # noqa: DTZ001 - bounds of a strategy
    },
    optional={
        "narration": optional_text,
        "category": optional_text,
        "currency": st.one_of(st.none(), st.from_regex(r"\A[A-Z]{3}\Z")),
        "balance": st.one_of(st.none(), st.integers(-MAX_BIGINT, MAX_BIGINT)),
        "metadata": plain_json,
        "status": plain_json,
    },
)


@given(st.lists(good_rows, max_size=5, unique_by=lambda fields: fields["id"]), st.booleans())
def test_every_good_row_lands_without_loss(rows: list[dict[str, Any]], ascii_only: bool) -> None:  # noqa: FBT001 - drawn, not called
    """What comes out is what came in, column by column, unknown fields included."""
    page = parse(page_of_text(*[json.dumps(fields, ensure_ascii=ascii_only) for fields in rows]))
    known = ("id", "amount", "type", "currency", "category", "balance", "date")
    assert landed(page) == [
        {
            **{name: fields.get(name) for name in known},
            "narration": fields.get("narration") or "",
            "extra": {key: value for key, value in fields.items() if key not in {*known, "narration"}} or None,
        }
        for fields in rows
    ]
    assert page.rejected == ()


@given(good_rows)
def test_an_instant_that_landed_is_within_the_plausible_years(fields: dict[str, Any]) -> None:
    """The watermark can never be dragged away by one row."""
    (kept,) = landed(parse(page_of(fields)))
    assert date(1990, 1, 1) <= datetime.fromisoformat(kept["date"]).date() <= date(2027, 11, 25)
