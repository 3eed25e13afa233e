"""The real chain: what `make monitoring-test` and `make up` stand on, where the programs are installed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from local.cloudwatch.log_folder import LogFolder
from local.cloudwatch.points import Points
from local.cloudwatch.server import CloudWatchServer
from local.monitoring import QUICK, SHIPPED, Chain, missing
from local.monitoring_contract import ERRORS
from local.monitoring_judge import differences, wait_for
from local.monitoring_panels import Question, complaint
from local.monitoring_test import BACK_DATE, by_contract
from local.stack import EmbeddedStack
from tests.monitoring_programs import needs

if TYPE_CHECKING:
    from pathlib import Path

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


def panel(expression: str, **changes: Any) -> Question:
    """A query of a panel that shows one number, unless told otherwise."""
    told = {"board": "b", "panel": "p", "expression": expression, "instant": True, "single": True}
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
    """Prometheus answers where `stack.json` says, and reads both exporters."""
    with EmbeddedStack(tmp_path / "stack", monitoring=True, sandbox={"accounts": "0"}) as stack:
        with httpx.Client(base_url=stack.record["prometheus"], trust_env=False) as asked:

            def targets() -> dict[str, str]:
                active = asked.get("/api/v1/targets").json()["data"]["activeTargets"]
                return {target["labels"]["job"]: target["scrapeUrl"] for target in active}

            assert wait_for(lambda: len(targets()) == 2, seconds=30)
            accounts = httpx.get(targets()["mono-pipeline-accounts"], trust_env=False)
            exporter = httpx.get(targets()["mono-pipeline-cloudwatch"], trust_env=False)
            groups = asked.get("/api/v1/rules").json()["data"]["groups"]
            managers = asked.get("/api/v1/alertmanagers").json()["data"]["activeAlertmanagers"]
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
