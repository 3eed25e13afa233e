"""What a person asks of freshness through the ops function, and that the functions' role may do all of it."""

from __future__ import annotations

from copy import replace
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.sandbox import Sandbox
from mono_pipeline.core.deadline import Deadline
from mono_pipeline.usecases.operations import Operations
from tests.harness import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.adapters.postgres import DatabaseAddress

pytestmark = pytest.mark.integration


@pytest.fixture
def paying(new_pipeline: Callable[..., Pipeline]) -> Pipeline:
    """A pipeline that may spend NGN 1,000 a month."""
    return new_pipeline(realtime_monthly_cap_ngn=1_000)


def ask(pipeline: Pipeline, action: str, **arguments: Any) -> dict[str, Any]:
    """Ask the ops function."""
    return Operations(pipeline.worker).perform({"action": action, **arguments}, Deadline.after(60))


def test_a_call_a_job_and_its_end(paying: Pipeline) -> None:
    """Asked once; looked at by `show` when its time has come; then fresh, with the sync asked for."""
    paying.sandbox.set_switches(realtime_job="processing", realtime_seconds=20.0)
    account = paying.link(transactions=10)
    paying.sync(account)
    assert ask(paying, "realtime.refresh", account_id=account)["reason"] == "policy_never"
    assert ask(paying, "realtime.policy", account_id=account, policy="on-demand")["policy"] == "on-demand"

    asked = ask(paying, "realtime.refresh", account_id=account)
    assert (asked["status"], asked["call"]["state"], asked["spent_ngn"]) == ("asked", "processing", 100)
    assert ask(paying, "realtime.refresh", account_id=account)["reason"] == "recent"
    assert ask(paying, "realtime.show", account_id=account)["call"]["state"] == "processing"
    paying.let_pass(seconds=31)
    shown = ask(paying, "realtime.show", account_id=account)

    assert shown["call"]["state"] == "finished"
    assert shown["fresh_as_of"] == shown["call"]["asked_at"]
    assert [message.requested_by for message in paying.daily.messages] == ["realtime"]
    assert shown["monthly_cap_ngn"] == 1_000


def test_the_list_shows_policy_and_slo(paying: Pipeline) -> None:
    """And turning the policy on again forgets why it was off."""
    account = paying.link(transactions=1)
    paying.rows("UPDATE bank_accounts SET realtime_off_reason = 'mono_payment_required'")
    ask(paying, "freshness.slo", account_id=account, hours=48)
    row = ask(paying, "accounts.show", account_id=account)["account"]
    assert (row["realtime"], row["realtime_off_reason"], row["slo_hours"]) == ("never", "mono_payment_required", 48)

    ask(paying, "realtime.policy", account_id=account, policy="daily")
    assert ask(paying, "freshness.slo", account_id=account, hours=None)["slo_hours"] == 26

    row = ask(paying, "accounts.show", account_id=account)["account"]
    assert (row["realtime"], row["realtime_off_reason"], row["slo_hours"]) == ("daily", None, 26)


@pytest.mark.parametrize(
    ("action", "given", "code"),
    [
        ("realtime.policy", {"policy": "hourly"}, "InvalidInput"),
        ("realtime.policy", {}, "InvalidInput"),
        ("freshness.slo", {"hours": 0}, "InvalidInput"),
        ("freshness.slo", {"hours": 8_785}, "InvalidInput"),
        ("freshness.slo", {"hours": True}, "InvalidInput"),
        ("freshness.slo", {"hours": "26"}, "InvalidInput"),
        ("realtime.refresh", {"account_id": "f" * 24}, "AccountUnknown"),
        ("realtime.show", {"account_id": "nonsense"}, "InvalidInput"),
    ],
)
def test_what_is_not_of_its_form_is_refused(paying: Pipeline, action: str, given: dict[str, Any], code: str) -> None:
    """By name, before anything is written."""
    account = paying.link(transactions=1)
    before = paying.account_row(account)

    assert ask(paying, action, **{"account_id": account, **given})["error"]["code"] == code
    assert paying.account_row(account) == before


def test_no_call_is_paid_for_while_the_flag_is_off(paying: Pipeline) -> None:
    """Nobody would read what it brings."""
    account = paying.link(transactions=1)
    ask(paying, "realtime.policy", account_id=account, policy="daily")
    paying.ssm.set("false")

    assert ask(paying, "realtime.refresh", account_id=account)["reason"] == "flag_off"
    assert paying.rows("SELECT FROM realtime_calls") == []


def test_the_functions_role_may_do_all_of_it(address: DatabaseAddress, pipeline: Pipeline) -> None:
    """A call, its job, staleness, an SLO, the walk, an account found and one unlinked: no right is missing."""
    bank = Sandbox(seed="freshness-grants")
    limited = Pipeline(replace(address, user="pipeline"), bank, realtime_monthly_cap_ngn=1_000)
    bank.set_switches(realtime_job="processing", realtime_seconds=1.0)
    daily, gone = limited.link(transactions=5), limited.link(transactions=5)
    ask(limited, "realtime.policy", account_id=daily, policy="daily")
    ask(limited, "freshness.slo", account_id=daily, hours=1)
    assert limited.round().realtime_calls == 1
    bank.create_account(transactions=5)
    bank.set_link_state(gone, state="unlinked")
    pipeline.rows(
        """CREATE OR REPLACE FUNCTION pipeline_now() RETURNS timestamptz
           AS $$ SELECT clock_timestamp() + interval '8 hours' $$ LANGUAGE sql VOLATILE"""
    )
    bank.set_clock(advance_seconds=8 * 3600)

    result = limited.round()

    assert (result.jobs_ended, result.repair.imported, result.repair.unlinked) == (1, 1, 1)
    assert result.stale is not None
    limited.close()
