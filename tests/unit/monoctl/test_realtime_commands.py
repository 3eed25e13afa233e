"""`monoctl sync --realtime`, `accounts realtime`, `accounts slo`: one call, its end, its price, never a second one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from monoctl.errors import OpsRefused
from tests.unit.monoctl.stand_ins import (
    ACCOUNT,
    FakeClock,
    FakeReach,
    ScriptedApi,
    ScriptedOps,
    answer,
    golden,
    monoctl,
    run_document,
    without_margins,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    type Row = dict[str, Any]


def standing(state: str | None = "finished", **fields: Any) -> Row:
    """Return how an account's real-time stands, with its newest call in `state`."""
    open_call = state in {"asked", "processing"}
    call = state and {
        "state": state,
        "job_id": "66f3d5c1a2b3c4d5e6f70819",
        "asked_at": "2026-11-24 11:59:00+00:00",
        "polled_at": None,
        "ended_at": None if open_call else "2026-11-24 11:59:40+00:00",
        "has_new_data": None if open_call else state == "finished",
        "charged_ngn": None if open_call else 100 * (state in {"finished", "unknown"}),
        "reserved_ngn": 100,
        "reason": {"refused": "mono_rejected", "unknown": "mono_unreachable"}.get(state),
    }
    told = {
        "account_id": ACCOUNT,
        "policy": "on-demand",
        "spent_ngn": 2_400,
        "monthly_cap_ngn": 50_000,
        "fresh_as_of": "2026-11-24 11:59:00+00:00",
        "call": call,
    }
    return {**told, **fields}


def telling(answers: Iterable[Row]) -> ScriptedOps:
    """Return an ops function that gives these answers in order."""
    script = iter(answers)
    return ScriptedOps(lambda *_: next(script))


def synced() -> ScriptedApi:
    """Return an API whose sync is verified."""
    return ScriptedApi(asks=[answer("completed", run=run_document())])


def test_a_finished_call_is_followed_by_the_sync() -> None:
    """One call, then the sync as without it; the exit code is the sync's."""
    ops, api = telling([{"status": "asked", **standing()}]), synced()

    said = monoctl("sync", ACCOUNT, "--realtime", reach=FakeReach(api=api, ops=ops))

    assert (said.exit_code, without_margins(said.stdout)) == (0, golden("sync"))
    assert ops.asked == [("realtime.refresh", {"account_id": ACCOUNT})]
    assert api.asked == [(ACCOUNT, None, None)]
    assert "Mono has fetched from the bank" in said.stderr


def test_a_job_under_way_is_looked_at_and_never_asked_for_again() -> None:
    """Every ten seconds, by `realtime.show`, which pays for nothing."""
    looks: list[Row] = [standing("processing"), standing("processing"), standing()]
    ops, api, clock = telling([{"status": "asked", **standing("processing")}, *looks]), synced(), FakeClock()

    said = monoctl("sync", ACCOUNT, "--realtime", reach=FakeReach(api=api, ops=ops), clock=clock)

    assert said.exit_code == 0
    assert [action for action, _ in ops.asked] == ["realtime.refresh", *["realtime.show"] * 3]
    assert clock.pauses == [10.0] * 3


def test_a_call_of_less_than_five_minutes_ago_is_the_one_that_is_waited_for() -> None:
    """Whoever types the command twice pays once."""
    recent = {"status": "refused", "reason": "recent", **standing("processing")}
    ops, api = telling([recent, standing()]), synced()

    assert monoctl("sync", ACCOUNT, "--realtime", reach=FakeReach(api=api, ops=ops)).exit_code == 0
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("options", "code"), [(("--timeout", "30"), 8), (("--no-wait",), 0)], ids=["time is up", "nobody waits"]
)
def test_a_job_that_takes_longer_is_left_to_the_schedule(options: tuple[str, ...], code: int) -> None:
    """The sync follows by itself; the API is not asked for one that would read the old copy."""
    ops = ScriptedOps(lambda *_: {"status": "asked", **standing("processing")})
    api = ScriptedApi()

    said = monoctl("sync", ACCOUNT, "--realtime", *options, reach=FakeReach(api=api, ops=ops))

    assert said.exit_code == code
    assert api.asked == []
    assert "a sync follows by itself" in said.stderr


@pytest.mark.parametrize(
    ("reason", "code", "words"),
    [
        ("policy_never", 2, f"monoctl accounts realtime {ACCOUNT} on-demand"),
        ("monthly_cap", 2, "REALTIME_MONTHLY_CAP_NGN is 50000, NGN 2400 are spent"),
        ("flag_off", 3, "monoctl flag show"),
        ("unlinked", 6, "unlinked"),
        ("rate_budget", 7, "nothing was paid"),
    ],
)
def test_a_call_that_is_not_made_says_what_to_do(reason: str, code: int, words: str) -> None:
    """And no sync is asked for in its stead."""
    ops = telling([{"status": "refused", "reason": reason, **standing(None)}])

    said = monoctl("sync", ACCOUNT, "--realtime", reach=FakeReach(api=ScriptedApi(), ops=ops))

    assert said.exit_code == code
    assert words in said.stderr


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ("failed", 6, f"monoctl accounts reauth-link {ACCOUNT}"),
        ("refused", 7, "Mono started nothing (mono_rejected)"),
        ("unknown", 8, "(mono_unreachable); it counts as charged"),
    ],
)
def test_a_call_that_brought_nothing_says_why(state: str, code: int, words: str) -> None:
    """With what it cost."""
    ops = telling([{"status": "asked", **standing(state)}])

    said = monoctl("sync", ACCOUNT, "--realtime", reach=FakeReach(api=ScriptedApi(), ops=ops))

    assert said.exit_code == code
    assert words in said.stderr
    assert "NGN" in said.stdout


def test_a_sync_without_the_option_pays_for_nothing() -> None:
    """The ops function is not even asked."""
    ops = ScriptedOps(lambda *_: {})

    monoctl("sync", ACCOUNT, reach=FakeReach(api=synced(), ops=ops))

    assert ops.asked == []


def test_the_policy_is_set_and_shown_with_what_the_month_has_cost() -> None:
    """On 80 columns."""
    ops = telling([standing("processing", policy="daily")])

    said = monoctl("accounts", "realtime", ACCOUNT, "daily", reach=FakeReach(ops=ops))

    assert (said.exit_code, without_margins(said.stdout)) == (0, golden("accounts_realtime"))
    assert ops.asked == [("realtime.policy", {"account_id": ACCOUNT, "policy": "daily"})]
    assert said.stderr == f"writing the policy of {ACCOUNT} ...\n"  # and no warning


def test_a_policy_without_a_cap_is_said_to_do_nothing() -> None:
    """The default cap allows no call at all."""
    ops = telling([standing(None, monthly_cap_ngn=0, spent_ngn=0)])

    said = monoctl("accounts", "realtime", ACCOUNT, "on-demand", reach=FakeReach(ops=ops))

    assert "REALTIME_MONTHLY_CAP_NGN is 0" in said.stderr


def test_another_word_than_the_three_is_refused_before_anybody_is_asked() -> None:
    """Usage."""
    ops = ScriptedOps(lambda *_: {})

    assert monoctl("accounts", "realtime", ACCOUNT, "hourly", reach=FakeReach(ops=ops)).exit_code == 2
    assert monoctl("accounts", "realtime", "nonsense", "daily", reach=FakeReach(ops=ops)).exit_code == 2
    assert ops.asked == []


@pytest.mark.parametrize(("typed", "hours"), [("48", 48), ("default", None)])
def test_an_slo_is_set_in_hours_or_given_back(typed: str, hours: int | None) -> None:
    """`default` is the setting's again."""
    ops = ScriptedOps(lambda *_: {"account_id": ACCOUNT, "slo_hours": hours or 26})

    said = monoctl("accounts", "slo", ACCOUNT, typed, reach=FakeReach(ops=ops))

    assert ops.asked == [("freshness.slo", {"account_id": ACCOUNT, "hours": hours})]
    assert f"stale after {hours or 26} h" in said.stdout


def test_an_slo_that_is_no_number_is_refused() -> None:
    """And the pipeline's own bounds come back as usage."""

    def refused(_action: str, _arguments: Mapping[str, Any]) -> Row:
        raise OpsRefused("InvalidInput", "hours: is no whole number of hours from 1 to 8784")

    reach = FakeReach(ops=ScriptedOps(refused))
    assert monoctl("accounts", "slo", ACCOUNT, "-4", reach=reach).exit_code == 2
    assert monoctl("accounts", "slo", ACCOUNT, "1.5", reach=reach).exit_code == 2
    assert monoctl("accounts", "slo", ACCOUNT, "0", reach=reach).exit_code == 2


def test_machines_get_the_standing_as_it_came() -> None:
    """One document."""
    told = standing("processing")

    said = monoctl("--json", "accounts", "realtime", ACCOUNT, "daily", reach=FakeReach(ops=telling([told])))

    assert json.loads(said.stdout) == told
