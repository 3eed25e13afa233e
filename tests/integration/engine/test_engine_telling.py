from __future__ import annotations

import io
import json
import sys
from copy import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from aws_lambda_powertools import Logger

from functions.sync import worker
from local.sandbox.effects import Body, Rows, Status, WrongAccount
from local.sandbox.faults import Fault
from mono_pipeline.adapters import emf, telemetry
from mono_pipeline.adapters.telemetry import Telemetry
from mono_pipeline.core.errors import DatabaseUnavailable
from mono_pipeline.core.run import RunStatus
from mono_pipeline.usecases import run_watch
from tests.told import Told, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness import Pipeline

CANARIES = ("CANARY-NARRATION", "CANARY-NAME", "0123454321", "22299988877", "CANARY-CATEGORY", "CANARY-REF")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """What is written."""
    yield from listening(monkeypatch)


@pytest.fixture
def loud(pipeline: Pipeline, told: Told) -> Pipeline:
    """A pipeline whose worker tells of everything as a deployed function does."""
    assert told.lines == []
    pipeline.worker = replace(pipeline.worker, observer=Telemetry())
    return pipeline


def only(told: Told, name: str) -> dict[str, Any]:
    """The one line of an event."""
    (line,) = (line for line in told.events if line["message"] == name)
    return line


def test_every_stage_of_a_run_is_measured_where_it_happens(loud: Pipeline, told: Told) -> None:
    """A first history is a backfill, what follows is a sync; reading rows and landing them are stages of both."""
    account = loud.link(transactions=60)
    loud.sync(account)
    for stage in ("backfill", "transform", "persist"):
        (seconds,) = told.values("stage_seconds", stage=stage, outcome="ok")
        assert 0 < seconds < 60
    assert told.values("stage_seconds", stage="sync", outcome="ok") == []
    loud.sync(account)

    assert len(told.values("stage_seconds", stage="sync", outcome="ok")) == 1
    assert len(told.values("stage_seconds", stage="transform", outcome="ok", account_id=account)) == 2
    assert told.values("runs_total", status="completed") == [1, 1]


def test_the_canonical_line_says_what_the_run_s_row_says(loud: Pipeline, told: Told) -> None:
    """Counts, verdict, window and ids are the database's, and the same ids are in its metrics."""
    account = loud.link(transactions=45, days=5)
    loud.sync(account)
    told.stream.truncate(0)
    told.stream.seek(0)
    loud.sandbox.add(account, rows=[{"amount": 5, "type": "credit"}] * 3)
    end = loud.sync(account)
    row = loud.worker.runs.show(end.run.run_id)
    assert row is not None
    line = only(told, "mono.pipeline.completed")

    for name in ("rows_seen", "rows_inserted", "rows_updated", "rows_unchanged", "rows_quarantined"):
        assert line[name] == row[name]
    assert line["rows_inserted"] == 3
    assert (line["run_id"], line["correlation_id"]) == (str(row["run_id"]), row["correlation_id"])
    assert (line["verdict"], line["status"]) == (row["verdict"], "completed")
    assert (line["window_start"], line["window_end"]) == (str(row["window_start"]), str(row["window_end"]))
    assert (
        0 < line["sync_seconds"] + line["transform_seconds"] + line["persist_seconds"] < 2 * line["total_seconds"] + 1
    )
    ids = {"run_id": line["run_id"], "correlation_id": line["correlation_id"], "account_id": account}
    assert all({name: each[name] for name in ids} == ids for each in told.lines)


def test_a_complete_pass_that_read_nothing_is_counted_and_one_that_read_something_is_a_zero(
    loud: Pipeline, told: Told
) -> None:
    """One value a complete run, so that the alert is never silent for want of a series."""
    for transactions in (0, 5):
        loud.sync(loud.link(transactions=transactions))
    assert told.values("zero_transactions_total") == [1, 0]


def test_a_failing_bank_is_an_error_of_the_fetch_alone(loud: Pipeline, told: Told) -> None:
    """Its run, its error and its stage; nothing was landed, so that landing has no outcome."""
    account = loud.link(transactions=5)
    loud.sandbox.inject(Fault(effect=Status(status=404), path="*/transactions", times=None))
    end = loud.sync(account)
    line = only(told, "mono.pipeline.completed")

    assert (end.status, line["status"], line["error_code"]) == (RunStatus.FAILED, "failed", "mono_not_found")
    assert told.values("errors_total", stage="backfill", reason="mono_not_found") == [1]
    assert told.values("errors_total", stage="backfill", reason="mono_not_found", account_id=account) == [1]
    assert len(told.values("stage_seconds", stage="backfill", outcome="error")) == 1
    assert [each for each in told.points if ("stage", "persist") in each.series.dimensions] == []
    assert told.values("zero_transactions_total") == []


def test_a_page_that_cannot_be_read_is_an_error_of_reading_too(loud: Pipeline, told: Told) -> None:
    """Not of landing: that has not begun."""
    account, stranger = loud.link(transactions=60), loud.link(transactions=60)
    loud.sandbox.inject(Fault(effect=WrongAccount(account=stranger), path="*/transactions", page=2, times=None))
    loud.sync(account)

    assert told.values("errors_total", stage="backfill", reason="mono_wrong_account") == [1]
    for stage in ("backfill", "transform"):
        assert len(told.values("stage_seconds", stage=stage, outcome="error")) == 1
    assert [each for each in told.points if ("stage", "persist") in each.series.dimensions] == []


def test_a_database_that_is_gone_is_an_error_of_landing(
    loud: Pipeline, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is raised on, so that the queue delivers again; the fetch itself went well."""
    account = loud.link(transactions=5)
    monkeypatch.setattr(loud.worker.transactions, "flush", _gone)
    with pytest.raises(DatabaseUnavailable):
        loud.sync(account)

    assert told.values("errors_total", stage="persist", reason="database_unavailable") == [1]
    assert len(told.values("stage_seconds", stage="persist", outcome="error")) == 1
    assert len(told.values("stage_seconds", stage="backfill", outcome="ok")) == 1
    assert only(told, "mono.run.broke")["error"] == "DatabaseUnavailable"


def test_a_defect_is_counted_as_unexpected_and_told_by_its_type_alone(
    loud: Pipeline, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its text may hold anything."""
    account = loud.link(transactions=5)
    monkeypatch.setattr(loud.worker.evidence, "cover", _defect)
    with pytest.raises(ZeroDivisionError):
        loud.sync(account)

    assert told.values("errors_total", stage="backfill", reason="unexpected") == [1]
    assert "CANARY" not in told.stream.getvalue()


def _gone(*_: object) -> None:
    raise DatabaseUnavailable


def _defect(*_: object) -> None:
    raise ZeroDivisionError("CANARY-NARRATION")


def test_quarantined_rows_are_counted_by_reason(loud: Pipeline, told: Told) -> None:
    """As many as the run's row says, and of the reasons that stand in quarantine."""
    account = loud.link(transactions=8)
    broken = {0: {"amount": "much"}, 1: {"amount": None}, 2: {"type": "transfer"}}
    loud.sandbox.inject(Fault(effect=Rows(patched=broken), path="*/transactions", times=None))
    end = loud.sync(account)

    assert loud.run_row(end)["rows_quarantined"] == 3
    assert told.values("quarantined_rows_total", reason="bad_amount") == [2]
    assert told.values("quarantined_rows_total", reason="bad_type") == [1]
    assert only(told, "mono.rows.quarantined")["reasons"] == {"bad_amount": 2, "bad_type": 1}


def test_a_slow_bank_is_told_of_with_its_account(loud: Pipeline, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event carries the ids that its run is found by."""
    account = loud.link(transactions=5)
    loud.sync(account)
    monkeypatch.setattr(run_watch, "SLA_SECONDS", 0.0)
    loud.sync(account)
    line = only(told, "mono.fetch.latency_sla_exceeded")
    assert (line["account_id"], line["level"]) == (account, "WARNING")


@pytest.mark.parametrize(("flag", "reason"), [("true", "DEFAULT"), ("false", "OFF"), ("0%", "ROLLOUT")])
def test_each_decision_of_the_flag_is_counted_by_its_reason(loud: Pipeline, told: Told, flag: str, reason: str) -> None:
    """Asked by a person, and by a tick."""
    account = loud.link(transactions=5)
    loud.sync(account)
    loud.ssm.set(flag if flag != "0%" else '{"enabled": true, "percentage": 0.01}')
    told.stream.truncate(0)
    told.stream.seek(0)
    loud.ask(account)

    assert told.values("flag_decisions_total", reason=reason) == [1]


def test_no_secret_of_a_customer_is_in_a_line(loud: Pipeline, told: Told) -> None:
    """Account number, BVN, names, narrations and categories, through a history, a broken page and a quarantine."""
    fields = {
        "name": "CANARY-NAME",
        "accountNumber": "0123454321",
        "account_number": "0123454321",
        "bvn": "22299988877",
    }
    rows = [
        {"amount": 5, "type": "credit", "narration": f"CANARY-NARRATION {n}", "category": "CANARY-CATEGORY"}
        for n in "ab"
    ]
    account = loud.link(transactions=8, rows=rows, fields=fields)
    broken = {0: {"amount": "CANARY-AMOUNT"}, 1: {"date": "CANARY-DATE"}, 2: {"type": "CANARY-TYPE"}}
    loud.sandbox.inject(Fault(effect=Rows(patched=broken), path="*/transactions", times=1))
    loud.sync(account)
    loud.sync(account)
    loud.sandbox.inject(
        Fault(effect=Body(text='{"status": "CANARY-BODY 0123454321'), path="*/transactions", times=None)
    )
    loud.sync(account)

    assert loud.rows("SELECT count(*) AS n FROM bank_transactions WHERE narration LIKE 'CANARY%'")[0]["n"] == 2
    assert len(told.lines) > 20
    assert [canary for canary in CANARIES if canary in told.stream.getvalue()] == []
    assert loud.sandbox.secret_key not in told.stream.getvalue()


class Broken(io.StringIO):
    """A standard output that takes nothing."""

    def write(self, _text: str) -> int:
        """Fail as a pipe does whose reader is gone."""
        raise BrokenPipeError


def test_a_sync_does_not_fail_because_nothing_can_be_told(loud: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither metrics nor log lines can be written: the account is synced and verified all the same."""
    monkeypatch.setattr(emf, "sys", SimpleNamespace(stdout=Broken()))
    monkeypatch.setattr(telemetry, "logger", Logger(service=f"broken-{uuid4()}", stream=Broken()))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    end = loud.sync(loud.link(transactions=30))
    assert end.verdict is not None
    assert end.verdict.kind == "verified"


def message(account: str, correlation_id: str, sent_at: float) -> dict[str, Any]:
    """A wake-up as SQS delivers it."""
    told = {"type": "mono.fetch.requested", "account_id": account, "correlation_id": correlation_id}
    return {
        "messageId": f"m-{correlation_id}",
        "receiptHandle": "r",
        "body": json.dumps({**told, "requested_by": "platform", "hop": 0}),
        "attributes": {"SentTimestamp": str(int(sent_at * 1000)), "ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:mono-pipeline-local-daily",
        "awsRegion": "eu-west-1",
    }


def test_the_correlation_id_goes_from_the_message_to_lines_metrics_and_row_and_not_to_the_next_invocation(
    loud: Pipeline, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two invocations of the worker in one warm environment, and a third whose message nobody can read."""
    here = SimpleNamespace(collaborators=loud.worker, observer=loud.worker.observer)
    monkeypatch.setattr(worker, "environment", lambda: here)
    accounts = [loud.link(transactions=5), loud.link(transactions=5)]
    seen: list[list[dict[str, Any]]] = []
    for number, account in enumerate(accounts):
        before = len(told.lines)
        context = SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000, aws_request_id=f"request-{number}")
        event = {"Records": [message(account, f"trace-{number}", loud.now())]}
        assert worker.handler(event, context) == {"batchItemFailures": []}  # type: ignore[arg-type]
        seen.append(told.lines[before:])
    before = len(told.lines)
    unreadable = {**message(accounts[0], "x", loud.now()), "body": "no json"}
    worker.handler(
        {"Records": [unreadable]},
        SimpleNamespace(get_remaining_time_in_millis=lambda: 60_000, aws_request_id="request-2"),
    )  # type: ignore[arg-type]

    for number, (account, lines) in enumerate(zip(accounts, seen, strict=True)):
        assert {line["correlation_id"] for line in lines} == {f"trace-{number}"}
        assert {line.get("account_id") for line in lines} == {account}
        assert {line["function_request_id"] for line in lines if "_aws" not in line} == {f"request-{number}"}
        assert any("_aws" in line for line in lines)
        assert [row["correlation_id"] for row in loud.runs(account)] == [f"trace-{number}"]
    poison = told.lines[before:]
    assert {line["correlation_id"] for line in poison} == {"request-2"}
    assert "account_id" not in poison[0]
    assert told.values("dead_letters_total") == [1]
