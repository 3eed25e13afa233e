"""The dashboards: as the code makes them, every expression parses and names a metric that exists."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import promql_parser
import pytest
import yaml

from local.monitoring_contract import METRICS, STAGE_SECONDS
from local.monitoring_panels import EMPTY, questions
from monitoring.account_exporter.accounts import families
from monitoring.dashboards.__main__ import FOLDER, documents
from tests.monitoring_programs import lacks

if TYPE_CHECKING:
    from collections.abc import Iterator

MONITORING = Path(__file__).parents[2] / "monitoring"
BOARDS: dict[str, Any] = {path.name: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}


def panels() -> Iterator[tuple[str, dict[str, Any]]]:
    """(dashboard, panel) of every panel."""
    for name, document in BOARDS.items():
        for panel in document["panels"]:
            yield name, panel


def expressions(kind: str) -> list[str]:
    """Every expression for this kind of data source."""
    return [
        target["expr"] for _, panel in panels() if panel["datasource"]["type"] == kind for target in panel["targets"]
    ]


def known() -> set[str]:
    """Every metric that Prometheus has, by the contract, the exporters and the recording rules."""
    latency = STAGE_SECONDS.full_name
    names = {metric.full_name for metric in METRICS} - {latency}
    names |= {f"{latency}_{suffix}" for suffix in ("bucket", "sum", "count", "p95")}
    names |= {family.name + ("_total" if family.type == "counter" else "") for family in families([])}
    rules = yaml.safe_load((MONITORING / "prometheus" / "recording.yml").read_text())
    names |= {rule["record"] for group in rules["groups"] for rule in group["rules"]}
    exporter = {"yace_cloudwatch_request_errors", "yace_cloudwatch_getmetricdata_metrics_requested_total"}
    return names | exporter | {"taxpoynt_mono_pipeline_queue_messages", "ALERTS", "up"}


def selected(expression: str) -> set[str]:
    """Names of the metrics that an expression selects, from Prometheus' own grammar."""
    text = promql_parser.parse(expression).prettify()
    words = re.sub(r'"[^"]*"', '""', text)
    words = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(by|on|without|ignoring)\s*\([^)]*\)", " ", words)
    return {
        word for word in re.findall(r"[A-Za-z_:][\w:]*(?!\s*\()\b", words) if "_" in word or word in {"up", "ALERTS"}
    }


def rule_expressions() -> list[str]:
    """Every expression of the rules."""
    documents = (
        yaml.safe_load((MONITORING / "prometheus" / name).read_text()) for name in ("recording.yml", "alerts.yml")
    )
    return [rule["expr"] for document in documents for group in document["groups"] for rule in group["rules"]]


def test_what_is_committed_is_what_the_code_makes() -> None:
    """`python -m monitoring.dashboards` changes nothing."""
    made = documents()
    assert set(made) == {path.name for path in FOLDER.glob("*.json")}
    assert all((FOLDER / name).read_text() == text for name, text in made.items())


@pytest.mark.parametrize("expression", [*expressions("prometheus"), *rule_expressions()])
def test_every_expression_parses_and_names_metrics_that_exist(expression: str) -> None:
    """Grafana's variables are inside of strings only, so that the text is PromQL as it stands."""
    aside = {"count_values", "histogram_quantile", "sum_over_time", "max_over_time", "absent_over_time", "day_of_week"}
    assert selected(expression) - aside <= known()


def test_an_unknown_metric_would_be_seen() -> None:
    """The check itself."""
    assert selected('sum by (stage) (taxpoynt_nothing{scope="fleet"}) / up') == {"taxpoynt_nothing", "up"}


def test_every_expression_of_the_pipelines_metrics_selects_one_scope() -> None:
    """The same value is in both, and a sum over both is twice too much."""
    fleet = "|".join(metric.full_name for metric in METRICS)
    for expression in [*expressions("prometheus"), *rule_expressions()]:
        for selector in re.findall(rf"(?:{fleet})\w*(\{{[^}}]*\}})?", expression):
            assert 'scope="' in selector, expression


def test_every_query_is_asked_with_its_variables_filled_in() -> None:
    """`make monitoring-test` asks them of Prometheus; a variable that it does not know would be a word in a regex."""
    asked = list(questions({"account_id": "ACCOUNT", "canary": "CANARY", "correlation_id": "CORRELATION"}))
    assert len(asked) == len(expressions("prometheus"))
    assert not any("$" in one.expression for one in asked)
    assert sum("ACCOUNT" in one.expression for one in asked) >= 8
    assert sum("CANARY" in one.expression for one in asked) == 2
    assert set(EMPTY) <= {(one.board, one.panel) for one in asked}
    with pytest.raises(KeyError):
        list(questions({"account_id": "ACCOUNT", "canary": "CANARY"}))


def test_every_panel_says_what_it_is() -> None:
    """Title, description, a data source by variable; and no dashboard can be edited in place."""
    for _, panel in panels():
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] in {"${prometheus}", "${loki}"}
    assert all(document["editable"] is False for document in BOARDS.values())
    assert all(document["uid"] for document in BOARDS.values())


def test_every_query_of_a_panel_has_a_letter_of_its_own() -> None:
    """Grafana keeps one answer a letter: of two queries without one, the first is not shown."""
    for name, panel in panels():
        letters = [target["refId"] for target in panel["targets"]]
        assert all(letters), (name, panel["title"])
        assert len(set(letters)) == len(letters), (name, panel["title"])


@pytest.mark.parametrize("document", BOARDS.values(), ids=BOARDS)
def test_panels_lie_side_by_side_within_the_grid(document: dict[str, Any]) -> None:
    """24 columns; no two on one cell, each with a number of its own."""
    taken: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])


def node(grammar: str, *command: str) -> subprocess.CompletedProcess[str]:
    """One of the programs beside the dashboards; skips where what it stands on was not installed."""
    folder = MONITORING / "dashboards"
    if not (folder / "node_modules" / "@grafana" / grammar).exists():
        lacks(f"@grafana/{grammar}: run monitoring/install.sh")
    return subprocess.run(["node", *command], cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603, S607 - our own scripts


def test_dashboards_are_of_the_types_that_grafana_is_built_with() -> None:
    """By the TypeScript compiler, against @grafana/schema: no member that it does not have, none of another type."""
    done = node("schema", "check_schema.mjs", *(str(FOLDER / name) for name in BOARDS))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong"), [('"title":', '"titel":'), ('"panels": [', '"panels": [null, '), ('"h": 8', '"h": "8"')]
)
def test_a_dashboard_of_another_form_would_be_seen(tmp_path: Path, right: str, wrong: str) -> None:
    """The check itself."""
    text = (FOLDER / "release.json").read_text()
    assert right in text
    (tmp_path / "release.json").write_text(text.replace(right, wrong, 1))
    done = node("schema", "check_schema.mjs", str(tmp_path / "release.json"))
    assert done.returncode != 0


def test_log_queries_filter_by_our_label_and_parse() -> None:
    """By Grafana's own grammar where node has it; by its shape in any case."""
    for expression in expressions("loki"):
        assert expression.startswith('{app="mono-pipeline"}')
    for expression in expressions("loki"):
        done = node("lezer-logql", "parse_logql.mjs", expression)
        assert done.returncode == 0, done.stdout + done.stderr
