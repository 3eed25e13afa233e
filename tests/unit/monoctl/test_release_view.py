"""What is seen of a window while it is open: the cohorts beside each other, stages, alerts, freshness, the verdict."""

from __future__ import annotations

import io
import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console

from mono_pipeline.core.release_cohort import Cohort
from mono_pipeline.core.release_gate import (
    HIGH_FAILURE_RATE,
    LATENCY_SLA,
    REQUIRED_ALERTS,
    FiringAlerts,
    Observation,
    judge_release,
)
from monoctl.release_window import Freshness, Look, Stages
from monoctl.stage_latency import StageLatency
from monoctl.views.release import look_view
from tests.unit.monoctl.release_world import PROMETHEUS, WELL, ReleaseWorld
from tests.unit.monoctl.stand_ins import ACCOUNT, NOON, FakeReach, golden, without_margins
from tests.unit.monoctl.terminal import at_a_terminal

if TYPE_CHECKING:
    import pytest
    from mypy_boto3_ssm import SSMClient

OTHER = "64779d900000000000ab0002"
REST = Cohort(
    accounts=1_204, completed=1_310, incomplete=2, failed=13, errors={"mono_server_error": 13}, fetches=1_300,
    p95_seconds=1.31, slow=9, zero_runs=4, verified=1_290, unverifiable=20, mismatches=0, suspicions=1,
)  # fmt: skip
STANDS = {
    "account_id": ACCOUNT,
    "status": "completed",
    "verdict": "verified",
    "error_code": None,
    "fresh_as_of": "2026-11-24T09:00:00+00:00",
    "last_success_at": "2026-11-24T11:58:00+00:00",
    "link_status": "linked",
}


def look(**changes: Any) -> Look:
    """A look at a canary after eight minutes."""
    none: frozenset[str] = frozenset()
    seen = Observation(
        open_seconds=490,
        canary=WELL,
        rest=REST,
        rest_before=REST,
        alerts=FiringAlerts(canary=none, fleet=none, fleet_before=none),
    )
    whole: dict[str, Any] = {
        "stage": "canary",
        "seen": seen,
        "verdict": judge_release(changes.get("seen", seen)),
        "left_seconds": 410.0,
        "accounts": [STANDS],
        "asks": {"completed": 3},
        "stages": Stages(
            judged={"persist": 0.031, "sync": 0.41}, everyone={"backfill": 4.2, "persist": 0.02, "sync": 1.3}
        ),
        "fresh": Freshness(oldest_seconds=10_800),
        "fresh_rest": Freshness(oldest_seconds=200_000, unknown=2),
    }
    return Look(**{**whole, **changes})


def shown(seen: Look, *, width: int = 100) -> str:
    """As a terminal of this width shows it."""
    stream = io.StringIO()
    Console(file=stream, width=width, markup=False, highlight=False).print(look_view(seen, now=NOON, width=width))
    return without_margins(stream.getvalue())


def test_all_that_a_window_is_judged_by_is_seen() -> None:
    """Stage latency, errors, runs without a row, verdicts, freshness, alerts, and the canary against the rest."""
    assert shown(look()) == golden("watch")


def test_on_80_columns_nothing_is_cut() -> None:
    """A column without room is named; the account's id and the verdict stay whole."""
    lines = shown(look(), width=80).splitlines()

    assert max(map(len, lines)) <= 80
    assert any(ACCOUNT in line for line in lines)
    assert any(line.startswith("verdict  promote (healthy): 5 complete runs") for line in lines)


def test_alerts_are_told_by_whose_they_are() -> None:
    """Those of the accounts that are judged, those of all, and which of these are new."""
    fires = frozenset({HIGH_FAILURE_RATE})
    both = fires | {LATENCY_SLA}
    alerts = FiringAlerts(canary=fires, fleet=both, fleet_before=frozenset())
    seen = Observation(open_seconds=490, canary=WELL, alerts=alerts)

    said = " ".join(shown(look(seen=seen)).split())

    assert (
        f"firing for those judged: {HIGH_FAILURE_RATE}; for all: {', '.join(sorted(both))}, new: {LATENCY_SLA}" in said
    )
    assert "roll back (alert_firing)" in said


def test_what_prometheus_does_not_tell_is_not_shown_as_nothing() -> None:
    """Stages are left out whole, alerts cannot be told; what our tables know is there all the same."""
    seen = Observation(open_seconds=490, canary=WELL, rest=REST)

    said = shown(look(seen=seen, stages=Stages(), alert_problem="Prometheus does not tell: refused"))

    assert "by Prometheus" not in said
    assert "cannot be told. Prometheus does not tell: refused" in said
    assert "1.31 s" in said


def prometheus(**series: list[dict[str, Any]]) -> httpx.MockTransport:
    """One that has these series: of all accounts (`everyone`), of the judged ones (`judged`); all alerts silent."""

    def answered(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/v1/query":
            by_account = 'scope="account"' in request.url.params["query"]
            told = series.get("judged" if by_account else "everyone", [])
            stages = "by (stage)" in request.url.params["query"]
            return httpx.Response(200, json={"status": "success", "data": {"result": told if stages else []}})
        rules = [{"name": name, "state": "inactive", "health": "ok"} for name in REQUIRED_ALERTS]
        return httpx.Response(200, json={"status": "success", "data": {"groups": [{"rules": rules}]}})

    return httpx.MockTransport(answered)


def of_stage(stage: str, seconds: str) -> dict[str, Any]:
    """A series of an instant vector."""
    return {"metric": {"stage": stage}, "value": [0, seconds]}


def test_stages_are_prometheus_own_and_one_that_nobody_went_through_is_left_out() -> None:
    """A quantile of no observation is no number."""
    transport = prometheus(
        everyone=[of_stage("sync", "1.3"), of_stage("backfill", "NaN")], judged=[of_stage("sync", "0.4")]
    )
    stages = StageLatency(PROMETHEUS, transport=transport)

    assert (stages.of_all(), stages.of_accounts([ACCOUNT, OTHER])) == ({"sync": 1.3}, {"sync": 0.4})


def test_stages_that_nobody_tells_are_unknown() -> None:
    """Without an address, and where Prometheus fails."""
    broken = httpx.MockTransport(lambda _: httpx.Response(503, text="starting"))

    assert StageLatency(None).of_all() is None
    assert StageLatency(PROMETHEUS, transport=broken).of_accounts([ACCOUNT]) is None


def test_a_terminal_sees_it_change_until_the_window_is_over(ssm: SSMClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look over the one before; the last one stays, with what Prometheus and the tables said."""
    plain = httpx.Client
    transport = prometheus(everyone=[of_stage("transform", "0.07")], judged=[of_stage("transform", "0.01")])
    monkeypatch.setattr("monoctl.prometheus.httpx.Client", lambda **given: plain(**{**given, "transport": transport}))
    world = ReleaseWorld(ssm)
    world.ops.more = {
        "accounts": [STANDS],
        "freshness": {"canary": asdict(Freshness(oldest_seconds=7_300)), "rest": asdict(Freshness(unknown=3))},
    }
    asked = ("canary", "start", "--account", ACCOUNT, "--minutes", "8", "--look", "240", "--prometheus", PROMETHEUS)

    said = at_a_terminal(
        monkeypatch,
        *asked,
        reach=FakeReach(api=world.api, ops=world.ops, dead_letters=world.letters, ssm=world.ssm),
        clock=world.clock,
    )

    assert said.exit_code == 0
    seen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.stdout)
    assert all(f"canary: open for {age}" in seen for age in ("0:00, 8:00 left", "4:00, 4:00 left", "8:00"))
    last = " ".join(seen.rpartition("open for 8:00")[2].split())
    assert "transform 0.01 s judged, 0.07 s all" in last
    assert "oldest data of the bank 2 h -, 3 unknown" in last
    assert "promote (healthy)" in last


def test_machines_are_told_the_same(ssm: SSMClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the release's trail with it."""
    plain = httpx.Client
    transport = prometheus(everyone=[of_stage("persist", "0.2")])
    monkeypatch.setattr("monoctl.prometheus.httpx.Client", lambda **given: plain(**{**given, "transport": transport}))
    world = ReleaseWorld(ssm)
    world.ops.more = {"freshness": {"canary": asdict(Freshness(oldest_seconds=60.5)), "rest": {}}}
    asked = ("canary", "start", "--account", ACCOUNT, "--minutes", "8", "--prometheus", PROMETHEUS)

    said = world.run("--json", *asked)

    told = json.loads(said.stdout.splitlines()[0])
    assert told["stages"] == {"judged": {}, "everyone": {"persist": 0.2}}
    assert told["freshness"]["canary"] == {"oldest_seconds": 60.5, "unknown": 0}
    assert world.ops.detail("gate.judged")["stages"] == told["stages"]
