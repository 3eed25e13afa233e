"""Rows that cannot be trusted: quarantined with their reason while the rest of their page lands."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects.contents import Meta, Rows
from local.sandbox.faults import Fault
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VERIFIED, VerdictReason, unverifiable

if TYPE_CHECKING:
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

ID = "686265c6ff3885e5e53ab999"
GOOD = {
    "id": ID,
    "narration": "POS/WEB",
    "amount": 4_200,
    "type": "debit",
    "category": None,
    "currency": "NGN",
    "balance": 77,
    "date": "2026-06-18T07:02:34.588Z",
}
QUARANTINED = unverifiable(VerdictReason.QUARANTINED)


def _with(**changes: Any) -> str:
    return json.dumps({**GOOD, **changes})


BROKEN = {
    "missing id": (json.dumps({key: part for key, part in GOOD.items() if key != "id"}), "missing_id"),
    "null id": (_with(id=None), "missing_id"),
    "id of another form": (_with(id="../etc"), "bad_id"),
    "fractional amount": (_with(amount=10.5), "bad_amount"),
    "negative amount": (_with(amount=-1), "bad_amount"),
    "amount as text": (_with(amount="4200"), "bad_amount"),
    "amount NaN": (_with(amount=float("nan")), "bad_amount"),
    "NaN in a field nobody knows": (_with(fee=float("nan")), "not_a_number"),
    "1e400 in a field nobody knows": (_with(fee=0)[:-2] + "1e400}", "number_too_large"),
    "unknown type": (_with(type="reversal"), "bad_type"),
    "unparsable date": (_with(date="18/06/2026"), "bad_date"),
    "no such day": (_with(date="2026-02-30T07:02:34.588Z"), "bad_date"),
    "NUL in the narration": (_with(narration="a\x00b"), "bad_text"),
    "lone surrogate in the narration": (_with(narration="a\ud83d"), "bad_text"),
    "lone surrogate in a field nobody knows": (_with(note="\udc00"), "bad_text"),
    "duplicate key": (_with()[:-1] + ', "amount": 1}', "duplicate_key"),
    "amount of 5,000 digits": (_with(amount=0).replace('"amount": 0', '"amount": ' + "9" * 5_000), "bad_amount"),
    "5,000 digits in a field nobody knows": (_with()[:-1] + ', "serial": ' + "9" * 5_000 + "}", "number_too_large"),
    "no object": ('"just text"', "not_an_object"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_row_is_quarantined_and_its_page_lands(pipeline: Pipeline, kind: str) -> None:
    """Every other row of the bank is stored exactly, and the run says that it cannot vouch for one."""
    text, reason = BROKEN[kind]
    account = pipeline.link(transactions=45)
    _serve(pipeline, text, total=46)

    end = pipeline.sync(account)

    assert (end.status, end.verdict) == (RunStatus.COMPLETED, QUARANTINED)
    assert pipeline.stored(account) == pipeline.truth(account)
    assert [(row["reason"], row["run_id"]) for row in _quarantine(pipeline)] == [(reason, end.run.run_id)]
    run = pipeline.run_row(end)
    assert (run["rows_seen"], run["rows_inserted"], run["rows_quarantined"]) == (46, 45, 1)


def test_many_broken_rows_of_one_page_are_all_kept(pipeline: Pipeline) -> None:
    """One page may hold every kind of broken row at once."""
    account = pipeline.link(transactions=5)
    texts = [text.replace(ID, f"{number:024x}") for number, (text, _) in enumerate(BROKEN.values())]
    _inject(pipeline, Rows(appended=texts), Meta(meta={"total": 5 + len(texts)}))

    end = pipeline.sync(account)

    assert end.verdict == QUARANTINED
    assert sorted(row["reason"] for row in _quarantine(pipeline)) == sorted(reason for _, reason in BROKEN.values())
    assert pipeline.stored(account) == pipeline.truth(account)
    assert pipeline.run_row(end)["rows_quarantined"] == len(texts)


def test_a_broken_row_has_one_open_record_however_often_it_is_seen(pipeline: Pipeline) -> None:
    """A second record would make one bank's fault look like many."""
    account = pipeline.link(transactions=5)
    _serve(pipeline, _with(amount=-1), total=6)

    ends = [pipeline.sync(account, kind=RunKind.FULL) for _ in range(3)]

    assert [end.verdict for end in ends] == [QUARANTINED] * 3
    assert [(row["times_seen"], row["closed_at"]) for row in _quarantine(pipeline)] == [(3, None)]


def test_a_later_good_row_with_its_id_closes_a_record(pipeline: Pipeline) -> None:
    """The bank has answered the question: the run is verified again."""
    account = pipeline.link(transactions=5)
    _serve(pipeline, _with(amount=-1), total=6)
    pipeline.sync(account)
    pipeline.sandbox.clear_faults()
    _serve(pipeline, _with(), total=6)

    end = pipeline.sync(account, kind=RunKind.FULL)

    assert end.status is RunStatus.COMPLETED
    assert end.verdict != QUARANTINED
    assert [row["closed_at"] is not None for row in _quarantine(pipeline)] == [True]
    assert ID in pipeline.stored(account)


def test_a_run_that_does_not_show_the_row_closes_nothing(pipeline: Pipeline) -> None:
    """An older good version in the tables is no answer: only a good row seen later is."""
    account = pipeline.link(transactions=30, days=60)
    pipeline.sync(account)
    oldest = pipeline.sandbox.truth(account)["bank"][0]
    _break_on_every_page(pipeline, account, oldest["id"])
    assert pipeline.sync(account, kind=RunKind.FULL).verdict == QUARANTINED
    pipeline.sandbox.clear_faults()
    today = pipeline.today()

    window = DateWindow(start=today - timedelta(days=9), end=today)
    end = pipeline.sync(account, kind=RunKind.WINDOW, asked=window)

    assert [row["closed_at"] for row in _quarantine(pipeline)] == [None]
    assert end.verdict == QUARANTINED
    assert pipeline.sync(account, kind=RunKind.FULL).verdict == VERIFIED


@pytest.mark.parametrize("text", [json.dumps({"amount": 5}), _with(amount=-1)], ids=["without id", "with id"])
def test_a_broken_row_that_a_whole_reading_no_longer_shows_is_closed(pipeline: Pipeline, text: str) -> None:
    """Nobody could ever answer for it: the account would be unverifiable for good. A window is not a whole reading."""
    account = pipeline.link(transactions=5)
    _serve(pipeline, text, total=6)
    assert pipeline.sync(account).verdict == QUARANTINED
    pipeline.sandbox.clear_faults()
    today = pipeline.today()
    window = DateWindow(start=today - timedelta(days=400), end=today)

    assert pipeline.sync(account, kind=RunKind.WINDOW, asked=window).verdict == QUARANTINED
    assert pipeline.sync(account, kind=RunKind.FULL).verdict == VERIFIED
    assert [row["closed_at"] is not None for row in _quarantine(pipeline)] == [True]


def test_a_stored_row_that_comes_broken_keeps_its_last_good_version(pipeline: Pipeline) -> None:
    """It was shown, if unreadably: that is a quarantine and no sign of a removal."""
    account = pipeline.link(transactions=30, days=60)
    pipeline.sync(account)
    before = pipeline.stored(account)
    _break_on_every_page(pipeline, account, next(iter(before)))

    end = pipeline.sync(account, kind=RunKind.FULL)

    assert end.verdict == QUARANTINED
    assert pipeline.stored(account) == before


def test_the_same_row_twice_on_a_page_lands_once(pipeline: Pipeline) -> None:
    """The first is stored, the second quarantined: nothing is doubled, nothing lost."""
    account = pipeline.link(transactions=5)
    _inject(pipeline, Rows(appended=[_with(), _with()]), Meta(meta={"total": 7}))

    end = pipeline.sync(account)

    assert end.verdict == QUARANTINED
    assert [row["reason"] for row in _quarantine(pipeline)] == ["duplicate_id"]
    assert pipeline.stored(account)[ID][0] == 4_200
    assert pipeline.run_row(end)["rows_seen"] == 7


def test_of_one_id_with_two_contents_none_lands(pipeline: Pipeline) -> None:
    """Nobody knows which one is right."""
    account = pipeline.link(transactions=5)
    _inject(pipeline, Rows(appended=[_with(), _with(amount=1)]), Meta(meta={"total": 7}))

    end = pipeline.sync(account)

    assert end.verdict == QUARANTINED
    assert [row["reason"] for row in _quarantine(pipeline)] == ["duplicate_id"] * 2
    assert ID not in pipeline.stored(account)


def test_fields_that_nobody_knows_are_kept_as_they_were_spelled(pipeline: Pipeline) -> None:
    """Metadata of an enrichment job, or whatever Mono adds next, is not lost."""
    account = pipeline.link(transactions=5)
    _serve(pipeline, _with()[:-1] + ', "metadata": {"payee": "ÀBÍ"}, "rate": 1.10}', total=6)

    assert pipeline.sync(account).status is RunStatus.COMPLETED

    kept = pipeline.rows("SELECT extra::text FROM bank_transactions WHERE mono_transaction_id = :id", id=ID)
    assert kept == [{"extra": '{"rate": 1.10, "metadata": {"payee": "ÀBÍ"}}'}]


def _serve(pipeline: Pipeline, text: str, *, total: int) -> None:
    """Put a row among those of the first page, counted in the total as Mono would."""
    _inject(pipeline, Rows(inserted={3: text}), page=1)
    _inject(pipeline, Meta(meta={"total": total}))


def _inject(pipeline: Pipeline, *effects: Rows | Meta, page: int | None = None) -> None:
    pipeline.sandbox.inject(*(Fault(effect=effect, path="*/transactions", page=page, times=None) for effect in effects))


def _break_on_every_page(pipeline: Pipeline, account: str, transaction: str) -> None:
    """Let the one row come with a negative amount, wherever it stands."""
    worker = pipeline.worker
    for number in (1, 2):
        page = worker.mono.transactions(
            account, window=None, page=number, limit=20, deadline=pipeline.soon(), today=pipeline.today()
        )
        ids = [row["id"] for row in json.loads(page.rows_json)]
        if transaction in ids:
            _inject(pipeline, Rows(patched={ids.index(transaction): {"amount": -1}}), page=number)


def _quarantine(pipeline: Pipeline) -> list[dict[str, Any]]:
    return pipeline.rows("SELECT * FROM quarantined_transactions ORDER BY id")
