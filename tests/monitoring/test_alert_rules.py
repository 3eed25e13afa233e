"""Rules, runbook and routes: each alert is tested, explained and goes somewhere."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer
import yaml

from local.monitoring import QUICK, YACE, program
from local.monitoring_contract import METRICS, NAMESPACE, PREFIX, STAGE_SECONDS
from local.monitoring_detection import BY_CLOUDWATCH, LONGEST
from local.monitoring_judge import DOWN
from mono_pipeline.core.webhook_outcome import WebhookOutcome
from monoctl.app import app
from tests.monitoring_programs import needs

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "monitoring"
PAGE = (ROOT / "docs" / "monitoring.md").read_text()
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
REQUIRED = {
    "MonoPipelineHighFailureRate": ("sum(mono_pipeline:errors:sum5m) >= 5", "critical"),
    "MonoPipelineLatencySLA": ('mono_pipeline:stage_seconds:p95_10m{stage="sync"} > 2', "warning"),
    "MonoPipelineZeroTransactions": ("mono_pipeline:zero_transactions:sum1h > 0", "info"),
}
FAILURES, COST = "MonoPipelineHighFailureRate", "MonoExporterCost"
SUITES = ("alerts_test.yml", "calendar_test.yml")
PROMTOOL, AMTOOL = program("promtool") or "promtool", program("amtool") or "amtool"
needs_promtool = needs(None if program("promtool") else "promtool: run monitoring/install.sh")
needs_amtool = needs(None if program("amtool") else "amtool: run monitoring/install.sh")
needs_yace = needs(None if YACE.exists() else "yace: run monitoring/install.sh")


def load(name: str) -> Any:
    """A YAML file of monitoring/."""
    return yaml.safe_load((MONITORING / name).read_text())


ALERTS = {rule["alert"]: rule for group in load("prometheus/alerts.yml")["groups"] for rule in group["rules"]}


def run(*command: str, folder: Path = MONITORING) -> str:
    """A tool that must be content."""
    done = subprocess.run(  # noqa: S603 - tools that the tests name
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_promtool_takes_the_configuration_and_its_tests_pass() -> None:
    """One test fires each alert and one must not."""
    run(PROMTOOL, "check", "config", "prometheus/prometheus.yml")
    run(PROMTOOL, "check", "rules", "prometheus/recording.yml", "prometheus/alerts.yml")
    run(PROMTOOL, "test", "rules", *SUITES, folder=MONITORING / "prometheus" / "tests")


@needs_promtool
@pytest.mark.parametrize(
    ("file", "right", "wrong", "alert"),
    [
        ("recording.yml", "sum_over_time(taxpoynt_mono_pipeline_err", "increase(taxpoynt_mono_pipeline_err", FAILURES),
        ("recording.yml", '_errors_total{scope="fleet"}[5m]', "_errors_total[5m]", FAILURES),
        ("recording.yml", "sum by (stage, le)", "sum by (stage, outcome, le)", "MonoPipelineLatencySLA"),
        ("recording.yml", 'le="2"}[5m] offset 5m)) or vector(0))', 'le="2"}[5m] offset 5m)))', "MonoSLOFastBurn"),
        ("recording.yml", 'le="2"}[30m] offset 5m)) or vector(0))', 'le="2"}[30m] offset 5m)))', "MonoSLOSlowBurn"),
        ("alerts.yml", "for: 15m\n        labels: {severity: info", "for: 1h\n        labels: {severity: info", COST),
        ("alerts.yml", ">= 5'", ">= 4'", FAILURES),
        ("alerts.yml", "day_of_week() > 0 < 6", "day_of_week() >= 0 < 6", "MonoPipelineZeroTransactionsBusinessHours"),
    ],
    ids=["increase", "both scopes", "by outcome", "nothing well", "nothing well for long", "late", "four", "sunday"],
)
def test_the_rules_tests_notice_what_is_wrong(tmp_path: Path, file: str, right: str, wrong: str, alert: str) -> None:
    """What the rules' comments warn of, done: the alert's tests go red."""
    shutil.copytree(MONITORING / "prometheus", tmp_path / "prometheus")
    rules = tmp_path / "prometheus" / file
    assert right in rules.read_text()
    rules.write_text(rules.read_text().replace(right, wrong, 1))
    for suite in SUITES:
        path = tmp_path / "prometheus" / "tests" / suite
        document = yaml.safe_load(path.read_text())
        document["tests"] = [test for test in document["tests"] if test["name"].startswith(f"{alert} ")]
        path.write_text(yaml.safe_dump(document))
    done = subprocess.run(  # noqa: S603 - tools that the tests name
        [PROMTOOL, "test", "rules", *SUITES],
        cwd=tmp_path / "prometheus" / "tests",
        capture_output=True,
        text=True,
        check=False,
    )
    assert "FAILED" in done.stdout + done.stderr


@needs_amtool
def test_amtool_and_amlint_take_the_routes() -> None:
    """The linter reads their meaning too: nothing unreachable, nothing that mutes itself."""
    run(AMTOOL, "check-config", "alertmanager.yml")
    run(str(Path(sys.executable).with_name("amlint")), "check", "alertmanager.yml")


@needs_amtool
@pytest.mark.parametrize(
    ("alert", "receiver"),
    [("MonoWatchdog", "dead-man"), ("MonoPipelineHighFailureRate", "page"), ("MonoPipelineZeroTransactions", "chat")],
)
def test_an_alert_goes_where_its_severity_says(alert: str, receiver: str) -> None:
    """Asked of Alertmanager's own router."""
    severity = ALERTS[alert]["labels"]["severity"]
    told = run(
        AMTOOL,
        "config",
        "routes",
        "test",
        "--config.file=alertmanager.yml",
        f"alertname={alert}",
        f"severity={severity}",
    )
    assert told.strip() == receiver


@needs_yace
def test_the_exporter_takes_its_configuration() -> None:
    """The built one's own check."""
    run(str(YACE), "verify-config", "--config.file=yace.yml")


def test_the_required_alerts_are_as_specified() -> None:
    """Name, threshold and severity."""
    for name, (expression, severity) in REQUIRED.items():
        assert (ALERTS[name]["expr"], ALERTS[name]["labels"]["severity"]) == (expression, severity)
        assert "for" not in ALERTS[name]


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_is_explained_and_tested(name: str) -> None:
    """Summary, description, a section of the runbook with meaning, query and action, and rule tests both ways."""
    rule = ALERTS[name]
    assert rule["labels"]["service"] == "mono-pipeline"
    assert {"summary", "description", "runbook_url"} == set(rule["annotations"])
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    section = re.search(rf"^## {name}\n(.+?)(?=^## |\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert section is not None
    assert all(part in section[1] for part in ("Look at:", "```promql", "Do:", "Fires after:"))
    suites = (load(f"prometheus/tests/{suite}") for suite in SUITES)
    tests = [test for suite in suites for test in suite["tests"]]
    for story, must_fire in (("fires", True), ("does not fire", False)):
        told = [test for test in tests if test["name"].startswith(f"{name} {story} ")]
        assert told or (name, must_fire) == ("MonoWatchdog", False)
        assert all(must_fire in fired(test, name) for test in told)


def fired(test: dict[str, Any], name: str) -> set[bool]:
    """Whether a rules' test expects this alert, by its exact name, to fire at the instants at which it asks for it."""
    return {
        bool(each["exp_samples"])
        for each in test["promql_expr_test"]
        for names in re.findall(r'alertname=~?"([^"]+)",alertstate="firing"', each["expr"])
        if name in names.split("|")
    }


def test_how_long_each_alert_takes_was_measured_and_is_said() -> None:
    """Every one of them: the committed result of REALTIME=1, with its date."""
    result = json.loads((ROOT / "docs" / "monitoring-test-realtime.json").read_text())
    measured = {row["id"]: row["value"] for row in result["rows"]}
    said = re.findall(r"^\| `(Mono\w+)` \| (\d+) \| .+ \|$", PAGE, re.MULTILINE)
    assert result["ok"]
    assert sorted(name for name, _ in said) == sorted(ALERTS)
    assert {f"realtime-{name}": int(seconds) for name, seconds in said} == {
        name: value for name, value in measured.items() if name.startswith("realtime-Mono")
    }
    assert f"Measured with `REALTIME=1` on {measured['date']}" in PAGE
    assert f"from CloudWatch alone {measured[BY_CLOUDWATCH.format('MonoVerificationMismatch')]} s" in PAGE


def test_each_alert_is_measured() -> None:
    """With REALTIME=1: by what is done to the bank, or beside it. One that is new has to be brought about, too."""
    assert LONGEST.keys() | REQUIRED.keys() | {DOWN} == ALERTS.keys()


def test_the_runbook_speaks_of_alerts_that_exist() -> None:
    """No section of an alert that was taken out."""
    assert set(re.findall(r"^## (\S+)$", RUNBOOK, re.MULTILINE)) == set(ALERTS)


def commands() -> Iterator[list[str]]:
    """Every monoctl command of the runbook."""
    for line in re.findall(r"monoctl [^`\n]+", RUNBOOK):
        yield shlex.split(line)[1:]


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_the_runbooks_commands_exist(words: list[str]) -> None:
    """Parsed by monoctl itself, options and arguments; nothing is carried out."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("monoctl", list(words), resilient_parsing=False)
    while hasattr(command, "resolve_command"):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None
        context = command.make_context(name or "", rest, parent=context)


def jobs() -> Iterator[tuple[str, str, frozenset[str], dict[str, Any]]]:
    """(metric, scope, dimensions, job) of every metric that the exporter asks for."""
    for job in load("yace.yml")["customNamespace"]:
        for metric in job["metrics"]:
            scope = job["name"].split("-")[1]
            yield metric["name"], scope, frozenset(job["dimensionNameRequirements"]), job


def test_the_exporter_asks_for_the_contract_and_nothing_else() -> None:
    """Exact sets: one that is wrong matches nothing, and nobody says so."""
    fleet = {(metric.full_name, "fleet", frozenset({"service", *metric.dimensions})) for metric in METRICS}
    account = {
        (metric.full_name, "account", frozenset({"service", "account_id", *metric.dimensions}))
        for metric in METRICS
        if metric.by_account
    }
    assert {(name, scope, dimensions) for name, scope, dimensions, job in jobs() if job["namespace"] == NAMESPACE} == (
        fleet | account
    )


def test_every_job_is_in_timestamp_mode_and_settled() -> None:
    """Each point once, with its own time, two minutes after it could change."""
    for _, _, _, job in jobs():
        assert job["addCloudwatchTimestamp"]
        assert job["exportAllDataPoints"]
        assert job["delay"] >= 120
        assert not any("delay" in metric for metric in job["metrics"])  # ignored there
        window = job["length"] + job["delay"]
        assert window < 40 * 60, "older than out_of_order_time_window"


def test_the_sla_is_a_bucket_and_there_is_one_without_end() -> None:
    """`le="2"` makes the share above the SLA exact; without `+Inf` every quantile is NaN."""
    (latency,) = [job for name, scope, _, job in jobs() if (name, scope) == (STAGE_SECONDS.full_name, "fleet")]
    assert {"Sum", "SampleCount", "TC(:2)", "TC(:1000)"} <= set(latency["metrics"][0]["statistics"])


def test_the_readme_says_what_the_contract_is() -> None:
    """Name, unit, dimensions and scope of each metric."""
    rows = re.findall(
        rf"^\| `({PREFIX}\w+)` \| (\w+) \| ([\w, ]+) \| (yes|no) \|",
        (MONITORING / "README.md").read_text(),
        re.MULTILINE,
    )
    assert rows == [
        (
            metric.full_name,
            metric.unit,
            ", ".join(["service", *metric.dimensions]),
            "yes" if metric.by_account else "no",
        )
        for metric in METRICS
    ]


def test_webhook_outcomes_are_the_contracts() -> None:
    """The words that the README lists."""
    text = (MONITORING / "README.md").read_text()
    assert all(str(outcome) in text for outcome in WebhookOutcome)


def test_the_pace_of_tests_is_not_the_operators() -> None:
    """What is shipped runs once a minute."""
    config = load("prometheus/prometheus.yml")
    assert (config["global"]["scrape_interval"], QUICK.prometheus) == ("60s", 1)
