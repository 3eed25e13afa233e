"""Rows that cannot be trusted, and rows that only look odd: one bad row never takes its page along."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from copy import replace
from typing import TYPE_CHECKING, Any

import pytest
from aws_lambda_powertools import Logger

from local.sandbox.effects import Body, Meta, Rows
from local.sandbox.faults import Fault
from mono_pipeline.adapters import telemetry
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VERIFIED, VerdictReason, unverifiable
from tests.faults.recovery import counts, recover, sound, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

ROWS = 90
_GOOD: dict[str, Any] = {
    "id": "fault0000000000000000001",
    "narration": "x",
    "amount": 1,
    "type": "debit",
    "category": None,
    "currency": "NGN",
    "balance": None,
    "date": "2026-01-05T10:00:00.000Z",
}


def row(**fields: str) -> str:
    """A row as JSON text; each field is raw JSON text and may be what no encoder writes."""
    texts = {name: json.dumps(value) for name, value in _GOOD.items()} | fields
    return "{" + ",".join(f'"{name}":{text}' for name, text in texts.items()) + "}"


def among_good_ones(pipeline: Pipeline, bad: list[str]) -> tuple[str, list[dict[str, Any]], str]:
    """Sync an account whose second page has these rows in the place of good ones.

    Asserts that every other row has landed, that the run is complete but cannot verify, and that after the bank is
    well the good rows have closed what stood open. Returns the account, what was quarantined and how it ended.
    """
    account = pipeline.link(transactions=ROWS)
    hidden = set(pipeline.page_ids(account, 2)[: len(bad)])
    replaced = Rows(replaced=dict(enumerate(bad)))
    pipeline.sandbox.inject(Fault(effect=replaced, path="*/transactions", page=2, times=None))
    end = pipeline.sync(account)
    quarantined = pipeline.rows("SELECT reason, payload, mono_transaction_id FROM quarantined_transactions ORDER BY id")
    stored, truth = pipeline.stored(account), pipeline.truth(account)

    assert (end.status, end.verdict) == (RunStatus.COMPLETED, unverifiable(VerdictReason.QUARANTINED))
    assert stored == {key: kept for key, kept in truth.items() if key not in hidden}
    assert pipeline.run_row(end)["rows_quarantined"] == len(bad)
    sound(pipeline)
    return account, quarantined, told(end)


def mended(pipeline: Pipeline, account: str) -> int:
    """The rows in the end; what was quarantined under an id that the bank has never had stays open, and says so."""
    pipeline.sandbox.clear_faults()
    end = pipeline.sync(account, kind=RunKind.FULL)
    assert end.status is RunStatus.COMPLETED
    assert pipeline.stored(account) == pipeline.truth(account)
    sound(pipeline)
    return len(pipeline.stored(account))


@pytest.mark.parametrize(
    ("what", "bad"),
    [
        ("a NUL", [row(narration='"a\\u0000b"')]),
        ("a lone surrogate", [row(narration='"a\\ud800b"')]),
        ("a NUL in an unknown field", [row(note='{"deep":["\\u0000"]}')]),
    ],
)
def test_P15_text_postgresql_cannot_store(
    pipeline: Pipeline, seen: Callable[[str], None], what: str, bad: list[str]
) -> None:
    """Such a row would take the whole flush with it."""
    account, quarantined, ended = among_good_ones(pipeline, bad)
    rows = mended(pipeline, account)

    assert [each["reason"] for each in quarantined] == ["bad_text"]
    seen(f"{what}: bad_text, {ROWS - 1} others landed, {ended}; then {rows}")


def test_P16_numbers_beyond_bigint(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """In the amount, in the balance, and in a field nobody knows."""
    bad = [
        row(id='"f1"', amount=str(2**63)),
        row(id='"f2"', amount="1" + "0" * 40),
        row(id='"f3"', balance=str(2**63)),
        row(id='"f4"', note="1e400"),
    ]
    account, quarantined, ended = among_good_ones(pipeline, bad)
    rows = mended(pipeline, account)

    reasons = [each["reason"] for each in quarantined]
    assert sorted(reasons) == ["bad_amount", "bad_amount", "bad_balance", "number_too_large"]
    assert any("1" + "0" * 40 in each["payload"] for each in quarantined)
    seen(f"{len(reasons)} quarantined ({', '.join(sorted(set(reasons)))}), {ended}; then {rows}")


@pytest.mark.parametrize("contradicting", [False, True])
def test_P17_one_id_twice_in_a_page(pipeline: Pipeline, seen: Callable[[str], None], *, contradicting: bool) -> None:
    """An upsert that names a row twice would fail (21000): one of equal rows lands, of contradicting ones neither."""
    account = pipeline.link(transactions=ROWS)
    first = _first_of_page_2(pipeline, account)
    again = {**first, "amount": first["amount"] + 1} if contradicting else first
    pipeline.sandbox.inject(Fault(effect=Rows(appended=[json.dumps(again)]), path="*/transactions", page=2, times=None))
    end = pipeline.sync(account)
    stored = pipeline.stored(account)
    noted = counts(pipeline)["quarantined"]
    sound(pipeline)
    pipeline.sandbox.clear_faults()
    recovered = recover(pipeline, account)

    assert (first["id"] in stored) is not contradicting
    assert end.verdict != VERIFIED
    assert noted == 2 if contradicting else noted == 1
    kind = "contradicting" if contradicting else "equal"
    seen(f"{kind}: {len(stored)} of {ROWS} stored, {noted} noted, {told(end)}; then {recovered.rows}")


AMOUNTS = {
    "NaN": "NaN", "Infinity": "Infinity", "1e400": "1e400", "1.5": "1.5", "100.0": "100.0", "1e2": "1e2",
    "a string": '"100"', "true": "true", "Arabic digits": '"\u0661\u0662"', "negative": "-5", "1,000.00": '"1,000.00"',
    "null": "null", "a list": "[1]",
}  # fmt: skip


def test_H11_amounts_that_are_none(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Each is kept as it was spelled; none is rounded, converted or taken for nothing. Zero is an amount."""
    bad = [row(id=f'"f{place}"', amount=text) for place, text in enumerate(AMOUNTS.values())]
    account, quarantined, ended = among_good_ones(pipeline, bad)
    pipeline.sandbox.add(account, rows=[{"amount": 0, "type": "credit"}])
    rows = mended(pipeline, account)

    assert {each["reason"] for each in quarantined} == {"bad_amount"}
    assert len(quarantined) == len(AMOUNTS)
    seen(f"{len(quarantined)} forms quarantined, {ended}; zero lands; {rows} rows")


def test_H12_a_key_twice_in_a_row(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Which amount counts is anybody's guess."""
    twice = row()[:-1] + ',"amount":999}'
    account, quarantined, ended = among_good_ones(pipeline, [twice])
    rows = mended(pipeline, account)

    assert [each["reason"] for each in quarantined] == ["duplicate_key"]
    assert "999" in quarantined[0]["payload"]
    seen(f"in a row: duplicate_key, both values kept, {ended}; then {rows}")


def test_H12_a_key_twice_in_the_envelope(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """The page is refused whole, once: asking again would not help."""
    account = pipeline.link(transactions=ROWS)
    text = '{"status":"successful","message":"","data":[],"meta":{"total":0,"total":1,"page":1,"next":null}}'
    pipeline.sandbox.clear_requests()
    pipeline.sandbox.inject(Fault(effect=Body(text=text), path="*/transactions", page=1, times=None))
    end = pipeline.sync(account)
    attempts = len(pipeline.page_requests(account))
    recovered = recover(pipeline, account)

    assert (end.error_code, attempts) == ("mono_unintelligible", 1)
    seen(f"in the envelope: {told(end)} after {attempts} attempt, then {recovered.rows}")


def test_H13_ids_that_are_none(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Without an id of its own no row can be stored twice or looked for."""
    without = {name: json.dumps(value) for name, value in _GOOD.items() if name != "id"}
    bad = [
        "{" + ",".join(f'"{name}":{text}' for name, text in without.items()) + "}",
        *[
            row(id=text)
            for text in ("null", '""', "17", "[]", '"' + "a" * 10_240 + '"', '"a\\u0000b"', '"a b"', '"\u00e9"')
        ],
    ]
    account, quarantined, ended = among_good_ones(pipeline, bad)
    rows = mended(pipeline, account)

    assert {each["reason"] for each in quarantined} == {"missing_id", "bad_id"}
    assert {each["mono_transaction_id"] for each in quarantined} == {None}
    seen(f"{len(quarantined)} forms quarantined, {ended}; then {rows}")


def test_H13_ids_compare_byte_by_byte(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """`aB` and `Ab` are two transactions."""
    account = pipeline.link(transactions=3)
    odd = [row(id='"aB"', amount="7"), row(id='"Ab"', amount="8")]
    pipeline.sandbox.inject(
        Fault(effect=Rows(appended=odd), path="*/transactions", times=None),
        Fault(effect=Meta(meta={"total": 5}), path="*/transactions", times=None),
    )
    end = pipeline.sync(account)
    stored = pipeline.stored(account)
    sound(pipeline)

    assert (stored["aB"][0], stored["Ab"][0], len(stored)) == (7, 8, 5)
    seen(f"aB and Ab: 2 rows, {told(end)}")


DATES = {
    "missing": "null", "no date": '"soon"', "1970": '"1970-01-01T00:00:00Z"', "far ahead": '"2036-01-01T00:00:00Z"',
    "no zone": '"2026-01-05T10:00:00"', "29 Feb 2026": '"2026-02-29T10:00:00Z"', "second 60": '"2016-12-31T23:59:60Z"',
    "a number": "1767607200", "year 10000": '"10000-01-01T00:00:00Z"', "hour 24": '"2026-01-05T24:00:00.5Z"',
    "day first": '"05/01/2026"', "zone +25": '"2026-01-05T10:00:00+25:00"',
}  # fmt: skip


def test_H14_dates_that_are_none(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Where the day is anybody's guess, the row waits in quarantine; the watermark does not follow a date ahead."""
    bad = [row(id=f'"f{place}"', date=text) for place, text in enumerate(DATES.values())]
    account, quarantined, ended = among_good_ones(pipeline, bad)
    mark, today = pipeline.watermark(account), pipeline.today()
    rows = mended(pipeline, account)

    assert {each["reason"] for each in quarantined} == {"bad_date", "implausible_date"}
    assert len(quarantined) == len(DATES)
    assert mark is not None
    assert mark <= today
    seen(f"{len(quarantined)} forms quarantined, {ended}; watermark <= today; then {rows}")


def test_H14_dates_that_are_good(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """29 February, the hours around midnight in Lagos, a DST gap of elsewhere, and a value date ahead."""
    account = pipeline.link(transactions=5)
    ahead = f"{pipeline.today().year + 1}-01-02T09:00:00Z"
    good = [
        "2024-02-29T10:00:00Z", "2024-02-28T23:00:00.000Z", "2025-12-31T22:59:59.999Z", "2025-12-31T23:00:00Z",
        "2026-03-08T02:30:00-05:00", "2026-11-01T01:30:00-04:00", ahead,
    ]  # fmt: skip
    pipeline.sandbox.add(account, rows=[{"amount": 5, "type": "credit", "date": date} for date in good])
    end = pipeline.sync(account)
    recovered = recover(pipeline, account)
    days = {str(each[-1]) for each in pipeline.stored(account).values()}

    assert {"2024-02-29", "2025-12-31", "2026-01-01", "2026-03-08", "2026-11-01"} <= days
    mark = pipeline.watermark(account)
    assert mark is not None
    assert mark <= pipeline.today()
    seen(f"{len(good)} odd ones land on their Lagos days: {told(end)}, {recovered.rows} rows, watermark {mark}")


NARRATIONS = [
    "🧾💸 👩🏽\u200d💻", "\u202eevil\u202c عربى", "Zo\u0308e\u0301", "line\r\nbreak\ttab", "\x1b[31mred\x1b[0m\x07",
    '{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"TaxPoynt","Metrics":[{"Name":"forged"}]}]},"forged":1}',
    "=cmd|' /C calc'!A0", "'; DROP TABLE bank_transactions; --", "${jndi:ldap://x}{{7*7}}%s%n:name", "\\u0000 \\",
    "x" * 1_048_576,
    "\ufeffBOM\u2028\u2029\x85\x7f", '"},{"id":"forged"',
]  # fmt: skip


def test_H30_text_that_is_an_attack(
    pipeline: Pipeline, seen: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stored as it came; what is logged and measured meanwhile is one JSON object a line, and none of it is forged."""
    account = pipeline.link(transactions=5)
    made = pipeline.sandbox.add(
        account, rows=[{"amount": 5, "type": "credit", "narration": text} for text in NARRATIONS]
    )
    said = io.StringIO()
    monkeypatch.setattr(telemetry, "logger", Logger(service="faults", stream=said))
    with redirect_stdout(said):
        end = pipeline.sync(account, worker=replace(pipeline.worker, observer=telemetry.Telemetry()))
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    recovered = recover(pipeline, account)
    kept = {key: each[2] for key, each in pipeline.stored(account).items()}

    assert [kept[each["id"]] for each in made] == NARRATIONS
    metrics = {
        metric["Name"] for line in lines if "_aws" in line for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
    }
    assert metrics
    assert all(name.startswith("taxpoynt_mono_pipeline_") for name in metrics)
    whole = said.getvalue()
    assert [text for text in NARRATIONS if text in whole or json.dumps(text)[1:-1] in whole] == []
    seen(f"{len(NARRATIONS)} texts byte-true, {len(lines)} lines of JSON, 0 forged; {told(end)}, {recovered.rows} rows")


def test_H31_fields_unknown_and_missing(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """What nobody knows is kept with the row, numbers as they were spelled; what is optional may be left out."""
    account = pipeline.link(transactions=30)
    ids = pipeline.page_ids(account, 1)
    rows = {each["id"]: each for each in pipeline.sandbox.truth(account)["bank"]}
    strange = {
        **rows[ids[0]],
        "merchant": {"name": "Shop", "rate": "RATE"},
        "status": "NEVER_SEEN",
        "tags": ["a", None],
    }
    bare = {name: rows[ids[1]][name] for name in ("id", "amount", "type", "date")}
    replaced = {0: json.dumps(strange).replace('"RATE"', "1.10000000000000000001"), 1: json.dumps(bare)}
    pipeline.sandbox.inject(Fault(effect=Rows(replaced=replaced), path="*/transactions", page=1, times=None))
    end = pipeline.sync(account)
    extra = pipeline.rows(
        "SELECT extra, extra #>> '{merchant,rate}' AS rate FROM bank_transactions WHERE mono_transaction_id = :id",
        id=ids[0],
    )[0]
    bare_one = pipeline.rows(
        "SELECT narration, category FROM bank_transactions WHERE mono_transaction_id = :id", id=ids[1]
    )[0]
    landed = len(pipeline.stored(account))
    sound(pipeline)
    rows_in_the_end = mended(pipeline, account)

    assert (landed, counts(pipeline)["quarantined"]) == (30, 0)
    assert extra["extra"]["status"] == "NEVER_SEEN"
    assert extra["rate"] == "1.10000000000000000001"
    assert bare_one == {"narration": "", "category": None}
    seen(f"{landed} of 30 landed, rate kept as {extra['rate']}; {told(end)}, then {rows_in_the_end}")


def _first_of_page_2(pipeline: Pipeline, account: str) -> dict[str, Any]:
    wanted = pipeline.page_ids(account, 2)[0]
    return next(each for each in pipeline.sandbox.truth(account)["bank"] if each["id"] == wanted)
