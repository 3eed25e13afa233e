"""The sync call on the wire: what is let in, and what is said of ourselves to the outside."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mono_pipeline.core import errors
from mono_pipeline.core.booking import DateWindow
from mono_pipeline.core.errors import InvalidInput
from mono_pipeline.http.sync_call import answer, error_answer, read_sync_call, run_answer, with_flag_version
from mono_pipeline.usecases.sync_request import SyncAnswer

ID = "686265c6c41fad92985e806c"
RUN: dict[str, Any] = {
    "run_id": UUID(int=7),
    "account_id": ID,
    "status": "completed",
    "verdict": "verified",
    "verdict_reason": None,
    "first_bad_day": None,
    "rows_seen": 3,
    "rows_inserted": 1,
    "rows_updated": 1,
    "rows_unchanged": 1,
    "rows_quarantined": 0,
    "window_start": date(2026, 9, 1),
    "window_end": date(2026, 9, 30),
    "started_at": datetime(2026, 9, 30, tzinfo=UTC),
    "finished_at": None,
    "pages_read": 1,
    "mono_total": 3,
    "error_code": None,
}


def test_an_account_alone_asks_for_the_newest() -> None:
    """No window."""
    asked = read_sync_call(json.dumps({"account_id": ID}), correlation_id="c")

    assert (asked.account_id, asked.window, asked.correlation_id, asked.requested_by) == (ID, None, "c", "api")


def test_two_days_ask_for_a_window() -> None:
    """Both included."""
    body = json.dumps({"account_id": ID, "start": "2026-01-01", "end": "2026-01-01"})

    assert read_sync_call(body, correlation_id="c").window == DateWindow(start=date(2026, 1, 1), end=date(2026, 1, 1))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("", "body"),
        ("null", "body"),
        ("[]", "body"),
        ('{"account_id"', "body"),
        ("{}", "account_id"),
        (json.dumps({"account_id": None}), "account_id"),
        (json.dumps({"account_id": 7}), "account_id"),
        (json.dumps({"account_id": "' OR 1=1"}), "account_id"),
        (json.dumps({"account_id": f"{ID}/transactions"}), "account_id"),
        (json.dumps({"account_id": f"{ID}\n"}), "account_id"),
        (json.dumps({"account_id": ID, "start": "2026-01-01"}), "end"),
        (json.dumps({"account_id": ID, "end": "2026-01-01"}), "start"),
        (json.dumps({"account_id": ID, "start": "01-01-2026", "end": "2026-01-02"}), "start"),
        (json.dumps({"account_id": ID, "start": "2026-02-30", "end": "2026-03-02"}), "start"),
        (json.dumps({"account_id": ID, "start": 1_767_225_600, "end": "2026-03-02"}), "start"),
        (json.dumps({"account_id": ID, "start": "2026-01-02", "end": "2026-01-01"}), "start"),
        (json.dumps({"account_id": ID, "start": "0001-01-01", "end": "2026-01-01"}), "start"),
        (json.dumps({"account_id": ID, "start": "2026-01-01", "end": "9999-12-31"}), "end"),
        (json.dumps({"account_id": ID, "limit": 5}), "limit"),
    ],
)
def test_bad_input_is_refused_with_the_field_named(body: str, field: str) -> None:
    """422 before anything is looked up."""
    with pytest.raises(InvalidInput) as refused:
        read_sync_call(body, correlation_id="c")

    assert refused.value.field == field
    code, told, _ = error_answer(refused.value, "c")
    assert (code, told["field"], told["error"]["code"]) == (422, field, "invalid_input")


@given(body=st.one_of(st.text(), st.from_regex(r'\{"account_id": ".{0,30}", "start": ".{0,12}", "end": .{0,12}\}')))
def test_whatever_the_body_is_it_is_read_or_refused(body: str) -> None:
    """Never another error; and a window that got in can be asked for one day wider."""
    try:
        asked = read_sync_call(body, correlation_id="c")
    except InvalidInput:
        return
    if asked.window is not None:
        assert asked.window.widened(1).covered() == asked.window


@pytest.mark.parametrize(
    ("error", "code", "name", "more"),
    [
        (errors.AccountUnknown(), 404, "unknown_account", {}),
        (errors.RunUnknown(), 404, "unknown_run", {}),
        (errors.AlreadyRunning("r-1"), 409, "already_running", {"run_id": "r-1"}),
        (errors.AccountBlocked("unlinked"), 409, "account_blocked", {"reason": "unlinked"}),
        (errors.DatabaseUnavailable("x"), 503, "unavailable", {}),
        (errors.QueueUnavailable("x"), 503, "unavailable", {}),
        (errors.ParametersUnavailable("x"), 503, "unavailable", {}),
        (errors.ConfigurationError("MONO_SECRET_KEY", "is missing"), 500, "internal_error", {}),
        (errors.LeaseLost(), 500, "internal_error", {}),
    ],
)
def test_each_error_has_its_answer(error: errors.PipelineError, code: int, name: str, more: dict[str, str]) -> None:
    """Status code, name and what a program needs to go on."""
    told_code, body, headers = error_answer(error, "c")

    assert (told_code, body["error"]["code"], body["status"], body["correlation_id"]) == (code, name, name, "c")
    assert {key: body[key] for key in more} == more
    assert ("Retry-After" in headers) == (code == 503)


@pytest.mark.parametrize(
    "error",
    [
        errors.DatabaseUnavailable("cannot connect to PostgreSQL at 10.0.3.7:5432 as mono_pipeline: SECRET"),
        errors.QueueUnavailable("SECRET"),
        errors.ConfigurationError("DATABASE_PASSWORD", "SECRET"),
    ],
)
def test_an_outage_of_ours_names_nothing_of_ours(error: errors.PipelineError) -> None:
    """Hosts, users and settings are for our logs; the caller is told what kind of thing is down."""
    told = json.dumps(error_answer(error, "c")[1])

    assert "SECRET" not in told
    assert "10.0.3.7" not in told
    assert "PASSWORD" not in told


@pytest.mark.parametrize(
    ("status", "code"), [("completed", 200), ("incomplete", 200), ("deferred", 200), ("accepted", 202), ("failed", 502)]
)
def test_each_outcome_has_its_status_code(status: str, code: int) -> None:
    """As the public interface has it."""
    told_code, body, headers = answer(SyncAnswer(status=status, run=RUN), "c")

    assert (told_code, body["operation"], body["status"], headers) == (code, "sync_banking_transactions", status, {})


def test_a_run_on_the_wire_is_plain_json() -> None:
    """Ids as text, days and instants in ISO 8601, and every row accounted for."""
    _, body, _ = run_answer(RUN, "c")
    run = json.loads(json.dumps(body))["run"]

    assert run["run_id"] == str(UUID(int=7))
    assert run["window"] == {"start": "2026-09-01", "end": "2026-09-30"}
    assert run["verdict"] == {"kind": "verified", "reason": None, "first_bad_day": None}
    counts = run["counts"]
    assert counts.pop("seen") == sum(counts.values())


def test_a_run_that_nobody_has_started_is_accepted() -> None:
    """`running` would say that somebody works on it."""
    waiting = {**RUN, "status": "running", "started_at": None}

    assert run_answer(waiting, "c")[1]["status"] == "accepted"


def test_a_pause_shorter_than_a_second_still_says_when_to_come_back() -> None:
    """`Retry-After: 0` would invite the caller at once."""
    paused = SyncAnswer(status="paused", run=RUN, paused=errors.ProviderPaused(0.2, "rate_budget"))

    assert answer(paused, "c")[2] == {"Retry-After": "1"}


@pytest.mark.parametrize("key", ["A" * 100_000, "<script>", "a b", "account_id\r\nx: y", "bank.transactions"])
def test_what_the_caller_made_a_key_of_is_not_sent_back(key: str) -> None:
    """A slip of the pen is named; anything that is no name is `body`."""
    body = json.dumps({"account_id": "0" * 24, key: 1})

    with pytest.raises(InvalidInput) as refused:
        read_sync_call(body, correlation_id="c")

    assert (refused.value.field, key in str(refused.value)) == ("body", False)


def test_an_answer_names_the_flag_s_version_beside_its_own_headers() -> None:
    """An error as well as a result; where none was read, nothing is claimed."""
    unavailable = error_answer(errors.DependencyUnavailable("PostgreSQL"), "c")

    code, body, headers = with_flag_version(unavailable, 7)

    assert (code, body) == unavailable[:2]
    assert headers == {"Retry-After": "5", "Flag-Version": "7"}
    assert with_flag_version(unavailable, None) == unavailable
