"""`monoctl backfill` against the real engine: months through the backfill queue, skipped where the ledger has them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from mono_pipeline.core.deadline import Deadline
from mono_pipeline.usecases.operations import Operations
from mono_pipeline.usecases.wake_up import WakeUp
from monoctl.environment import EnvironmentName
from tests.unit.monoctl.stand_ins import FakeClock, FakeReach, Said, monoctl

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Pipeline

pytestmark = pytest.mark.integration


class Worker(FakeClock):
    """Works on what the backfill queue holds while monoctl pauses; its messages are those of a real queue."""

    def __init__(self, pipeline: Pipeline) -> None:
        super().__init__()
        self._pipeline = pipeline
        self.served = 0

    def pause(self, seconds: float) -> None:
        """Serve."""
        super().pause(seconds)
        worker = self._pipeline.worker
        for message in self._pipeline.backfill.drain():
            wake = WakeUp(worker, queue=worker.backfill)
            wake.serve(message, sent_at=self._pipeline.now(), deadline=self._pipeline.soon())
            self.served += 1


class Ops:
    """The ops function, as JSON carries its questions and answers."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def ask(self, action: str, **arguments: Any) -> dict[str, Any]:
        """Answer; an error of the pipeline fails the test."""
        event = json.loads(json.dumps({"action": action, **arguments}))
        answer = json.loads(json.dumps(Operations(self._pipeline.worker).perform(event, Deadline.after(30))))
        assert "error" not in answer, answer
        return dict(answer)


def backfill(pipeline: Pipeline, *arguments: str, worker: Worker | None = None) -> Said:
    """What the command says, with a worker beside it."""
    return monoctl(
        "--json", "backfill", *arguments,
        reach=FakeReach(ops=Ops(pipeline)), clock=worker or Worker(pipeline), environment=EnvironmentName.LOCAL,
    )  # fmt: skip


def past(pipeline: Pipeline) -> tuple[date, date]:
    """From the middle of a month to the middle of the one after the next: three windows, all long over."""
    first = (pipeline.today().replace(day=1) - timedelta(days=100)).replace(day=15)
    last = (first.replace(day=1) + timedelta(days=62)).replace(day=14)
    return first, last


def test_the_months_of_a_range_are_read_and_nothing_else(pipeline: Pipeline) -> None:
    """Every row of these days is the bank's, each month verified by a run of its own, and the ledger has them."""
    account = pipeline.link(transactions=200, days=150)
    first, last = past(pipeline)

    said = backfill(pipeline, "--account", account, "--from", str(first), "--to", str(last))

    assert said.exit_code == 0
    windows = json.loads(said.stdout)["windows"]
    assert [window["state"] for window in windows] == ["completed"] * 3
    assert (windows[0]["first"], windows[-1]["last"]) == (str(first), str(last))
    runs = pipeline.runs(account)
    assert {(run["kind"], run["requested_by"], run["verdict"]) for run in runs} == {("window", "backfill", "verified")}
    wanted = {key for key, row in pipeline.truth(account).items() if first <= row[5] <= last}
    stored = pipeline.stored(account)
    assert wanted <= set(stored)
    assert all(pipeline.truth(account)[key] == row for key, row in stored.items())
    covered = Ops(pipeline).ask("verify.account", account_id=account, **{"from": str(first), "to": str(last)})[
        "coverage"
    ]
    assert covered["complete"] is True


def test_months_of_an_account_begin_an_interval_apart(new_pipeline: Callable[..., Pipeline]) -> None:
    """However soon each of them is done; the plan's estimate says so."""
    pipeline = new_pipeline(backfill_interval_seconds=7)
    account = pipeline.link(transactions=100, days=150)
    pipeline.sync(account)
    first, last = past(pipeline)

    class InTime(Worker):
        def pause(self, seconds: float) -> None:
            pipeline.let_pass(seconds=int(seconds))
            super().pause(seconds)

    span = ("--account", account, "--from", str(first), "--to", str(last), "--again")
    said = backfill(pipeline, *span, worker=InTime(pipeline))

    assert said.exit_code == 0
    assert json.loads(said.stdout)["seconds"] == 3 * 7
    begun = sorted(run["started_at"] for run in pipeline.runs(account) if run["kind"] == "window")
    assert [later - earlier >= timedelta(seconds=7) for earlier, later in pairwise(begun)] == [True, True]


def test_a_second_time_there_is_nothing_to_do_unless_again(pipeline: Pipeline) -> None:
    """The ledger is what is skipped by."""
    account = pipeline.link(transactions=100, days=150)
    first, last = past(pipeline)
    span = ("--account", account, "--from", str(first), "--to", str(last))
    backfill(pipeline, *span)
    pipeline.sandbox.clear_requests()

    said = backfill(pipeline, *span)

    assert (said.exit_code, pipeline.sandbox.requests()) == (0, [])
    assert {window["state"] for window in json.loads(said.stdout)["windows"]} == {"covered"}
    backfill(pipeline, *span, "--again")
    assert len(pipeline.runs(account)) == 6


def test_interrupted_it_goes_on_where_it_was(pipeline: Pipeline) -> None:
    """Ctrl-C with a run asked for and not served: the second time this run is followed, no month read twice."""
    account = pipeline.link(transactions=100, days=150)
    first, last = past(pipeline)
    span = ("--account", account, "--from", str(first), "--to", str(last))

    class Interrupted(Worker):
        def pause(self, seconds: float) -> None:
            if self.served == 1:
                raise KeyboardInterrupt
            super().pause(seconds)

    assert backfill(pipeline, *span, worker=Interrupted(pipeline)).exit_code == 8
    runs = pipeline.runs(account)
    assert [run["status"] for run in runs] == ["completed", "running"]

    said = backfill(pipeline, *span)

    assert said.exit_code == 0
    assert len(pipeline.runs(account)) == 3
    assert {run["run_id"] for run in runs} < {run["run_id"] for run in pipeline.runs(account)}
    assert {run["status"] for run in pipeline.runs(account)} == {"completed"}


def test_what_was_changed_behind_our_back_is_put_right_by_reading_again(pipeline: Pipeline) -> None:
    """As docs/verification.md says: changed and lost rows are the bank's again, and the change is in the history."""
    account = pipeline.link(transactions=200, days=150)
    pipeline.sync(account)
    first, last = past(pipeline)
    changed, lost = sorted(key for key, row in pipeline.truth(account).items() if first <= row[5] <= last)[:2]
    pipeline.rows("UPDATE bank_transactions SET amount_minor = 7 WHERE mono_transaction_id = :id", id=changed)
    pipeline.rows("DELETE FROM bank_transactions WHERE mono_transaction_id = :id", id=lost)

    said = backfill(pipeline, "--account", account, "--from", str(first), "--to", str(last), "--again")

    assert said.exit_code == 0
    assert pipeline.stored(account) == pipeline.truth(account)
    live = Ops(pipeline).ask("verify.account", account_id=account, live=True)
    assert live["verdict"]["kind"] == "verified"
    versions = pipeline.rows(
        "SELECT amount_minor FROM transaction_versions WHERE mono_transaction_id = :id ORDER BY version", id=changed
    )
    assert [row["amount_minor"] for row in versions] == [7, pipeline.truth(account)[changed][0]]


def test_the_newest_days_are_read_once_a_day(pipeline: Pipeline) -> None:
    """They are due again until late postings have had time; but not twice on one day."""
    account = pipeline.link(transactions=100, days=30)
    today = pipeline.today()
    span = ("--account", account, "--from", str(today - timedelta(days=3)), "--to", str(today + timedelta(days=30)))

    assert backfill(pipeline, *span).exit_code == 0
    assert {w["state"] for w in json.loads(backfill(pipeline, *span).stdout)["windows"]} == {"covered"}
    assert json.loads(backfill(pipeline, *span).stdout)["windows"][-1]["last"] == str(today)
    pipeline.let_pass(days=1)
    again = json.loads(backfill(pipeline, *span, "--dry-run").stdout)["windows"]
    assert "open" in {window["state"] for window in again}


def test_with_the_flag_off_nothing_is_asked_for(pipeline: Pipeline) -> None:
    """Deferred, and no run waits for a flag."""
    account = pipeline.link(transactions=10)
    pipeline.ssm.set("false")

    said = backfill(pipeline, "--account", account, "--from", "2020-01-01", "--to", "2020-02-28")

    assert said.exit_code == 3
    assert pipeline.runs(account) == []
    assert pipeline.backfill.messages == []


def test_the_estimate_is_of_rows_stored_and_the_pace_of_runs(pipeline: Pipeline) -> None:
    """Unknown before anything was read."""
    account = pipeline.link(transactions=300, days=60)
    today = pipeline.today()
    asked = {"account_id": account, "from": str(today - timedelta(days=50)), "to": str(today - timedelta(days=10))}
    before = Ops(pipeline).ask("backfill.plan", **asked)
    pipeline.sync(account)
    after = Ops(pipeline).ask("backfill.plan", again=True, **asked)

    assert (before["requests"], before["seconds"]) == (2 * len(before["windows"]), None)
    rows = sum(1 for row in pipeline.stored(account).values() if asked["from"] <= str(row[5]) <= asked["to"])
    least = rows // pipeline.settings.mono_page_limit
    assert least + len(after["windows"]) <= after["requests"] <= least + 3 * len(after["windows"])
    assert after["seconds"] > 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"from": "2199-01-01", "to": "2199-02-01"}, "InvalidInput"),
        ({}, "InvalidInput"),
        ({"account_id": "0" * 24, "from": "2020-01-01", "to": "2020-02-01"}, "AccountUnknown"),
    ],
)
def test_a_wrong_question_is_refused(pipeline: Pipeline, arguments: dict[str, str], code: str) -> None:
    """Before anything is planned or asked for."""
    account = pipeline.link(transactions=1)
    event = {"action": "backfill.plan", "account_id": account, **arguments}

    assert Operations(pipeline.worker).perform(event, Deadline.after(5))["error"]["code"] == code


def test_an_unlinked_account_is_refused(pipeline: Pipeline) -> None:
    """There is nothing to read it with."""
    account = pipeline.link(transactions=1)
    pipeline.rows("UPDATE bank_accounts SET link_status = 'unlinked'")
    event = {"action": "backfill.start", "account_id": account, "from": "2020-01-01", "to": "2020-01-31"}

    assert Operations(pipeline.worker).perform(event, Deadline.after(5))["error"]["code"] == "AccountBlocked"
