from __future__ import annotations

import ast
import io
import json
import sys
from copy import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from aws_lambda_powertools import Logger
from hypothesis import given, settings
from hypothesis import strategies as st

from mono_pipeline.adapters import emf, metric_words, telemetry
from mono_pipeline.adapters.inbox_store import Effect
from mono_pipeline.adapters.log_fields import FIELDS, LONGEST, clean_fields
from mono_pipeline.adapters.telemetry import Telemetry
from mono_pipeline.core.account_metrics import AccountMetrics, AccountMetricsMode
from mono_pipeline.core.classify import ErrorReason
from mono_pipeline.core.errors import DatabaseUnavailable, QueueUnavailable
from mono_pipeline.core.flag import FlagProblem, FlagReading
from mono_pipeline.core.observer import Outcome, Stage
from mono_pipeline.core.run import RunStatus
from mono_pipeline.core.verdict import Verdict, VerdictKind, VerdictReason
from mono_pipeline.core.webhook_outcome import WebhookOutcome, WebhookReason
from mono_pipeline.usecases.run_watch import RunWatch
from mono_pipeline.usecases.schedule_repair import RepairResult
from mono_pipeline.usecases.schedule_tick import TickResult
from mono_pipeline.usecases.scheduled_round import RoundResult
from tests.told import ACCOUNT, Told, listening, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
SYNC_OK = {"stage": "sync", "outcome": "ok"}
WORDS = {
    "stage": metric_words.STAGES,
    "outcome": metric_words.OUTCOMES | frozenset(WebhookOutcome),
    "status": metric_words.STATUSES,
    "verdict": metric_words.VERDICT_KINDS,
}
REASONS = {
    emf.ERRORS: metric_words.ERROR_REASONS | metric_words.FLAG_PROBLEMS,
    emf.VERDICTS: metric_words.VERDICT_REASONS,
    emf.DECISIONS: metric_words.FLAG_REASONS,
    emf.QUARANTINED: metric_words.REJECTIONS,
    emf.WEBHOOKS: frozenset(WebhookReason),
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """What is written."""
    yield from listening(monkeypatch)


def observer(mode: str = "all", *chosen: str) -> Telemetry:
    """A deployed function's observer."""
    made = Telemetry()
    made.accounts = AccountMetrics(mode=AccountMetricsMode(mode), chosen=frozenset(chosen))
    return made


def whole_run(watching: Telemetry, account: str, *, failing: bool = False) -> None:
    """All that is told of one run."""
    run, watch = run_of(account), RunWatch(watching)
    outcome = Outcome.ERROR if failing else Outcome.OK
    for stage in (Stage.SYNC, Stage.TRANSFORM, Stage.PERSIST):
        watch.stage(run, stage, 0.5, outcome)
    if failing:
        watching.error(run, Stage.SYNC, ErrorReason.MONO_SERVER_ERROR)
    verdict = None if failing else Verdict(kind=VerdictKind.VERIFIED)
    status = RunStatus.FAILED if failing else RunStatus.COMPLETED
    watch.counts = replace(watch.counts, seen=3, unchanged=3)
    watch.ended(run, status, verdict=verdict, waited=0.25)


def test_dimensions_take_their_words_from_closed_lists_within_a_budget(told: Told) -> None:
    """At most 50 words a dimension; a thousand accounts of every fate make not one fleet series more than one does."""
    assert all(len(words) <= 50 for words in [*WORDS.values(), *REASONS.values()])
    assert len(metric_words.error_pairs()) <= 50
    watching = observer("off")
    watching.tick()
    for failing in (False, True):
        whole_run(watching, ACCOUNT, failing=failing)
    of_one = told.series()
    for number in range(1000):
        whole_run(watching, f"{number:024x}", failing=number % 3 == 0)

    assert told.series() == of_one
    assert len(of_one) <= 60


@pytest.mark.parametrize(
    ("mode", "chosen", "healthy", "failing"),
    [
        ("all", [], 4, 4),
        ("failing", [], 0, 4),
        ("allowlist", [ACCOUNT], 4, 4),
        ("allowlist", [], 0, 0),
        ("off", [], 0, 0),
    ],
)
def test_the_mode_says_which_accounts_have_series_of_their_own(
    told: Told, mode: str, chosen: list[str], healthy: int, failing: int
) -> None:
    """`failing` leaves a healthy account without, and a failing one with its three stages and its error."""
    watching = observer(mode, *chosen)

    def own_series(*, failing: bool) -> int:
        told.stream.truncate(0)
        told.stream.seek(0)
        whole_run(watching, ACCOUNT, failing=failing)
        return sum("account_id" in dict(each.dimensions) for each in told.series())

    assert (own_series(failing=False), own_series(failing=True)) == (healthy, failing)
    assert all(line["account_id"] == ACCOUNT for line in told.lines)


def test_a_stale_account_counts_for_itself_and_never_twice_for_the_fleet(told: Told) -> None:
    """The gauge is all accounts; the 1 of one account is its own."""
    watching = observer("failing")
    watching.stale_accounts(2)
    watching.stale_accounts(1, account_id=ACCOUNT)

    assert told.values("stale_accounts") == [2]
    assert told.values("stale_accounts", account_id=ACCOUNT) == [1]


def test_a_word_that_is_on_no_list_makes_no_series_of_its_own(told: Told) -> None:
    """Its value is counted all the same, as unexpected."""
    watching = observer()
    watching.error(run_of(), Stage.SYNC, "psycopg says: connection to 10.0.0.1 refused")
    watching.event("mono.flag.decided", None, flag_reason="WHO KNOWS", enabled=True)
    watching.event("mono.rows.quarantined", run_of(), rows=3, reasons={"bad_id": 2, "{'narration': 'x'}": 1})

    assert told.values("errors_total", stage="sync", reason="unexpected") == [1]
    assert told.values("flag_decisions_total", reason="unexpected") == [1]
    assert told.values("quarantined_rows_total", reason="bad_id") == [2]
    assert told.values("quarantined_rows_total", reason="unexpected") == [1]


def test_a_tick_tells_of_every_known_series_before_it_happens(told: Told) -> None:
    """CloudWatch lists a new series up to 15 minutes late, and an alert looks at five: so there are zeros."""
    observer().tick()

    assert told.values("ticks_total") == [1]
    for name in ("zero_transactions_total", "dead_letters_total", "rate_wait_seconds_total", "provider_down_total"):
        assert told.values(name) == [0]
    assert told.values("verdicts_total", verdict="mismatch", reason="days_differ") == [0]
    pairs = metric_words.error_pairs()
    assert {("sync", "mono_server_error"), ("persist", "database_unavailable"), ("flag", "flag_missing")} <= set(pairs)
    assert all(told.values("errors_total", stage=stage, reason=reason) == [0] for stage, reason in pairs)


def test_one_line_says_all_of_a_run_and_its_metrics_say_the_same(told: Told) -> None:
    """Counts, verdict, seconds by stage; runs, verdict, waiting and a zero that nothing was read are counted of it."""
    watching, run = observer(), run_of()
    watch = RunWatch(watching)
    watch.stage(run, Stage.SYNC, 0.5, Outcome.OK)
    watch.stage(run, Stage.SYNC, 0.25, Outcome.OK)
    watch.counts = replace(watch.counts, seen=5, inserted=2, updated=1, unchanged=1, quarantined=1)
    reason = VerdictReason.QUARANTINED
    watch.ended(run, RunStatus.COMPLETED, verdict=Verdict(kind=VerdictKind.UNVERIFIABLE, reason=reason), waited=1.5)

    (line,) = told.events
    assert line["message"] == "mono.pipeline.completed"
    assert (line["verdict"], line["verdict_reason"], line["status"]) == ("unverifiable", "quarantined", "completed")
    assert (line["sync_seconds"], line["rate_wait_seconds"]) == (0.75, 1.5)
    rows = {name: line[f"rows_{name}"] for name in ("seen", "inserted", "updated", "unchanged", "quarantined")}
    assert rows == {"seen": 5, "inserted": 2, "updated": 1, "unchanged": 1, "quarantined": 1}
    assert told.values("runs_total", status="completed") == [1]
    assert told.values("verdicts_total", verdict="unverifiable", reason="quarantined") == [1]
    assert told.values("rate_wait_seconds_total") == [1.5]
    assert told.values("zero_transactions_total") == [0]
    assert told.values("zero_transactions_total", account_id=ACCOUNT) == [0]


@pytest.mark.parametrize(("seconds", "told_of"), [(2.0, 0), (2.001, 1)])
def test_an_incremental_fetch_above_two_seconds_is_told_of(told: Told, seconds: float, told_of: int) -> None:
    """At the promise of 2 s it is kept; other stages have none."""
    watch = RunWatch(observer())
    watch.stage(run_of(), Stage.SYNC, seconds, Outcome.OK)
    watch.stage(run_of(), Stage.BACKFILL, 60, Outcome.OK)
    watch.stage(run_of(), Stage.PERSIST, 60, Outcome.OK)

    names = [line["message"] for line in told.events]
    assert names == ["mono.fetch.latency_sla_exceeded"] * told_of


def test_nothing_of_an_invocation_is_left_for_the_next_one(told: Told) -> None:
    """Not its ids, and not what it had counted already."""
    watching = observer()
    watching.begin(request_id="first")
    watching.correlate("c-first")
    watching.error(run_of(), Stage.PERSIST, ErrorReason.DATABASE_UNAVAILABLE)
    watching.failed(DatabaseUnavailable())
    before = len(told.lines)
    watching.begin(request_id="second")
    watching.event("mono.schedule.ticked", None, requested=1)
    watching.failed(DatabaseUnavailable())

    assert told.values("errors_total", stage="persist", reason="database_unavailable") == [1, 1]
    assert "first" not in json.dumps(told.lines[before:])
    assert {line["correlation_id"] for line in told.lines[before:]} == {"second"}


def test_an_error_that_its_run_has_counted_is_not_counted_again(told: Told) -> None:
    """It is raised on through the function; another one in the same invocation is counted."""
    watching = observer()
    watching.begin(request_id="r")
    RunWatch(watching).broke(run_of(), DatabaseUnavailable())
    watching.failed(DatabaseUnavailable())
    watching.failed(QueueUnavailable("SQS did not take the message"))
    watching.failed(KeyError("narration"))

    assert told.values("errors_total", stage="persist", reason="database_unavailable") == [1]
    assert told.values("errors_total", stage="sync", reason="queue_unavailable") == [1]
    assert told.values("errors_total", stage="sync", reason="unexpected") == [1]
    assert "narration" not in told.stream.getvalue()


@pytest.mark.parametrize("problem", list(FlagProblem))
def test_a_flag_that_is_out_of_order_is_an_error(told: Told, problem: FlagProblem) -> None:
    """So that the alert on errors sees it."""
    observer().flag_out_of_order(FlagReading(rule=None, problem=problem, detail="why"))
    assert told.values("errors_total", stage="flag", reason=f"flag_{problem}") == [1]
    assert told.events[0]["level"] == "ERROR"


@pytest.mark.parametrize(
    ("name", "fields", "letters"),
    [
        ("mono.fetch.failed", {"dead_lettered": False}, 0),
        ("mono.fetch.failed", {"dead_lettered": True}, 1),
        ("mono.message.poison", {"problem": "type: is not known"}, 1),
    ],
)
def test_a_message_that_is_given_up_is_a_dead_letter(
    told: Told, name: str, fields: dict[str, Any], letters: int
) -> None:
    """And a fetch that merely failed is not."""
    observer().event(name, None, **fields)
    assert told.values("dead_letters_total") == [1] * letters


@pytest.mark.parametrize(
    ("name", "times"),
    [("mono.provider.circuit_opened", 1), ("mono.provider.still_down", 1), ("mono.provider.circuit_closed", 0)],
)
def test_a_mono_that_serves_nobody_is_counted_for_as_long_as_it_lasts(told: Told, name: str, times: int) -> None:
    """Hardly anything is tried meanwhile, so that errors alone would not tell of it."""
    observer().event(name, None, reason="mono_server_error", problem="500")
    assert told.values("provider_down_total") == [1] * times


@pytest.mark.parametrize("effect", [*Effect, "repeated"])
def test_every_event_of_a_webhook_is_counted_by_what_came_of_it(told: Told, effect: str) -> None:
    """One that nobody knows, by Mono's own word, too."""
    observer().event(f"mono.webhook.{effect}", None, account_id=ACCOUNT, kind="updated")
    assert told.values("webhook_effects_total", effect=effect) == [1]


ATTACKS = [
    "a\nb\r\n{}",
    "\x1b[31mred\x07",
    '{"_aws":{"CloudWatchMetrics":[]}}',
    "x" * 1_000_000,
    "\u2028\u202e",
    "\x00",
]


@pytest.mark.parametrize("text", ATTACKS, ids=["newline", "ansi", "emf", "huge", "separators", "nul"])
def test_no_text_can_forge_a_line_or_a_metric(told: Told, text: str) -> None:
    """One event is one line of one JSON object, of bounded length, without what moves a cursor."""
    observer().event("mono.message.poison", None, problem=text, message_id=text, outcomes={text: [text]})

    lines = told.stream.getvalue().split("\n")[:-1]
    assert len(lines) == 2  # the event, and that a message was given up
    assert [("_aws" in line) for line in told.lines] == [False, True]
    assert told.values("dead_letters_total") == [1]
    assert len(lines[0]) < 8 * LONGEST
    shown = json.loads(lines[0])
    assert all(each.isprintable() for each in (shown["problem"], shown["message_id"], *shown["outcomes"]))


@settings(deadline=None)  # a busy machine is no failure
@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text() | st.lists(st.text()) | st.integers() | st.binary()))
def test_whatever_a_field_holds_it_is_fit_for_one_line(fields: dict[str, Any]) -> None:
    """What is no text, number or list of them is told by its type alone."""
    cleaned = clean_fields(fields)
    assert set(cleaned) <= FIELDS
    line = json.dumps(cleaned, ensure_ascii=False)
    assert line.isprintable()
    assert len(line) < 100_000


@pytest.mark.parametrize("name", ["_aws", "level", "narration", "payload", "account_number"])
def test_a_field_that_is_not_listed_is_left_out(told: Told, name: str) -> None:
    """It is counted, so that somebody comes to see; its value is nowhere."""
    observer().event("mono.fetch.started", run_of(), **{name: "CANARY"})
    (line,) = told.events
    assert line["dropped_fields"] == 1
    assert "CANARY" not in told.stream.getvalue()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("account 0123456789 is closed", "account ****6789 is closed"),
        ("BVN 22212345678", "BVN ****5678"),
        ("run 123456789 took 1234567890123", "run 123456789 took 1234567890123"),
        (f"{ACCOUNT} is unknown", f"{ACCOUNT} is unknown"),
    ],
)
def test_an_account_number_in_a_sentence_is_masked(said: str, shown: str) -> None:
    """No sentence of ours holds one; should it, four digits are shown."""
    assert clean_fields({"problem": said}) == {"problem": shown}


def test_every_field_that_is_told_anywhere_is_listed() -> None:
    """Else it would be left out in silence."""
    told_of: set[str] = set()
    for path in [*ROOT.glob("layers/common/mono_pipeline/**/*.py"), *ROOT.glob("functions/*/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "event":
                told_of |= {keyword.arg for keyword in node.keywords if keyword.arg}
    told_of |= {name for result in (TickResult, RepairResult, RoundResult) for name in result.__struct_fields__} - {
        "tick"
    }

    assert {"flag_reason", "error_code", "rate_wait_seconds"} <= told_of
    assert told_of - FIELDS == set()


class Broken(io.StringIO):
    """A stream that takes nothing."""

    def write(self, _text: str) -> int:
        """Fail."""
        raise OSError(28, "No space left on device")


def test_a_log_that_cannot_be_written_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither events nor metrics: the work that they tell of goes on."""
    monkeypatch.setattr(telemetry, "logger", Logger(service=f"broken-{uuid4()}", stream=Broken()))
    monkeypatch.setattr(sys, "stdout", Broken())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    watching = observer()
    watching.begin(request_id="r")
    watching.tick()
    whole_run(watching, ACCOUNT, failing=True)
    watching.failed(DatabaseUnavailable())
