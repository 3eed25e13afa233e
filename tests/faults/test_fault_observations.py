"""A bank that moves, lies or forgets while it is read: what is complete, what an anomaly, and what history."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects import Body, Drift, EndlessPages, Meta, NullRows, Rows, ServePage, WrongAccount
from local.sandbox.faults import Fault
from mono_pipeline.core.errors import LeaseLost
from mono_pipeline.core.run import RunKind, RunStatus
from mono_pipeline.core.verdict import VERIFIED, VerdictKind, VerdictReason, unverifiable
from mono_pipeline.usecases.account_sync import AccountSync
from tests.faults.recovery import account_of, counts, equal_to_the_bank, recover, sound, told
from tests.faults.saboteur import At

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.sandbox.effects.base import BaseEffect
    from mono_pipeline.usecases.account_sync import RunEnd
    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

ROWS = 90
LAST_PASS = 4


def with_history(pipeline: Pipeline, rows: int = ROWS, **account: Any) -> str:
    """An account that has been read once."""
    linked = pipeline.link(transactions=rows, **account)
    assert pipeline.sync(linked).verdict == VERIFIED
    return linked


def read_all(pipeline: Pipeline, account: str, effect: BaseEffect, *, page: int | None, times: int | None) -> RunEnd:
    """Read the whole history while `effect` strikes."""
    pipeline.sandbox.clear_requests()
    pipeline.sandbox.inject(Fault(effect=effect, path="*/transactions", page=page, times=times))
    return pipeline.sync(account, kind=RunKind.FULL)


@pytest.mark.parametrize("times", [1, None])
def test_H15_duplicated_page(pipeline: Pipeline, seen: Callable[[str], None], times: int | None) -> None:
    """Page 2 brings page 1's rows and says that it is page 2."""
    account = pipeline.link(transactions=ROWS)
    end = read_all(pipeline, account, ServePage(page=1), page=2, times=times)
    run = pipeline.run_row(end)
    sound(pipeline)
    mark = pipeline.watermark(account)
    recovered = recover(pipeline, account)

    assert run["pass"] == (2 if times else LAST_PASS)
    assert (mark is None) is (times is None)
    assert end.verdict == (VERIFIED if times else unverifiable(VerdictReason.DRIFT))
    seen(f"{'once' if times else 'always'}: {run['pass']} passes, {told(end)}; then {recovered.rows}, 0 doubles")


@pytest.mark.parametrize("times", [2, None])
def test_H16_rows_inserted_while_paging(pipeline: Pipeline, seen: Callable[[str], None], times: int | None) -> None:
    """A row comes to the front before page 3 of two passes, or of every pass."""
    pipeline.sandbox.set_switches(order="newest_first")
    account = pipeline.link(transactions=ROWS)
    end = read_all(pipeline, account, Drift(operation="add"), page=3, times=times)
    run = pipeline.run_row(end)
    mark = pipeline.watermark(account)
    sound(pipeline)
    recovered = recover(pipeline, account)

    assert run["pass"] == (3 if times else LAST_PASS)
    assert (mark is None) is (times is None)
    assert recovered.rows == ROWS + (times or LAST_PASS)
    seen(f"{times or 'every'} pass: {run['pass']} passes, {told(end)}; then {recovered.rows}")


@pytest.mark.parametrize("times", [1, None])
def test_H17_rows_removed_while_paging(pipeline: Pipeline, seen: Callable[[str], None], times: int | None) -> None:
    """A row goes before page 3: the rows behind it move up, and one would be passed over."""
    pipeline.sandbox.set_switches(order="newest_first")
    account = with_history(pipeline)
    pipeline.sandbox.add(account, count=20)
    before = pipeline.watermark(account)
    end = read_all(pipeline, account, Drift(operation="remove"), page=3, times=times)
    run = pipeline.run_row(end)
    stored, truth, mark = pipeline.stored(account), pipeline.truth(account), pipeline.watermark(account)
    sound(pipeline)
    pipeline.sandbox.clear_faults()
    gone_after = _until_only_the_bank_is_left(pipeline, account)

    assert run["pass"] == (2 if times else LAST_PASS)
    if times:
        assert truth.keys() <= stored.keys()
    else:
        assert (end.verdict, mark) == (unverifiable(VerdictReason.DRIFT), before)
    equal_to_the_bank(pipeline, account)
    seen(f"{times or 'every'} pass: {run['pass']} passes, {told(end)}; the bank's alone after {gone_after} readings")


def test_H18_order_changes_between_pages(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """An unstable order, three times, on rows that are all stamped alike."""
    account = pipeline.link(transactions=0)
    pipeline.sandbox.add(
        account,
        rows=[{"amount": place, "type": "credit", "date": "2026-02-02T23:00:00.000Z"} for place in range(1, 80)],
    )
    end = read_all(pipeline, account, Drift(operation="reshuffle"), page=2, times=3)
    run = pipeline.run_row(end)
    recovered = recover(pipeline, account)

    assert run["pass"] in {2, 3, 4}
    assert recovered.rows == 79
    seen(f"3 shuffles: {run['pass']} passes, {told(end)}; the same {recovered.rows} rows")


def test_H19_pages_without_end(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Every page is full and has a next one."""
    account = pipeline.link(transactions=40)
    end = read_all(pipeline, account, EndlessPages(), page=None, times=None)
    requests = len(pipeline.page_requests(account))
    mark = pipeline.watermark(account)
    sound(pipeline)

    assert (end.verdict, mark) == (unverifiable(VerdictReason.ENDLESS_PAGES), None)
    assert requests <= 20
    seen(f"endless: cut off after {requests} requests, {told(end)}")


def test_H23_another_accounts_answer(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Not one row of the stranger's, one request, and an error of its own to alarm on."""
    account, stranger = pipeline.link(transactions=ROWS), pipeline.link(transactions=ROWS)
    end = read_all(pipeline, account, WrongAccount(account=stranger), page=3, times=None)
    attempts = [query["page"] for query in pipeline.page_requests(account)].count("3")
    stored = pipeline.stored(account)
    sound(pipeline)
    wait = pipeline.seconds_to_next_attempt(account)
    recovered = recover(pipeline, account)

    assert end.error_code == "mono_wrong_account"
    assert not stored.keys() & pipeline.truth(stranger).keys()
    assert ("backfill", "mono_wrong_account") in pipeline.witness.errors
    assert wait > 3500
    seen(f"{told(end)} after {attempts} request, 0 foreign rows, again in {wait:.0f} s; then {recovered.rows}")


@pytest.mark.parametrize("said", [ROWS + 3, ROWS - 3, 0])
def test_H24_total_is_not_the_rows(pipeline: Pipeline, seen: Callable[[str], None], said: int) -> None:
    """Nobody knows what is missing."""
    account = pipeline.link(transactions=ROWS)
    end = read_all(pipeline, account, Meta(meta={"total": said}), page=None, times=None)
    mark = pipeline.watermark(account)
    sound(pipeline)
    recovered = recover(pipeline, account)

    assert (end.verdict, mark) == (unverifiable(VerdictReason.TOTAL_DIFFERS), None)
    seen(f"total {said} for {ROWS} rows: {told(end)}; then {recovered.rows}")


def test_H25_empty_answer_with_history(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Twice, a day apart, which would be evidence if an empty answer could be."""
    account = with_history(pipeline)
    empty = {"status": "successful", "message": "", "timestamp": "", "data": []}
    answer = Body(document={**empty, "meta": {"total": 0, "page": 1, "previous": None, "next": None}})
    mark = pipeline.watermark(account)
    ends = []
    for _ in range(2):
        ends.append(read_all(pipeline, account, answer, page=None, times=None))
        pipeline.let_pass(hours=30)
    kept = len(pipeline.stored(account))
    sound(pipeline)
    recovered = recover(pipeline, account)

    assert {end.verdict for end in ends} == {unverifiable(VerdictReason.SUSPICIOUS_EMPTY)}
    assert (kept, pipeline.watermark(account)) == (ROWS, mark)
    assert pipeline.witness.zero_runs == 2
    seen(f"2 empty answers in 30 h: {told(ends[1])}, {kept} of {ROWS} kept; then {recovered.rows}")


@pytest.mark.parametrize("how", ["PROCESSING", "data: null"])
def test_H26_not_ready(pipeline: Pipeline, seen: Callable[[str], None], how: str) -> None:
    """Mono is still fetching: empty means not yet."""
    if how == "PROCESSING":
        account = str(pipeline.sandbox.link_account(transactions=ROWS)["id"])
        pipeline.import_account(account)
    else:
        account = pipeline.link(transactions=ROWS)
        pipeline.sandbox.inject(Fault(effect=NullRows(), path="*/transactions", times=None))
    end = pipeline.sync(account)
    mark, wait = pipeline.watermark(account), pipeline.seconds_to_next_attempt(account)
    sound(pipeline)
    if how == "PROCESSING":
        pipeline.sandbox.set_data_status(account, data_status="AVAILABLE")
    recovered = recover(pipeline, account)

    assert (end.status, end.verdict) == (RunStatus.INCOMPLETE, unverifiable(VerdictReason.NOT_READY))
    assert mark is None
    seen(f"{how}: {told(end)}, again in {wait:.0f} s; then {recovered.rows} after {recovered.ticks} tick")


def test_H27_a_row_changes_and_back(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """A, B, A: three versions, each with the run that saw it, and the table of any moment can be had."""
    account = with_history(pipeline)
    changed = pipeline.page_ids(account, 1)[0]
    first = pipeline.truth(account)[changed]
    runs = []
    for amount in (first[0] + 100, first[0]):
        pipeline.sandbox.amend(account, transaction=changed, changes={"amount": amount})
        runs.append(pipeline.sync(account, kind=RunKind.FULL).run.run_id)
    versions = pipeline.rows(
        """SELECT version, amount_minor, superseded_by FROM transaction_versions
           WHERE mono_transaction_id = :id ORDER BY version""",
        id=changed,
    )
    recovered = recover(pipeline, account)

    assert [(each["version"], each["amount_minor"]) for each in versions] == [
        (1, first[0]),
        (2, first[0] + 100),
        (3, first[0]),
    ]
    assert [each["superseded_by"] for each in versions] == [*runs, None]
    seen(f"versions {[each['version'] for each in versions]}, each with its run; {recovered.rows} rows")


def test_H28_a_row_goes_and_comes_back(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """One absence proves nothing, nor do two within a day; back again, it is one more version of the same row."""
    account = with_history(pipeline)
    missing = pipeline.page_ids(account, 2)[0]
    put_back = pipeline.take_out(account, missing)
    told_of: list[str] = []
    live: list[bool] = []
    for hours in (1, 30, 0):
        told_of.append(told(pipeline.sync(account, kind=RunKind.FULL)))
        live.append(missing in pipeline.stored(account))
        if hours:
            pipeline.let_pass(hours=hours)
    put_back()
    pipeline.sync(account, kind=RunKind.FULL)
    version = pipeline.rows(
        "SELECT version, disappeared_at FROM bank_transactions WHERE mono_transaction_id = :id", id=missing
    )[0]
    recovered = recover(pipeline, account)

    assert live == [True, True, False]
    assert told_of[:2] == ["unverifiable removal_pending"] * 2
    assert version["disappeared_at"] is None
    seen(f"live after passes at 0, 1, 31 h: {live}; back as version {version['version']}; {recovered.rows} rows")


def test_H29_every_id_is_new(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """After re-authorisation the bank shows the same rows under other ids: pairs to decide on, and the same sum."""
    account = with_history(pipeline, rows=40)
    asked = """SELECT count(*) AS rows, sum(CASE transaction_type WHEN 'credit' THEN amount ELSE -amount END) AS total
               FROM canonical_bank_transactions"""
    before = pipeline.rows(asked)[0]
    pipeline.sandbox.reauthorise(account, remint=True)
    end = pipeline.sync(account, kind=RunKind.FULL)
    after = pipeline.rows(asked)[0]
    pairs = pipeline.rows("SELECT count(*) AS pairs FROM duplicate_suspicions WHERE status = 'open'")[0]["pairs"]
    sound(pipeline)

    assert end.verdict is not None
    assert end.verdict.kind is VerdictKind.UNVERIFIABLE
    assert (pairs, after) == (40, before)
    assert pipeline.rows("SELECT count(*) AS rows FROM bank_transactions WHERE disappeared_at IS NOT NULL") == [
        {"rows": 0}
    ]
    seen(f"{told(end)}: {pairs} pairs, canonical {after['rows']} rows and sum as before")


def test_H34_one_request_answered_in_two_ways(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """One of Mono's machines lags: it shows an older state of one row. The next pass repairs it, as a new version."""
    account = with_history(pipeline)
    wanted = pipeline.page_ids(account, 1)[0]
    old = next(row for row in pipeline.sandbox.truth(account)["bank"] if row["id"] == wanted)
    pipeline.sandbox.amend(account, transaction=wanted, changes={"narration": "as it is now"})
    pipeline.sync(account, kind=RunKind.FULL)
    lagging = Rows(replaced={pipeline.page_ids(account, 1).index(wanted): json.dumps(old)})
    lagged = read_all(pipeline, account, lagging, page=1, times=1)
    between = pipeline.stored(account)[wanted][2]
    sound(pipeline)
    pipeline.sandbox.clear_faults()
    pipeline.sync(account, kind=RunKind.FULL)
    recovered = recover(pipeline, account)
    versions = counts(pipeline)["versions"]

    assert lagged.status is RunStatus.COMPLETED
    assert pipeline.stored(account)[wanted][2] == "as it is now"
    assert (between, recovered.rows) == (old["narration"], ROWS)
    seen(f"a lagging answer became a version, repaired by the next pass; {versions} versions superseded, none lost")


def test_H34_a_stale_worker_never_overwrites(pipeline: Pipeline, seen: Callable[[str], None]) -> None:
    """Who read an older answer and lost the lease writes nothing over the newer one (no regress)."""
    account = with_history(pipeline)
    wanted = pipeline.page_ids(account, 1)[0]

    def newer() -> None:
        pipeline.sandbox.amend(account, transaction=wanted, changes={"narration": "newer"})
        pipeline.rows("UPDATE bank_accounts SET lease_until = pipeline_now() - interval '1 second'")
        other = pipeline.new_worker()
        leased = other.runs.claim(account_of(pipeline, account).id, flag_reason="DEFAULT")
        assert leased is not None
        assert AccountSync(other).run(leased, pipeline.soon()).status is RunStatus.COMPLETED

    with pytest.raises(LeaseLost):
        pipeline.sync(account, kind=RunKind.FULL, worker=pipeline.new_worker(At(pipeline, 5, newer)))
    text = pipeline.stored(account)[wanted][2]
    recovered = recover(pipeline, account)

    assert text == "newer"
    seen(f"stale worker: lease lost, the row stays '{text}'; {recovered.rows} rows")


def _until_only_the_bank_is_left(pipeline: Pipeline, account: str) -> int:
    """How many readings, a day and more apart, until what the bank removed has disappeared."""
    for reading in range(1, 4):
        pipeline.sync(account, kind=RunKind.FULL)
        if pipeline.stored(account) == pipeline.truth(account):
            return reading
        pipeline.let_pass(hours=30)
    raise AssertionError("rows that the bank removed are still live")
