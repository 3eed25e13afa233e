"""Releases from their commands to their rows: one that goes well, and canaries that break in each of four ways."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox.effects import Hang, Status
from local.sandbox.faults import Fault
from mono_pipeline.core.flag import bucket, parse_flag
from tests.integration.release.town import Town

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_ssm import SSMClient

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration

WAIVED = ("--without-alerts", "no Prometheus in this process")
CORRUPT = """
CREATE FUNCTION corrupt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.amount_minor := NEW.amount_minor + 1;
  RETURN NEW;
END $$;
CREATE TRIGGER corrupt BEFORE INSERT ON bank_transactions FOR EACH ROW WHEN (NEW.account_id = {account})
  EXECUTE FUNCTION corrupt();
"""


def canary(town: Town, account: str) -> Any:
    """The canary of an account, with its usual terms."""
    return town.monoctl("canary", "start", "--account", account, "--reason", "launch", *WAIVED)


def runs_of(town: Town, account: str) -> int:
    """How many runs an account has."""
    return len(town.pipeline.runs(account))


def test_from_nobody_to_everybody(town: Town) -> None:
    """0 -> canary -> 1, 5, 25, 50, 100 %: at each step those and no others have come on, and all is the bank's."""
    accounts = sorted((town.pipeline.link(transactions=20) for _ in range(9)), key=lambda each: bucket("", each))
    first = accounts[-1]  # by the percentage it would be the last one

    began = canary(town, first)
    after_canary = {each: runs_of(town, each) for each in accounts}
    promoted = town.monoctl("promote", "--reason", "launch", *WAIVED)

    assert (began.exit_code, began.end["decision"]) == (0, "promote")
    assert after_canary.pop(first) >= 4
    assert set(after_canary.values()) == {0}
    assert (promoted.exit_code, promoted.end["reached"]) == (0, 100)
    steps = {each["detail"]["percentage"]: each["detail"] for each in town.events() if each["kind"] == "promotion.step"}
    assert list(steps) == [100, 500, 2_500, 5_000, 10_000]
    on = {first}
    for percentage, step in steps.items():
        now_on = {each for each in accounts if bucket("", each) < percentage} | on
        assert step["accounts"] == len(now_on - on)
        on = now_on
    assert on == set(accounts)
    for each in accounts:
        assert town.pipeline.stored(each) == town.pipeline.truth(each)
    assert town.events()[-1]["kind"] == "promotion.finished"
    assert town.monoctl("release", "list").end["releases"][0]["status"] == "promoted"


def slow(town: Town, account: str) -> None:
    """The bank answers in more than the SLA."""
    town.pipeline.sandbox.inject(Fault(effect=Hang(seconds=2.1), account=account, path="*/transactions", times=None))

    def as_long_as_it_takes() -> None:
        """The window's clock waits for the bank."""
        with town.asking:
            return

    town.on_pause = as_long_as_it_takes


def failing(town: Town, account: str) -> None:
    """The bank does not answer but with errors."""
    town.pipeline.sandbox.inject(Fault(effect=Status(status=500), account=account, path="*/transactions", times=None))


def wrong(town: Town, account: str) -> None:
    """What lands is not what was read: code that is wrong by a kobo."""
    internal = town.pipeline.account_row(account)["id"]
    for statement in CORRUPT.format(account=internal).split(";\nCREATE TRIGGER"):
        town.pipeline.rows(statement if statement.lstrip().startswith("CREATE F") else f"CREATE TRIGGER{statement}")
    town.pipeline.sandbox.add(account, count=3)


def doubled(town: Town, account: str) -> None:
    """The bank's rows come under new ids while the window is open."""
    paused = iter(range(10**6))

    def remint_once() -> None:
        if next(paused) == 20:
            town.pipeline.sandbox.remint(account)

    town.on_pause = remint_once


BROKEN: dict[str, tuple[Callable[[Town, str], None], int]] = {
    "latency": (slow, 7),
    "error_ratio": (failing, 7),
    "mismatch": (wrong, 5),
    "duplicate_suspicion": (doubled, 5),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_canary_that_breaks_is_rolled_back_and_the_rest_never_saw_it(
    pipeline: Pipeline, ssm: SSMClient, reason: str
) -> None:
    """By its reason, within the window; who was on before stays on, and none of their runs is any other than before."""
    town = Town(pipeline, ssm, slow=time.sleep)
    broken, rest, off = (town.known() for _ in range(3))
    town.flag = f'{{"enabled": true, "allow": ["{rest}"]}}'
    town.ask(rest, start=None, end=None)
    break_it, code = BROKEN[reason]
    break_it(town, broken)
    before = {each: runs_of(town, each) for each in (rest, off)}

    ended = canary(town, broken)

    assert (ended.exit_code, ended.end["decision"], ended.end["reason"]) == (code, "roll_back", reason)
    assert town.clock.seconds < 900
    assert parse_flag(town.flag).allow == {rest}
    assert town.ask(broken, start=None, end=None).status == "deferred"
    assert town.ask(rest, start=None, end=None).status == "completed"
    assert {each: runs_of(town, each) for each in (rest, off)} == {rest: before[rest] + 1, off: before[off]}
    assert {run["status"] for run in pipeline.runs(rest)} == {"completed"}
    for each in (rest, off):
        assert pipeline.stored(each) == pipeline.truth(each)
    assert [each["kind"] for each in town.events()][-3:] == ["flag.changed", "canary.stopped", "rollback.finished"]
    assert town.monoctl("release", "list").end["releases"][0]["status"] == "rolled_back"


def test_a_canary_that_cannot_be_read_is_held(town: Town) -> None:
    """Its customer has unlinked it: there is no run to judge, and nothing is promoted on that."""
    account = town.known()
    town.pipeline.rows("UPDATE bank_accounts SET link_status = 'unlinked'")

    ended = canary(town, account)

    assert (ended.exit_code, ended.end["decision"]) == (4, "hold")
    assert ended.end["reason"] == "insufficient_data"
    assert set(ended.documents[-2]["asks"]) == {"account_blocked"}


def test_somebody_else_s_edit_is_reported_with_both_values(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """The canary that meets it ends with the conflict, and begins no window."""
    account = town.known()
    put = town.parameters.put.__func__  # type: ignore[attr-defined]
    theirs = iter(["true"])

    def put_after_somebody(self: Any, name: str, value: str, **options: Any) -> int:
        for text in theirs:
            town.flag = text
        version: int = put(self, name, value, **options)
        return version

    monkeypatch.setattr("mono_pipeline.adapters.parameters.ParameterStore.put", put_after_somebody)

    ended = canary(town, account)

    assert ended.exit_code == 8
    assert "theirs 'true'" in ended.end["error"]["message"]
    assert account in ended.end["error"]["message"]
    assert [each["kind"] for each in town.events()] == []


def test_who_comes_on_by_the_next_step_is_compared_before_anybody_does(town: Town) -> None:
    """The flag is off, nothing lands, no run begins; what is wrong of one that is known is said by its name."""
    known, new = town.known(), town.pipeline.link(transactions=12)
    newest = max(town.pipeline.sandbox.truth(known)["bank"], key=lambda row: row["date"])
    town.pipeline.rows(
        "UPDATE bank_transactions SET amount_minor = amount_minor + 500 WHERE mono_transaction_id = :id",
        id=newest["id"],
    )
    before, runs = town.pipeline.stored(known), runs_of(town, known)

    canary_read = town.monoctl("canary", "start", "--account", new, "--shadow")
    step_read = town.monoctl("promote", "--step", "100", "--shadow")

    (compared,) = canary_read.end["accounts"]
    assert (canary_read.exit_code, compared["counts"]["inserted"]) == (0, 12)
    verdicts = {each["account_id"]: each["verdict"]["kind"] for each in step_read.end["accounts"]}
    assert (step_read.exit_code, step_read.end["stage"], verdicts) == (5, "100 %", {known: "mismatch", new: "verified"})
    assert town.flag == "false"
    assert (town.pipeline.stored(known), town.pipeline.stored(new)) == (before, {})
    assert (runs_of(town, known), runs_of(town, new)) == (runs, 0)
