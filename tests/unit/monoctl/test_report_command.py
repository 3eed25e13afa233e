"""`monoctl report`: what it writes, where, and what it says when a source does not answer."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from mono_pipeline.core.release import ReleaseEventKind
from mono_pipeline.core.release_gate import LATENCY_SLA
from tests.unit.monoctl.report_world import (
    CANARY,
    HOSTILE,
    FiguresOps,
    Trail,
    alert_samples,
    minutes,
    promoted,
    report,
    rolled_back,
    rule,
)

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_ssm import SSMClient

PROD_FLAG = "/mono-pipeline/prod/MONO_TRANSACTIONS_ENABLED"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Elements(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """A text."""
        self.text += data


def document(ssm: SSMClient, ops: FiguresOps, *arguments: str) -> dict[str, Any]:
    """The report as JSON."""
    said = report(ops, ssm, "--json", "report", *arguments)
    assert said.exit_code == 0, said.stderr
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def test_a_page_and_the_same_as_json_are_written_by_the_release_s_id(folder: Path, ssm: SSMClient) -> None:
    """Both where the command runs, and both say so."""
    said = report(FiguresOps(promoted()), ssm, "report", "--release", "20261124-090000")

    assert said.exit_code == 0
    assert {path.name for path in folder.iterdir()} == {"release-20261124-090000.html", "release-20261124-090000.json"}
    assert "Promoted: Everybody is on." in said.stdout
    data = json.loads((folder / "release-20261124-090000.json").read_text())
    assert data["report"] == 1
    assert (data["outcome"]["word"], data["facts"]["environment"]) == ("Promoted", "prod")


def test_machines_get_the_json_and_no_file_unless_they_name_one(folder: Path, ssm: SSMClient) -> None:
    """What stdout says and what lies beside the page is the same."""
    told = document(ssm, FiguresOps(promoted()))
    assert list(folder.iterdir()) == []

    again = document(ssm, FiguresOps(promoted()), "--output", "launch.html")

    assert json.loads((folder / "launch.json").read_text()) == again == told


@pytest.mark.parametrize("output", ["report.json", "no/such/folder/report.html"])
def test_an_output_that_cannot_be_written_is_wrong_usage(ssm: SSMClient, output: str) -> None:
    """By the option's name."""
    said = report(FiguresOps(promoted()), ssm, "report", "--output", output)

    assert said.exit_code == 2
    assert "--output" in said.stderr


def test_what_people_write_is_text_on_the_page(folder: Path, ssm: SSMClient) -> None:
    """In every place where somebody else's words stand: nothing of them becomes an element or an attribute."""
    assert report(FiguresOps(rolled_back(), slow=True), ssm, "report").exit_code == 0

    page = Elements((folder / "release-20261124-090000.html").read_text())

    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "object", "link "}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert page.text.count(HOSTILE) >= 15


def test_nothing_on_the_page_leads_out_of_it(folder: Path, ssm: SSMClient) -> None:
    """Its policy allows its own style alone, by its hash, and there is no style beside it."""
    report(FiguresOps(promoted()), ssm, "report")

    page = Elements((folder / "release-20261124-090000.html").read_text())

    (policy,) = [each["content"] for tag, each in page.tags if each.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    links = [each[name] for _, each in page.tags for name in ("href", "src", "xlink:href") if name in each]
    assert {link for link in links if link and not link.startswith("#")} == {"data:,"}
    assert not [tag for tag, each in page.tags if "style" in each]


def test_the_figures_are_asked_for_the_release_s_time_and_its_canary(ssm: SSMClient) -> None:
    """From its begin to its last event, in slots that an answer holds."""
    ops = FiguresOps(promoted())

    document(ssm, ops)

    asked = {
        action: arguments for action, arguments in ops.asked if action in {"releases.timeline", "releases.verdicts"}
    }
    for arguments in asked.values():
        assert (arguments["since"], arguments["until"]) == ("2026-11-24T09:00:00+00:00", "2026-11-24T11:42:00+00:00")
        assert arguments["accounts"] == list(CANARY)
    assert (asked["releases.timeline"]["slot_seconds"], asked["releases.verdicts"]["slot_seconds"]) == (120, 600)


def test_an_open_release_is_seen_until_now(ssm: SSMClient) -> None:
    """By the database's clock."""
    trail = Trail()
    trail.add(3, "preflight.checked", passed=True, lines=[])

    told = document(ssm, FiguresOps(trail))

    assert (told["facts"]["seen_until"], told["facts"]["ended_at"]) == ("2026-11-24T13:00:00+00:00", None)
    assert told["outcome"]["word"] == "Open"


def test_what_does_not_answer_is_said_and_never_shown_as_nothing(folder: Path, ssm: SSMClient) -> None:
    """The rest of the report is there; the page names the gaps, and has no chart without figures."""
    away = frozenset({"releases.timeline", "releases.letters"})

    said = report(FiguresOps(promoted(), away=away), ssm, "report")

    assert said.exit_code == 0
    assert "not in it: runs, latency and errors: PostgreSQL is away" in said.stderr
    data = json.loads((folder / "release-20261124-090000.json").read_text())
    assert (data["runs"], data["dead_letters"], len(data["untold"])) == (None, None, 2)
    page = Elements((folder / "release-20261124-090000.html").read_text())
    assert "runs, latency and errors: PostgreSQL is away" in page.text
    assert [each["id"] for tag, each in page.tags if tag == "h2"] == [
        "story", "flag", "alerts", "gates", "verdicts", "checklist",
    ]  # fmt: skip


def test_without_its_trail_there_is_no_report(folder: Path, ssm: SSMClient) -> None:
    """Nothing is written, and the exit code says that something of ours is down."""
    said = report(FiguresOps(promoted(), away=frozenset({"releases.show"})), ssm, "report")

    assert said.exit_code == 7
    assert list(folder.iterdir()) == []


def test_a_change_of_the_flag_by_somebody_else_is_in_it(ssm: SSMClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSM knows it, the trail does not: as when an alarm turned the flag off."""
    ops = FiguresOps(promoted())
    history = ssm.get_parameter_history

    def timed(**given: Any) -> Any:
        found = history(**given)
        for version, number, at in zip(found["Parameters"], (3, 4, 10), (-60, 5, 100), strict=True):
            version |= {"Version": number, "LastModifiedDate": minutes(at)}
        return found

    ssm.put_parameter(Name=PROD_FLAG, Value=rule(0, *CANARY), Description="the trail's own", Overwrite=True)
    ssm.put_parameter(Name=PROD_FLAG, Value="false", Description="alarm: errors", Overwrite=True)
    monkeypatch.setattr(ssm, "get_parameter_history", timed)

    told = document(ssm, ops)

    foreign = [step for step in told["flag"]["steps"] if not step["in_trail"]]
    assert [(step["version"], step["percent"], step["why"]) for step in foreign] == [(10, 0.0, "alarm: errors")]
    assert any(moment["kind"] == "flag.changed_elsewhere" for moment in told["story"])
    assert told["flag"]["percent_before"] == 0.0


def test_alerts_are_prometheus_own_and_what_it_did_not_see_is_not_silence(
    ssm: SSMClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watchdog tells when rules were evaluated."""
    transport = alert_samples({LATENCY_SLA: (130, 142), "MonoDeadLetters": (31, 40)}, gap=(60, 75))
    plain = httpx.Client
    monkeypatch.setattr("monoctl.prometheus.httpx.Client", lambda **given: plain(**{**given, "transport": transport}))

    told = document(ssm, FiguresOps(promoted()), "--prometheus", "http://prometheus")["alerts"]

    lanes = {lane["name"]: lane["firing"] for lane in told["lanes"]}
    assert list(lanes) == [
        "MonoPipelineHighFailureRate", "MonoPipelineLatencySLA", "MonoPipelineZeroTransactions", "MonoDeadLetters",
    ]  # fmt: skip
    assert lanes[LATENCY_SLA] == [{"since": "2026-11-24T11:10:00+00:00", "until": "2026-11-24T11:23:00+00:00"}]
    assert [(span["since"][11:16], span["until"][11:16]) for span in told["known"]] == [
        ("09:00", "10:00"),
        ("10:15", "11:43"),
    ]
    assert told["problem"] is None


@pytest.mark.parametrize("status", [200, 500])
def test_a_prometheus_that_does_not_tell_leaves_what_the_gates_saw(
    ssm: SSMClient, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """It is said why, and nothing is known between the looks."""
    plain = httpx.Client
    broken = httpx.MockTransport(lambda _: httpx.Response(status, text="<html>"))
    monkeypatch.setattr("monoctl.prometheus.httpx.Client", lambda **given: plain(**{**given, "transport": broken}))

    told = document(ssm, FiguresOps(promoted()), "--prometheus", "http://prometheus")["alerts"]

    assert f"it answered {status} without JSON" in told["problem"]
    assert told["known"] == []
    assert told["looks"][-1]["firing"] == [LATENCY_SLA]


def test_a_release_with_details_that_no_version_of_ours_wrote_is_reported(folder: Path, ssm: SSMClient) -> None:
    """An audit trail is read for years: what is odd in it breaks nothing, and an unknown kind is told by its name."""
    odd = {"reason": 7, "accounts": "all", "lines": "x", "verdict": [], "before": None, "after": 3, "percentage": "5"}
    trail = Trail(status="closed")
    for kind in (*ReleaseEventKind, "moon.rose"):
        trail.add(1, kind)
        trail.add(2, kind, **odd, steps=["5"], alerts=[], canary=None)

    told = document(ssm, FiguresOps(trail))

    assert len(told["story"]) == len(trail.events)
    assert told["story"][-1]["title"] == "moon.rose"
    assert report(FiguresOps(trail), ssm, "report").exit_code == 0
    assert "moon.rose" in (folder / "release-20261124-090000.html").read_text()


def test_the_flag_s_course_is_of_when_it_was_edited(ssm: SSMClient) -> None:
    """The trail has it written down when it was seen in force, so much later."""
    trail = Trail()
    trail.flag_to(5, rule(12.5, CANARY[0]), why="launch", seconds=30)

    (step,) = document(ssm, FiguresOps(trail))["flag"]["steps"]

    assert (step["at"], step["percent"], step["allowed"]) == ("2026-11-24T09:04:30+00:00", 12.5, 1)
