"""`monoctl accounts`: every page is read, nothing is skipped in silence, and it reads well on 80 columns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from monoctl.errors import OpsRefused
from tests.unit.monoctl.stand_ins import (
    ACCOUNT,
    FakeReach,
    ScriptedOps,
    account_row,
    golden,
    monoctl,
    without_margins,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    type Row = dict[str, Any]

ACCOUNTS = [
    account_row(1),
    account_row(
        2,
        link_status="reauth_required",
        transactions=10_000,
        balance_minor=-5_000,
        verdict="unverifiable",
        verdict_reason="total_differs",
        status="incomplete",
        fresh_as_of="2026-10-27 12:00:00+00:00",
        stale=True,
        realtime_off_reason="mono_payment_required",
        realtime_asked_at="2026-11-24 09:00:00+00:00",
        last_success_at="2026-10-27 12:00:00+00:00",
        next_attempt_at="2026-11-24 11:00:00+00:00",
    ),
    account_row(
        3,
        link_status="refused",
        transactions=0,
        balance_minor=None,
        watermark=None,
        last_success_at=None,
        status="failed",
        verdict=None,
        error_code="mono_not_found",
        fresh_as_of=None,
        stale=True,
    ),
    account_row(4, verdict="mismatch", verdict_reason="days_differ", last_success_at="2026-11-24 11:59:30+00:00"),
    account_row(
        5,
        fresh_as_of=None,
        run_id=None,
        status=None,
        verdict=None,
        transactions=0,
        watermark=None,
        last_success_at=None,
    ),
]


def listing(rows: list[Row], page: int) -> ScriptedOps:
    """Return an ops function that lists these rows, `page` at a time."""

    def answer(_action: str, arguments: Mapping[str, Any]) -> Row:
        part = [row for row in rows if row["mono_account_id"] > arguments["after"]][:page]
        return {"accounts": part, "next": part[-1]["mono_account_id"] if len(part) == page else None}

    return ScriptedOps(answer)


def importing(pages: Mapping[int, Row]) -> ScriptedOps:
    """Return an ops function whose import answers by its first page."""
    return ScriptedOps(lambda _action, arguments: pages[arguments["page"]])


def imported(*ids: str, known: tuple[str, ...] = (), skipped: Row | None = None, next_page: int | None = None) -> Row:
    """Return the answer of one import."""
    return {"imported": list(ids), "known": list(known), "skipped": skipped or {}, "next_page": next_page}


@pytest.mark.parametrize(("name", "columns"), [("accounts_list", 80), ("accounts_list_wide", 132)])
def test_the_list_fits_its_terminal(name: str, columns: int) -> None:
    """Where there is no room, whole columns go, the least important first, and are named."""
    said = monoctl("accounts", "list", reach=FakeReach(ops=listing(ACCOUNTS, 100)), columns=columns)

    assert (said.exit_code, without_margins(said.stdout)) == (0, golden(name))
    assert max(len(line.rstrip()) for line in said.stdout.splitlines()) <= columns


@pytest.mark.parametrize("columns", [40, 60, 72, 100, 200])
def test_ids_and_verdicts_are_whole_in_any_terminal(columns: int) -> None:
    """An id that is cut cannot be copied."""
    said = monoctl("accounts", "list", reach=FakeReach(ops=listing(ACCOUNTS, 100)), columns=columns)

    for row in ACCOUNTS:
        assert row["mono_account_id"] in said.stdout
    assert max(len(line.rstrip()) for line in said.stdout.splitlines()) <= max(columns, 60)


def test_the_list_has_every_page() -> None:
    """250 accounts, 100 at a time."""
    rows = [account_row(number) for number in range(1, 251)]
    ops = listing(rows, 100)

    said = monoctl("--json", "accounts", "list", reach=FakeReach(ops=ops))

    assert json.loads(said.stdout) == {"accounts": rows}
    assert len(ops.asked) == 3


def test_a_list_that_does_not_move_on_is_refused() -> None:
    """An endless loop helps nobody, and half a list passes for a whole one."""
    ops = ScriptedOps(lambda *_: {"accounts": [ACCOUNTS[0]], "next": ACCOUNTS[0]["mono_account_id"]})

    assert monoctl("accounts", "list", reach=FakeReach(ops=ops)).exit_code == 8
    assert len(ops.asked) == 2


def test_without_accounts_the_next_step_is_said() -> None:
    """An empty table helps nobody."""
    said = monoctl("accounts", "list", reach=FakeReach(ops=listing([], 100)))

    assert said.exit_code == 0
    assert "accounts import" in said.stderr


def test_one_account_is_shown_in_full() -> None:
    """All that is known of it, on 80 columns."""
    ops = ScriptedOps(lambda *_: {"account": ACCOUNTS[1]})

    said = monoctl("accounts", "show", ACCOUNT, reach=FakeReach(ops=ops))

    assert (said.exit_code, without_margins(said.stdout)) == (0, golden("accounts_show"))
    assert ops.asked == [("accounts.show", {"account_id": ACCOUNT})]


def test_an_account_that_failed_too_often_says_since_when_why_and_what_to_do() -> None:
    """The scheduler leaves it alone, so no next attempt is promised; the commands are whole, to be copied."""
    dead = account_row(
        3,
        status="failed",
        verdict=None,
        error_code="mono_server_error",
        failure_streak=5,
        dead_lettered_at="2026-11-24 08:00:00+00:00",
        dead_letter_error="mono_unintelligible",
    )

    said = monoctl("accounts", "show", ACCOUNT, reach=FakeReach(ops=ScriptedOps(lambda *_: {"account": dead})))

    assert (said.exit_code, without_margins(said.stdout)) == (0, golden("accounts_show_dead_letter"))


def test_an_unknown_account_ends_with_2() -> None:
    """And with the pipeline's own words."""

    def unknown(*_: object) -> Row:
        raise OpsRefused("AccountUnknown", "No bank account with this id is known here.")

    said = monoctl("--json", "accounts", "show", ACCOUNT, reach=FakeReach(ops=ScriptedOps(unknown)))

    assert said.exit_code == 2
    assert json.loads(said.stdout)["error"]["code"] == "AccountUnknown"
    assert "No bank account" in said.stderr


def test_an_import_without_names_follows_every_page() -> None:
    """Mono's list is longer than one invocation; the counts are of all of it."""
    pages = {
        1: imported("a1", known=("k1",), next_page=40),
        40: imported("a2", "a3", skipped={"s1": "Mono does not say its currency"}, next_page=80),
        80: imported("a4"),
    }
    ops = importing(pages)

    said = monoctl("accounts", "import", reach=FakeReach(ops=ops))

    assert [arguments["page"] for _, arguments in ops.asked] == [1, 40, 80]
    assert "4 imported, 1 known already, 1 skipped" in said.stdout
    assert "Mono does not say its currency" in said.stdout
    assert said.exit_code == 4  # not everything came in


def test_an_import_in_which_all_came_in_is_as_promised() -> None:
    """New and known ones alike; machines get the ids."""
    ops = importing({1: imported("a1", known=("k1",))})

    said = monoctl("--json", "accounts", "import", reach=FakeReach(ops=ops))

    assert said.exit_code == 0
    assert json.loads(said.stdout) == {"imported": ["a1"], "known": ["k1"], "skipped": {}}


def test_an_import_that_does_not_move_on_is_refused() -> None:
    """The same page again would never end."""
    ops = importing({1: imported("a1", next_page=1)})

    assert monoctl("accounts", "import", reach=FakeReach(ops=ops)).exit_code == 8


def test_named_accounts_are_imported_a_few_at_a_time_and_once_each() -> None:
    """Each costs a request to Mono, and an invocation has an end."""
    ids = [account_row(number)["mono_account_id"] for number in range(60)]
    ops = ScriptedOps(lambda _, arguments: imported(*arguments["account_ids"]))

    said = monoctl("accounts", "import", *ids, ids[0], reach=FakeReach(ops=ops))

    assert [len(arguments["account_ids"]) for _, arguments in ops.asked] == [25, 25, 10]
    assert "60 imported" in said.stdout


def test_one_bad_id_stops_the_import_before_it_starts() -> None:
    """Half an import by a typo is worse than none."""
    ops = ScriptedOps(lambda *_: imported())

    assert monoctl("accounts", "import", ACCOUNT, "nonsense", reach=FakeReach(ops=ops)).exit_code == 2
    assert ops.asked == []


def test_a_failing_import_is_no_empty_import() -> None:
    """Mono is down: exit 7, and no counts."""

    def down(*_: object) -> Row:
        raise OpsRefused("MonoServerError", "Mono answered 500")

    said = monoctl("accounts", "import", reach=FakeReach(ops=ScriptedOps(down)))

    assert (said.exit_code, said.stdout) == (7, "")


def test_an_error_that_nobody_explained_is_not_hidden() -> None:
    """A bug keeps its traceback."""

    def bug(*_: object) -> Row:
        raise KeyError("accounts")

    with pytest.raises(KeyError):
        monoctl("accounts", "list", reach=FakeReach(ops=ScriptedOps(bug)))


def test_a_reauth_link_is_one_line_for_people_and_a_document_for_machines() -> None:
    """The ops function asks Mono; the link is not broken by a narrow terminal."""
    link = "https://link.mono.co/" + "A" * 90
    ops = ScriptedOps(lambda _action, _arguments: {"account_id": ACCOUNT, "link_status": "linked", "url": link})

    said = monoctl(
        "accounts", "reauth-link", ACCOUNT, "--redirect-url", "https://x.example/b", reach=FakeReach(ops=ops)
    )
    machine = monoctl("--json", "accounts", "reauth-link", ACCOUNT, reach=FakeReach(ops=ops))

    assert (said.exit_code, said.stdout) == (0, f"{link}\n")
    assert json.loads(machine.stdout) == {"account_id": ACCOUNT, "link_status": "linked", "url": link}
    assert ops.asked == [
        ("accounts.reauth_link", {"account_id": ACCOUNT, "redirect_url": "https://x.example/b"}),
        ("accounts.reauth_link", {"account_id": ACCOUNT, "redirect_url": None}),
    ]


@pytest.mark.parametrize(("code", "exit_code"), [("AccountBlocked", 6), ("MonoServerError", 7), ("AccountUnknown", 2)])
def test_a_reauth_link_that_there_is_none_of(code: str, exit_code: int) -> None:
    """Unlinked, Mono down, unknown."""

    def refuse(_action: str, _arguments: Mapping[str, Any]) -> Row:
        raise OpsRefused(code, "no")

    assert monoctl("accounts", "reauth-link", ACCOUNT, reach=FakeReach(ops=ScriptedOps(refuse))).exit_code == exit_code


ERASED = {
    "account_id": ACCOUNT,
    "erasure_id": "0d4b9a52-7a2b-4b0e-8a53-2f6d7f1f9c10",
    "erased_at": "2026-11-24T12:00:00+00:00",
    "erased_by": "ada@example.com",
    "reason": "request 7",
    "rows": {"transactions": 30, "versions": 31, "quarantined": 1},
}


def test_an_erasure_says_what_is_gone_and_who_wanted_it() -> None:
    """The id is given twice; who asks is who is signed in, not what an option says."""
    ops = ScriptedOps(lambda _action, _arguments: ERASED)
    words = ("accounts", "erase", ACCOUNT, "--confirm", ACCOUNT, "--reason", "request 7")

    done = monoctl(*words, reach=FakeReach(ops=ops))

    assert done.exit_code == 0, done.output
    assert "30 transactions are tombstones now" in done.stdout
    asked = {"account_id": ACCOUNT, "confirm": ACCOUNT, "actor": "ada@example.com", "reason": "request 7"}
    assert ops.asked == [("accounts.erase", asked)]
    assert json.loads(monoctl("--json", *words, reach=FakeReach(ops=ops)).stdout) == ERASED


@pytest.mark.parametrize("missing", ["--confirm", "--reason"])
def test_an_erasure_without_its_reason_or_the_id_again_is_a_usage_error(missing: str) -> None:
    """Nothing is asked of anybody."""
    ops = ScriptedOps(lambda _action, _arguments: ERASED)
    given = {"--confirm": ACCOUNT, "--reason": "request 7"}
    rest = [word for name, value in given.items() if name != missing for word in (name, value)]

    assert monoctl("accounts", "erase", ACCOUNT, *rest, reach=FakeReach(ops=ops)).exit_code == 2
    assert ops.asked == []
