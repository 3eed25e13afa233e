"""`monoctl logs`: our events among everything else, from files and from CloudWatch, past and to come."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.stub import ANY, Stubber

from mono_pipeline.core.errors import ConfigurationError
from monoctl.logbook import LogQuery
from monoctl.logbook.log_files import LogFiles
from monoctl.logbook.log_groups import LogGroups
from tests.unit.monoctl.stand_ins import ACCOUNT, NOON, FakeReach, golden, monoctl, without_margins

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OTHER = "64779d900000000000ab0002"


def event(message: str, *, minutes_ago: float = 1, **fields: Any) -> str:
    """Return a line as Powertools writes it."""
    at = NOON - timedelta(minutes=minutes_ago)
    time = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d}+0000"
    line = {"level": "INFO", "location": "event:47", "message": message, "timestamp": time, "service": "mono-pipeline"}
    return json.dumps({**line, **fields})


EMF = json.dumps({"_aws": {"Timestamp": 0}, "message": "a metric", "account_id": ACCOUNT})
RUNTIME = "START RequestId: 0317d2d8 Version: $LATEST"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The logs of two functions, with what the runtime writes between them."""
    (tmp_path / "SyncApi.log").write_text(
        "\n".join(
            [
                RUNTIME,
                event("mono.fetch.started", minutes_ago=3, account_id=ACCOUNT, correlation_id="c-1", kind="full"),
                EMF,
                event("mono.fetch.completed", minutes_ago=1, account_id=ACCOUNT, correlation_id="c-1", rows=1278),
                event("mono.schedule.ticked", minutes_ago=90),
                "REPORT RequestId: 0317d2d8 Duration: 1.98 ms",
                "",
            ]
        )
    )
    (tmp_path / "SyncWorker.log").write_text(
        event("mono.fetch.failed", minutes_ago=2, account_id=OTHER, level="ERROR", correlation_id="c-2") + "\n"
    )
    return tmp_path


def messages(text: str) -> list[str]:
    """Return the events of JSON lines."""
    return [json.loads(line)["message"] for line in text.splitlines()]


def test_events_of_all_functions_are_shown_by_time_one_a_line(folder: Path) -> None:
    """Time, level, function, event, account, the other fields; not the runtime's lines, not metrics."""
    said = monoctl("logs", reach=FakeReach(logs=LogFiles(folder)))

    assert (said.exit_code, without_margins(said.stdout)) == (0, golden("logs"))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--account", ACCOUNT], ["mono.fetch.started", "mono.fetch.completed"]),
        (["--correlation-id", "c-2"], ["mono.fetch.failed"]),
        (["--account", OTHER, "--correlation-id", "c-1"], []),
        (["--since", "90s"], ["mono.fetch.completed"]),
        (
            ["--since", "2h"],
            ["mono.schedule.ticked", "mono.fetch.started", "mono.fetch.failed", "mono.fetch.completed"],
        ),
    ],
)
def test_lines_are_chosen_by_account_request_and_time(folder: Path, options: list[str], found: list[str]) -> None:
    """Machines get each line as it was written."""
    said = monoctl("--json", "logs", *options, reach=FakeReach(logs=LogFiles(folder)))

    assert (said.exit_code, messages(said.stdout)) == (0, found)


def test_everything_is_every_line_and_still_json_for_machines(folder: Path) -> None:
    """The runtime's lines become objects."""
    said = monoctl("--json", "logs", "--all", "--since", "2h", reach=FakeReach(logs=LogFiles(folder)))

    assert len(said.stdout.splitlines()) == 7
    assert RUNTIME in messages(said.stdout)


def test_nothing_found_is_said(folder: Path) -> None:
    """So that silence is not taken for a broken command."""
    said = monoctl("logs", "--correlation-id", "c-9", reach=FakeReach(logs=LogFiles(folder)))

    assert (said.exit_code, said.stdout) == (0, "")
    assert "--since" in said.stderr


@pytest.mark.parametrize(
    "options", [["--account", "*"], ["--correlation-id", '" || true'], ["--since", "soon"], ["--since", "-1h"]]
)
def test_bad_options_are_refused(folder: Path, options: list[str]) -> None:
    """An id becomes a part of CloudWatch's filter, so it must be one."""
    assert monoctl("logs", *options, reach=FakeReach(logs=LogFiles(folder))).exit_code == 2


def test_a_log_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    """Control characters and line ends of a field are escaped; markup is text."""
    (tmp_path / "Webhook.log").write_text(event("[red]x[/red]", narration="\x1b[2Jgone\nforged line") + "\n")

    said = monoctl("logs", reach=FakeReach(logs=LogFiles(tmp_path)))

    assert len(said.stdout.splitlines()) == 1
    assert "\x1b" not in said.stdout
    assert "[red]x[/red]" in said.stdout


def followed(folder: Path, *steps: Callable[[], object]) -> list[str]:
    """Return the events seen while following; a step happens at each pause, and after the last one it is stopped."""
    waiting = iter(steps)

    def pause(_: float) -> None:
        try:
            next(waiting)()
        except StopIteration:
            raise KeyboardInterrupt from None

    said = monoctl("--json", "logs", "--follow", "--since", "1h", reach=FakeReach(logs=LogFiles(folder, pause=pause)))
    assert said.exit_code == 0
    return messages(said.stdout)


def test_following_shows_each_new_line_once_when_it_is_whole(folder: Path) -> None:
    """A line that is half written waits for its other half; Ctrl-C is the way out."""
    log, line = folder / "SyncApi.log", event("mono.fetch.zero_transactions", minutes_ago=0)

    def write(text: str) -> Callable[[], object]:
        return lambda: log.write_text(log.read_text() + text)

    seen = followed(folder, write(line[:40]), write(line[40:] + "\n"), lambda: None)

    assert seen == ["mono.fetch.started", "mono.fetch.failed", "mono.fetch.completed", "mono.fetch.zero_transactions"]


def test_following_takes_up_new_files_and_files_that_start_again(folder: Path) -> None:
    """A stack that is started again empties its logs."""
    seen = followed(
        folder,
        lambda: (folder / "Ops.log").write_text(event("mono.ops.new") + "\n"),
        lambda: (folder / "SyncApi.log").write_text(event("mono.api.again") + "\n"),
    )

    assert seen[-2:] == ["mono.ops.new", "mono.api.again"]


def test_without_a_folder_of_logs_the_stack_is_not_up(tmp_path: Path) -> None:
    """Not an empty log."""
    assert monoctl("logs", reach=FakeReach(logs=LogFiles(tmp_path / "gone"))).exit_code == 7


GROUPS = [{"logGroupName": f"/aws/lambda/mono-pipeline-prod-{name}"} for name in ("ops", "sync-api")]


class Watched:
    """CloudWatch Logs with scripted answers, and the clock of whoever follows it."""

    def __init__(self) -> None:
        self.client = boto3.client(
            "logs", region_name="eu-west-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        self.stub = Stubber(self.client)
        self.looks = 0
        self.groups = LogGroups(
            self.client,
            "/aws/lambda/mono-pipeline-prod-",
            pause=self._pause,
            now=lambda: NOON + timedelta(seconds=2 * self.looks),
        )

    def will_list(self, groups: list[dict[str, str]]) -> None:
        """The next answer: log groups."""
        self.stub.add_response(
            "describe_log_groups",
            {"logGroups": cast("Any", groups)},
            {"logGroupNamePrefix": "/aws/lambda/mono-pipeline-prod-"},
        )

    def will_find(self, *events: tuple[str, str], token: str | None = None, **expected: Any) -> None:
        """The next answer: events by id and line."""
        found = [
            {"eventId": key, "message": f"{line}\n", "timestamp": int(NOON.timestamp() * 1000)} for key, line in events
        ]
        answer = {"events": found, **({"nextToken": token} if token else {})}
        self.stub.add_response("filter_log_events", answer, {"logGroupName": ANY, "startTime": ANY, **expected})

    def _pause(self, _: float) -> None:
        self.looks += 1


def test_cloudwatch_is_read_over_all_groups_and_pages() -> None:
    """The groups are those of this environment's functions."""
    watched = Watched()
    watched.will_list(GROUPS)
    watched.will_find(("e1", event("first", minutes_ago=3)), token="more", logGroupName=GROUPS[0]["logGroupName"])
    watched.will_find(("e2", event("third")), nextToken="more")
    watched.will_find(("e3", event("second", minutes_ago=2)), ("e4", RUNTIME), logGroupName=GROUPS[1]["logGroupName"])

    with watched.stub:
        lines = watched.groups.past(LogQuery(since=NOON - timedelta(hours=1)))

    assert [(line.source, (line.fields or {})["message"]) for line in lines] == [
        ("ops", "first"),
        ("sync-api", "second"),
        ("ops", "third"),
    ]
    watched.stub.assert_no_pending_responses()


def test_cloudwatch_filters_by_account_and_request() -> None:
    """Far less travels than is logged."""
    watched = Watched()
    watched.will_list(GROUPS[:1])
    since = NOON - timedelta(minutes=5)
    pattern = f'{{ ($.account_id = "{ACCOUNT}") && ($.correlation_id = "c-1") }}'
    watched.will_find(startTime=int(since.timestamp() * 1000), filterPattern=pattern)

    with watched.stub:
        assert watched.groups.past(LogQuery(since=since, account_id=ACCOUNT, correlation_id="c-1")) == []


def test_following_cloudwatch_shows_late_events_and_each_one_once() -> None:
    """It is not in order: every look goes back a minute."""
    watched = Watched()
    watched.will_list(GROUPS[:1])
    watched.will_find(("e1", event("one")))
    watched.will_find(("e1", event("one")), ("e0", event("late", minutes_ago=0.5)))
    watched.will_find(("e0", event("late", minutes_ago=0.5)), ("e2", event("two")), startTime=_millis(-58))

    with watched.stub:
        lines = watched.groups.follow(LogQuery(since=NOON - timedelta(minutes=5)))
        seen = [str((next(lines).fields or {})["message"]) for _ in range(3)]

    assert seen == ["one", "late", "two"]


def test_an_environment_without_log_groups_is_not_an_empty_log() -> None:
    """It is not deployed here, or the Region is another."""
    watched = Watched()
    watched.will_list([])

    with watched.stub, pytest.raises(ConfigurationError):
        watched.groups.past(LogQuery(since=NOON))


def _millis(seconds: int) -> int:
    return int((NOON + timedelta(seconds=seconds)).timestamp() * 1000)


def test_an_event_without_a_time_of_its_own_has_cloudwatch_s() -> None:
    """So that it stands where it belongs."""
    watched = Watched()
    watched.will_list(GROUPS[:1])
    watched.will_find(("e1", '{"message": "plain"}'))

    with watched.stub:
        (line,) = watched.groups.past(LogQuery(since=NOON - timedelta(minutes=5)))

    assert line.at == datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
