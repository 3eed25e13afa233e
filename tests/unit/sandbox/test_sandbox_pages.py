"""Pages are unsorted, stable and complete, under every switch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.clock import LAGOS

if TYPE_CHECKING:
    import httpx

    from local.sandbox.sandbox import Sandbox

type ReadAll = Callable[..., list[dict[str, Any]]]


def by_id(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows in an order of their own."""
    return sorted(rows, key=lambda row: row["id"])


def test_twenty_rows_a_page_unless_asked_and_all_pages_together_are_the_copy(
    sandbox: Sandbox, mono: httpx.Client, read_all: ReadAll
) -> None:
    """Nothing is lost or doubled between pages."""
    account = sandbox.create_account(transactions=133)["id"]
    assert len(mono.get(f"/v2/accounts/{account}/transactions").json()["data"]) == 20
    assert by_id(read_all(account)) == by_id(sandbox.truth(account)["copy"])
    assert by_id(read_all(account, limit=100)) == by_id(sandbox.truth(account)["copy"])


def test_rows_are_sorted_by_neither_date_nor_id_but_come_the_same_way_every_time(
    sandbox: Sandbox, read_all: ReadAll
) -> None:
    """As captured (Mono contract 2.3), yet reproducible."""
    account = sandbox.create_account(transactions=60, stamp="instant")["id"]
    rows = read_all(account)
    for name in ("date", "id"):
        values = [row[name] for row in rows]
        assert values not in (sorted(values), sorted(values, reverse=True))
    assert read_all(account) == rows
    sandbox.reshuffle(account)
    assert read_all(account) != rows
    assert by_id(read_all(account)) == by_id(rows)


def test_a_new_row_moves_no_other_pair_of_rows(sandbox: Sandbox, read_all: ReadAll) -> None:
    """The order is stable between requests although nothing sorts it."""
    account = sandbox.create_account(transactions=60)["id"]
    before = [row["id"] for row in read_all(account)]
    added = sandbox.add(account)[0]["id"]
    assert [row["id"] for row in read_all(account) if row["id"] != added] == before


@pytest.mark.parametrize(("order", "reverse"), [("newest_first", True), ("oldest_first", False)])
def test_rows_can_be_served_in_order(sandbox: Sandbox, read_all: ReadAll, order: str, *, reverse: bool) -> None:
    """The live order is unknown (Mono contract 2.3)."""
    account = sandbox.create_account(transactions=60, stamp="instant")["id"]
    sandbox.set_switches(order=order)
    dates = [row["date"] for row in read_all(account)]
    assert dates == sorted(dates, reverse=reverse)


@pytest.mark.parametrize("dates_cut", ["utc", "lagos"])
@pytest.mark.parametrize("end", ["inclusive", "exclusive"])
@pytest.mark.parametrize("stamp", ["midnight", "instant"])
def test_a_window_is_cut_as_switched(sandbox: Sandbox, read_all: ReadAll, dates_cut: str, end: str, stamp: Any) -> None:
    """All that nobody knows of `start` and `end`."""
    account = sandbox.create_account(transactions=400, days=30, stamp=stamp)["id"]
    sandbox.set_switches(dates_cut=dates_cut, end=end)
    zone = UTC if dates_cut == "utc" else LAGOS

    def day(row: dict[str, Any]) -> str:
        return datetime.fromisoformat(row["date"]).astimezone(zone).date().isoformat()

    last = "2026-09-20" if end == "inclusive" else "2026-09-19"
    expected = [row for row in sandbox.truth(account)["copy"] if "2026-09-10" <= day(row) <= last]
    rows = read_all(account, start="10-09-2026", end="20-09-2026", limit=50)
    assert expected
    assert by_id(rows) == by_id(expected)


def test_midnight_rows_change_sides_between_the_zones(sandbox: Sandbox, read_all: ReadAll) -> None:
    """The UTC date of a bank row is one day early (Mono contract 2.4)."""
    account = sandbox.create_account(transactions=0, stamp="midnight")["id"]
    sandbox.add(account, instants=[datetime(2026, 9, 10, 9, tzinfo=UTC)])
    assert sandbox.truth(account)["copy"][0]["date"] == "2026-09-09T23:00:00.000Z"
    assert len(read_all(account, start="09-09-2026", end="09-09-2026")) == 1
    sandbox.set_switches(dates_cut="lagos")
    assert len(read_all(account, start="09-09-2026", end="09-09-2026")) == 0
    assert len(read_all(account, start="10-09-2026", end="10-09-2026")) == 1


def test_the_total_counts_the_matching_rows_or_all(sandbox: Sandbox, mono: httpx.Client) -> None:
    """Nobody knows which (Mono contract 8)."""
    account = sandbox.create_account(transactions=90)["id"]
    debits = sum(row["type"] == "debit" for row in sandbox.truth(account)["copy"])

    def total() -> int:
        answer = mono.get(f"/v2/accounts/{account}/transactions", params={"type": "debit"}).json()
        return int(answer["meta"]["total"])

    assert total() == debits
    sandbox.set_switches(total="unfiltered")
    assert total() == 90


def test_a_capped_limit_makes_more_pages_and_loses_nothing(
    sandbox: Sandbox, mono: httpx.Client, read_all: ReadAll
) -> None:
    """A reader must count what it got."""
    account = sandbox.create_account(transactions=90)["id"]
    sandbox.set_switches(limit="capped:25")
    assert len(mono.get(f"/v2/accounts/{account}/transactions", params={"limit": 100}).json()["data"]) == 25
    assert by_id(read_all(account, limit=100)) == by_id(sandbox.truth(account)["copy"])


def test_narration_and_type_filter(sandbox: Sandbox, read_all: ReadAll) -> None:
    """Both at once, any letter case."""
    account = sandbox.create_account(transactions=90)["id"]
    rows = sandbox.truth(account)["copy"]
    expected = [row for row in rows if "CARD" in row["narration"] and row["type"] == "credit"]
    assert expected
    assert by_id(read_all(account, narration="card", type="credit")) == by_id(expected)


def test_without_pagination_everything_comes_at_once(sandbox: Sandbox, mono: httpx.Client) -> None:
    """`paginate=false` (Mono contract 2.1)."""
    account = sandbox.create_account(transactions=90)["id"]
    answer = mono.get(f"/v2/accounts/{account}/transactions", params={"paginate": "false"}).json()
    assert (len(answer["data"]), answer["meta"]["next"]) == (90, None)


def test_a_page_beyond_the_last_is_empty(sandbox: Sandbox, mono: httpx.Client) -> None:
    """And keeps the total."""
    account = sandbox.create_account(transactions=5)["id"]
    answer = mono.get(f"/v2/accounts/{account}/transactions", params={"page": 9}).json()
    assert (answer["data"], answer["meta"]["total"], answer["meta"]["next"]) == ([], 5, None)


def test_until_the_data_are_there_the_answer_is_200_and_empty(sandbox: Sandbox, mono: httpx.Client) -> None:
    """Empty is not the same as no transactions (Mono contract 2.5)."""
    account = sandbox.link_account(transactions=30)["id"]
    path = f"/v2/accounts/{account}/transactions"
    assert (mono.get(path).status_code, mono.get(path).json()["data"]) == (200, [])
    sandbox.set_data_status(account, data_status="PARTIAL")
    assert mono.get(path).json()["data"] == []
    sandbox.set_data_status(account, data_status="AVAILABLE")
    assert mono.get(path).json()["meta"]["total"] == 30
    sandbox.set_null_rows(account, is_null=True)
    assert mono.get(path).json()["data"] is None
