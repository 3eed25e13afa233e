"""`monoctl duplicates`: every suspicion is shown with both ids whole, and is decided only by name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.monoctl.stand_ins import ACCOUNT, FakeReach, ScriptedOps, golden, monoctl, without_margins

if TYPE_CHECKING:
    from collections.abc import Mapping

    type Row = dict[str, Any]

OTHER = "64779d900000000000ab0002"


def suspicion(number: int, account: str = ACCOUNT, **fields: Any) -> Row:
    """Return a suspicion as the ops function lists it."""
    row = {
        "id": number,
        "account_id": account,
        "old_id": f"64779d900000000000d1{number:04x}",
        "new_id": f"64779d900000000000d2{number:04x}",
        "status": "open",
        "raised_at": "2026-11-24 09:00:00+00:00",
        "decided_at": None,
        "decided_by": None,
        "booking_date": "2026-11-03",
        "amount_minor": 120_000 * number,
        "direction": "debit" if number % 2 else "credit",
        "currency": "NGN",
        "narration": "POS/WEB PURCHASE",
    }
    return {**row, **fields}


def answering(rows: list[Row], *, page: int = 100, most: int = 100) -> ScriptedOps:
    """Return an ops function with these suspicions that decides at most `most` a call; ids from 900 on are not open."""

    def answer(action: str, arguments: Mapping[str, Any]) -> Row:
        if action == "duplicates.decide":
            ids = arguments["ids"][:most]
            return {
                "decided": [each for each in ids if each < 900],
                "not_open": [each for each in ids if each >= 900],
                "left": arguments["ids"][most:],
            }
        part = [row for row in rows if row["id"] > arguments["after"]][:page]
        return {"suspicions": part, "next": part[-1]["id"] if len(part) == page else None}

    return ScriptedOps(answer)


def test_the_list_fits_80_columns_with_both_ids_whole() -> None:
    """One table an account; ids that are cut cannot be looked up."""
    rows = [suspicion(1), suspicion(2), suspicion(3, OTHER)]

    said = monoctl("duplicates", "list", reach=FakeReach(ops=answering(rows)))

    assert (said.exit_code, without_margins(said.stdout)) == (0, golden("duplicates_list"))
    assert max(len(line.rstrip()) for line in said.stdout.splitlines()) <= 80


@pytest.mark.parametrize("columns", [60, 80, 132])
def test_decided_ones_are_shown_with_their_decision_where_there_is_room(columns: int) -> None:
    """In any terminal the ids stay."""
    rows = [suspicion(1, status="rejected", decided_by="ada@example.com")]

    said = monoctl("duplicates", "list", "--decided", reach=FakeReach(ops=answering(rows)), columns=columns)

    assert rows[0]["old_id"] in said.stdout
    assert rows[0]["new_id"] in said.stdout
    assert ("rejected" in said.stdout) == (columns >= 80)


def test_the_list_has_every_page_and_asks_for_one_account_alone() -> None:
    """250 suspicions, 100 at a time."""
    rows = [suspicion(number) for number in range(1, 251)]
    ops = answering(rows)

    said = monoctl("--json", "duplicates", "list", "--account", ACCOUNT, reach=FakeReach(ops=ops))

    assert json.loads(said.stdout) == {"suspicions": rows}
    assert {(asked["account_id"], asked["decided"]) for _, asked in ops.asked} == {(ACCOUNT, False)}


def test_a_list_that_does_not_move_on_is_refused() -> None:
    """Half a list must not pass for a whole one."""
    ops = ScriptedOps(lambda *_: {"suspicions": [suspicion(1)], "next": 0})

    assert monoctl("duplicates", "list", reach=FakeReach(ops=ops)).exit_code == 8


def test_no_suspicion_is_said() -> None:
    """An empty table says nothing."""
    said = monoctl("duplicates", "list", reach=FakeReach(ops=answering([])))

    assert (said.exit_code, said.stdout) == (0, "")
    assert "No open suspicion" in said.stderr


@pytest.mark.parametrize(("word", "same"), [("accept", True), ("reject", False)])
def test_named_ones_are_decided_once_each_in_the_caller_s_name(word: str, *, same: bool) -> None:
    """Who decided is kept with the suspicion."""
    ops = answering([])

    said = monoctl("duplicates", word, "7", "8", "7", reach=FakeReach(ops=ops))

    assert said.exit_code == 0
    assert ops.asked == [("duplicates.decide", {"ids": [7, 8], "same": same, "decided_by": "ada@example.com"})]
    assert said.stdout.startswith(f"2 {word}ed")


def test_all_of_an_account_are_decided_whatever_a_call_can_do() -> None:
    """250 of them, 30 a call: the rest is asked for again."""
    rows = [suspicion(number) for number in range(1, 251)]

    said = monoctl(
        "--json", "duplicates", "accept", "--all", "--account", ACCOUNT, reach=FakeReach(ops=answering(rows, most=30))
    )

    assert json.loads(said.stdout) == {"decided": list(range(1, 251)), "not_open": []}


def test_one_that_was_not_open_is_named_and_ends_with_4() -> None:
    """Somebody else may have decided otherwise."""
    said = monoctl("duplicates", "reject", "7", "901", reach=FakeReach(ops=answering([])))

    assert said.exit_code == 4
    assert "901" in said.stdout


def test_decisions_that_do_not_move_on_are_refused() -> None:
    """And are not asked for without an end."""
    assert monoctl("duplicates", "accept", "7", reach=FakeReach(ops=answering([], most=0))).exit_code == 8


@pytest.mark.parametrize(
    "arguments",
    [[], ["--all"], ["--account", ACCOUNT], ["7", "--account", ACCOUNT], ["7", "--all", "--account", ACCOUNT]],
)
def test_what_is_meant_must_be_clear(arguments: list[str]) -> None:
    """Nothing is decided by a slip."""
    ops = answering([suspicion(1)])

    assert monoctl("duplicates", "accept", *arguments, reach=FakeReach(ops=ops)).exit_code == 2
    assert ops.asked == []
