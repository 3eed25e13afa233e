"""The real chain: what `make monitoring-test` and `make up` stand on, where the programs are installed."""

from __future__ import annotations

import re
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from local.cloudwatch.emf import observations
from local.cloudwatch.log_folder import LogFolder
from local.cloudwatch.points import Points
from local.cloudwatch.server import CloudWatchServer
from local.monitoring import QUICK, SHIPPED, Chain, missing
from local.monitoring_contract import ERRORS, STAGE_SECONDS, TICKS
from local.monitoring_detection import fill_in
from local.monitoring_judge import differences, wait_for
from local.monitoring_panels import Question, complaint
from local.monitoring_test import BACK_DATE, by_contract
from local.stack import EmbeddedStack
from tests.monitoring_programs import needs

if TYPE_CHECKING:
    from pathlib import Path

    from local.cloudwatch.emf import Series

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("monitoring-chain"),
    needs(missing()),
]


def test_a_value_that_prometheus_does_not_have_is_seen(tmp_path: Path) -> None:
    """The comparison of `make monitoring-test`, with one value more at CloudWatch after all was read."""
    (tmp_path / "contract.log").write_text("".join(f"{line}\n" for line in by_contract(int(time.time() * 1000))))
    points = Points(back_date=BACK_DATE)
    LogFolder(tmp_path, points).take()
    with CloudWatchServer(points) as cloudwatch, Chain(tmp_path / "c", cloudwatch=cloudwatch.url, pace=QUICK) as chain:
        assert wait_for(lambda: not differences(chain, points), seconds=60)
        (series,) = [one for one in points.series() if one.name == ERRORS.full_name and len(one.dimensions) == 3]
        late = ERRORS.line(at=int(time.time() * 1000), value=1, stage="sync", reason="mono_server_error")
        (tmp_path / "late.log").write_text(f"{late}\n")
        LogFolder(tmp_path, points, start={"contract.log": 1 << 40}).take()
        assert sum(points.total(series)) == 2.5
        assert differences(chain, points)


def test_a_percentile_by_account_is_held_to_its_values(tmp_path: Path) -> None:
    """Of twenty fetches within five minutes the slowest but one; another value of it, or none, is a difference."""
    now = int(time.time() * 1000)
    lines = [
        STAGE_SECONDS.line(at=now, value=value, account_id="a" * 24, stage="sync", outcome="ok")
        for value in [0.1] * 18 + [1.5, 9.0]
    ]
    (tmp_path / "seconds.log").write_text("".join(f"{line}\n" for line in lines))
    points = Points(back_date=BACK_DATE)
    LogFolder(tmp_path, points).take()
    with CloudWatchServer(points) as cloudwatch, Chain(tmp_path / "c", cloudwatch=cloudwatch.url, pace=QUICK) as chain:
        assert wait_for(lambda: not differences(chain, points), seconds=60)
        ((_, value),) = chain.query(f'max_over_time({STAGE_SECONDS.full_name}_p95{{scope="account"}}[1h])')
        assert value == 1.5
        points.add(observations(lines[-1]))
        assert any(f"{STAGE_SECONDS.full_name}_p95" in one for one in differences(chain, points))


def test_a_past_that_is_filled_in_is_asked_like_any_other_and_goes_on(tmp_path: Path) -> None:
    """What the measurement of detection times begins with; a minute that CloudWatch has after it is stored too."""
    ticks = f'{TICKS.full_name}{{scope="fleet",service="mono-pipeline"}}'
    fill_in(tmp_path / "c", {ticks: 2.0}, hours=2)
    points = Points(back_date=BACK_DATE)
    points.add(observations(TICKS.line(at=int(time.time() * 1000), value=5)))
    with CloudWatchServer(points) as cloudwatch, Chain(tmp_path / "c", cloudwatch=cloudwatch.url, pace=QUICK) as chain:
        assert wait_for(
            lambda: {value for _, value in chain.query(f"max_over_time({ticks}[1h])")} == {2, 5}, seconds=60
        )
        ((_, count),) = chain.query(f'count_over_time({TICKS.full_name}{{region=""}}[3h])')
        assert count == 120


def test_at_any_hour_no_rule_looks_at_the_clock(tmp_path: Path) -> None:
    """And nothing else of a rule is changed."""
    shipped = yaml.safe_load((SHIPPED / "prometheus" / "alerts.yml").read_text())
    with (
        CloudWatchServer(Points()) as cloudwatch,
        Chain(tmp_path, cloudwatch=cloudwatch.url, pace=QUICK, any_hour=True) as chain,
    ):
        asked = {rule["name"]: rule["query"] for rule in chain.rules()}
    clock = {
        rule["alert"]
        for group in shipped["groups"]
        for rule in group["rules"]
        if re.search(r"hour\(|week\(", rule["expr"])
    }
    assert clock == {"MonoPipelineZeroTransactionsBusinessHours"}
    assert not any("hour()" in query or "day_of_week()" in query for query in asked.values())
    assert asked["MonoPipelineZeroTransactionsBusinessHours"].endswith("0.25 * mono_pipeline:slo_fetches:sum1h")


class Counting(Points):
    """Points that know how often each series' sum was asked for."""

    def __init__(self) -> None:
        super().__init__(back_date=BACK_DATE)
        self.asked: Counter[str] = Counter()

    def statistic(
        self, series: Series, statistic: str, *, period: int, start: float, end: float
    ) -> list[tuple[int, float]]:
        """As ever."""
        if statistic == "Sum" and series.name == ERRORS.full_name:
            self.asked["account" if "account_id" in dict(series.dimensions) else "fleet"] += 1
        return super().statistic(series, statistic, period=period, start=start, end=end)


def test_the_exporter_asks_for_every_series_in_each_loop_whatever_its_period(tmp_path: Path) -> None:
    """Each asking is paid for, so that docs/metrics.md has to count them all: accounts' series have five minutes."""
    points = Counting()
    at = int(time.time() * 1000)
    line = ERRORS.line(at=at, value=1, account_id="a" * 24, stage="sync", reason="mono_server_error")
    points.add(observations(line))
    with CloudWatchServer(points) as cloudwatch, Chain(tmp_path, cloudwatch=cloudwatch.url, pace=QUICK):
        assert wait_for(lambda: points.asked["fleet"] >= 5, seconds=60)
        assert wait_for(lambda: points.asked["account"] >= 5, seconds=2)


def panel(expression: str, **changes: Any) -> Question:
    """A query of a panel that shows one number, unless told otherwise."""
    told: dict[str, Any] = {"board": "b", "panel": "p", "expression": expression, "instant": True, "single": True}
    return Question(**(told | changes))


def test_a_panel_that_would_show_nothing_is_seen(tmp_path: Path) -> None:
    """The check of the dashboards in `make monitoring-test`; points of CloudWatch are always older than a look back."""
    (tmp_path / "contract.log").write_text("".join(f"{line}\n" for line in by_contract(int(time.time() * 1000))))
    points = Points(back_date=BACK_DATE)
    LogFolder(tmp_path, points).take()
    with CloudWatchServer(points) as cloudwatch, Chain(tmp_path / "c", cloudwatch=cloudwatch.url, pace=QUICK) as chain:
        assert wait_for(lambda: not differences(chain, points), seconds=60)
        count = f'count({ERRORS.full_name}{{scope="fleet"}})'
        lately = f'count(last_over_time({ERRORS.full_name}{{scope="fleet"}}[1h]))'
        graph = f'{ERRORS.full_name}{{scope="fleet"}}'
        metrics = '{__name__=~"taxpoynt_.+_total"}'
        told = {
            asked.expression: complaint(chain, asked)
            for asked in (
                panel(lately),
                panel(graph, instant=False, single=False),
                panel(count),
                panel(f"{count} or vector(0)"),
                panel(f"last_over_time({metrics}[1h])"),
                panel("sum("),
            )
        }
    assert [told[lately], told[graph]] == [None, None]
    assert [told[count], told[f"{count} or vector(0)"]] == ["shows nothing"] * 2
    assert "numbers where there is place for one" in str(told[f"last_over_time({metrics}[1h])"])
    assert str(told["sum("]).startswith("refused: ")


@pytest.mark.parametrize(
    ("cause", "severity", "muted"),
    [
        ("MonoPipelineNoData", "critical", {"MonoAccountStale": "warning", "MonoPipelineZeroTransactions": "info"}),
        ("MonoPipelineHighFailureRate", "critical", {"MonoPipelineErrorRatioHigh": "critical"}),
        ("MonoProviderDown", "critical", {"MonoSLOFastBurn": "critical", "MonoPipelineLatencySLA": "warning"}),
        ("MonoSLOFastBurn", "critical", {"MonoSLOSlowBurn": "warning"}),
        ("MonoPipelineZeroTransactionsBusinessHours", "warning", {"MonoPipelineZeroTransactions": "info"}),
    ],
)
def test_one_cause_is_one_page(tmp_path: Path, cause: str, severity: str, muted: dict[str, str]) -> None:
    """Alertmanager mutes what follows from the cause, and neither the cause, nor a mismatch, nor the watchdog."""
    sent = {cause: severity, **muted, "MonoVerificationMismatch": "critical", "MonoWatchdog": "none"}
    body = [
        {"labels": {"alertname": name, "severity": level, "service": "mono-pipeline"}} for name, level in sent.items()
    ]
    with CloudWatchServer(Points()) as cloudwatch, Chain(tmp_path, cloudwatch=cloudwatch.url, pace=QUICK) as chain:
        told = httpx.post(f"{chain.alertmanager}/api/v2/alerts", json=body, trust_env=False)
        assert told.is_success

        def suppressed() -> set[str]:
            states = {alert["labels"]["alertname"]: alert["status"]["state"] for alert in chain.alerts()}
            assert states.keys() >= sent.keys()
            return {name for name in sent if states[name] == "suppressed"}

        assert wait_for(lambda: suppressed() == set(muted), seconds=30), suppressed()


def test_make_up_has_the_chain(tmp_path: Path) -> None:
    """All of it answers where `stack.json` says; Prometheus has the shipped rules and reads both exporters."""
    with EmbeddedStack(tmp_path / "stack", monitoring=True, sandbox={"accounts": "0"}) as stack:
        with httpx.Client(base_url=stack.record["prometheus"], trust_env=False) as asked:

            def targets() -> dict[str, str]:
                active = asked.get("/api/v1/targets").json()["data"]["activeTargets"]
                return {target["labels"]["job"]: target["scrapeUrl"] for target in active}

            assert wait_for(lambda: len(targets()) == 2, seconds=30)
            assert targets() == {
                "mono-pipeline-accounts": stack.record["account_metrics"],
                "mono-pipeline-cloudwatch": stack.record["metrics"],
            }
            accounts = httpx.get(stack.record["account_metrics"], trust_env=False)
            exporter = httpx.get(stack.record["metrics"], trust_env=False)
            ready = httpx.get(f"{stack.record['alertmanager']}/-/ready", trust_env=False)
            groups = asked.get("/api/v1/rules").json()["data"]["groups"]
            managers = asked.get("/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]
        assert ready.is_success
        assert 'taxpoynt_mono_pipeline_accounts{link_status="linked"} 0.0' in accounts.text
        assert "yace_cloudwatch_request" in exporter.text
        shipped = [
            yaml.safe_load((SHIPPED / "prometheus" / name).read_text()) for name in ("recording.yml", "alerts.yml")
        ]
        assert {group["name"] for group in groups} == {group["name"] for one in shipped for group in one["groups"]}
        assert len(managers) == 1
        assert {"prometheus", "alertmanager", "yace", "cloudwatch", "account-exporter"} <= set(
            stack.record["processes"]
        )
