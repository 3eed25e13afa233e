"""What reaches Loki of the functions' lines: Alloy's configuration, read with Alloy's own parser and run over them."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from local.results import STATE
from mono_pipeline.adapters.telemetry import Telemetry
from mono_pipeline.adapters.webhook_telemetry import WebhookTelemetry
from mono_pipeline.core.account_metrics import AccountMetrics, AccountMetricsMode
from mono_pipeline.core.classify import ErrorReason
from mono_pipeline.core.observer import Outcome, Stage
from mono_pipeline.core.run import RunStatus
from mono_pipeline.core.webhook_outcome import WebhookConclusion, WebhookReason
from mono_pipeline.usecases.run_watch import RunWatch
from tests.monitoring_programs import needs
from tests.told import ACCOUNT, Told, listening, run_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "monitoring" / "alloy" / "config.alloy"
CHECK = STATE / "bin" / "alloy-check"
GROUP = "/aws/lambda/mono-pipeline-prod-sync-worker"
LAMBDAS_OWN = ("START RequestId: 7 Version: 3", "REPORT RequestId: 7 Duration: 812.5 ms", "{broken")

pytestmark = needs(None if CHECK.exists() else "alloy-check: run monitoring/install.sh")


@dataclass(frozen=True)
class Arrived:
    """What Loki would be given of one line."""

    line: str
    labels: dict[str, str]
    structured_metadata: dict[str, str]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Told]:
    """Lines as a deployed function writes them: of a tick, of a run that failed, of webhooks."""
    for heard in listening(monkeypatch):
        watching = Telemetry()
        watching.accounts = AccountMetrics(mode=AccountMetricsMode.ALL, chosen=frozenset())
        watching.begin(request_id="r-1")
        watching.tick()
        run, watch = run_of(), RunWatch(watching)
        watch.stage(run, Stage.SYNC, 2.5, Outcome.ERROR)
        watching.error(run, Stage.SYNC, ErrorReason.MONO_SERVER_ERROR)
        watch.ended(run, RunStatus.FAILED, verdict=None, waited=0.0)
        webhooks = WebhookTelemetry()
        webhooks.record(WebhookConclusion(reason=WebhookReason.WRONG_SECRET), "c-webhook")
        yield heard


def through(lines: list[str], *, group: str = GROUP, config: Path = CONFIG) -> list[Arrived | None]:
    """Each line as it reaches Loki; None for one that does not."""
    asked = "".join(json.dumps({"log_group": group, "line": line}) + "\n" for line in lines)
    done = subprocess.run([CHECK, config], input=asked, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    if done.returncode:
        raise ValueError(done.stderr)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(lines)
    return [Arrived(**answer) if answer else None for answer in answers]


def written(told: Told) -> list[str]:
    """The lines, as they were written."""
    return told.stream.getvalue().split("\n")[:-1]


def test_events_arrive_and_lines_that_are_metrics_alone_do_not(told: Told) -> None:
    """A metric is in CloudWatch already; the webhook's line is an event too, and stays."""
    lines = written(told)
    arrived = through(lines)

    metrics_alone = [("_aws" in line) and ("message" not in line) for line in map(json.loads, lines)]
    assert [each is None for each in arrived] == metrics_alone
    assert {True, False} == set(metrics_alone)
    both = [json.loads(line) for line, each in zip(lines, arrived, strict=True) if each and '"_aws"' in line]
    assert [line["message"] for line in both] == ["mono.webhook.refused"]
    assert [each.line for each in arrived if each] == [
        line for line, alone in zip(lines, metrics_alone, strict=True) if not alone
    ]


def test_labels_are_few_and_what_names_one_request_is_no_label(told: Told) -> None:
    """`account_id`, `correlation_id` and `run_id` are structured metadata; only where the line has them."""
    events = [line for line in map(json.loads, written(told)) if "message" in line]
    for line, each in zip(events, through([json.dumps(line) for line in events]), strict=True):
        assert each is not None
        assert each.labels == {
            "app": "mono-pipeline",
            "env": "prod",
            "function": "sync-worker",
            "level": line["level"],
        }
        ids = {name: line[name] for name in ("account_id", "correlation_id", "run_id") if line.get(name) is not None}
        assert each.structured_metadata == ids
    assert any(line.get("account_id") == ACCOUNT and line["level"] != "ERROR" for line in events)


def test_lines_of_lambdas_own_arrive_with_the_functions_labels() -> None:
    """They are no JSON, and say of an invocation what nothing else does."""
    arrived = through(list(LAMBDAS_OWN))
    assert [each and (each.line, each.labels, each.structured_metadata) for each in arrived] == [
        (line, {"app": "mono-pipeline", "env": "prod", "function": "sync-worker"}, {}) for line in LAMBDAS_OWN
    ]


def test_every_functions_log_group_has_its_environment_and_name() -> None:
    """By the names that the template gives them."""
    named = re.findall(r"LogGroupName: !Sub (/aws/lambda/\S+)", (ROOT / "template.yaml").read_text())
    assert len(named) >= 8
    for name in named:
        (each,) = through(["START"], group=name.replace("${Environment}", "staging"))
        assert each is not None
        assert (each.labels["env"], name.endswith(f"-{each.labels['function']}")) == ("staging", True)


def changed(folder: Path, right: str, wrong: str) -> Path:
    """The configuration with one thing wrong."""
    text = CONFIG.read_text()
    assert right in text
    path = folder / "config.alloy"
    path.write_text(text.replace(right, wrong, 1))
    return path


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("expressions = {", "expresions = {"),
        ("stage.label_drop", "stage.labels_drop"),
        ("loki.process.mono_pipeline.receiver", "loki.process.pipeline.receiver"),
        ("[loki.write.loki.receiver]", "[loki.process.mono_pipeline.receiver]"),
        ("listen_port    = 9999", 'listen_port    = "many"'),
        ("(not .message) }}", "(not .message) }"),
        ('"_aws"', '"_aws["'),
        ('drop_counter_reason = "emf"\n  }', 'drop_counter_reason = "emf"\n'),
    ],
    ids=["attribute", "stage", "reference", "circle", "type", "template", "expression", "brace"],
)
def test_a_configuration_that_alloy_would_refuse_is_refused(tmp_path: Path, right: str, wrong: str) -> None:
    """The check itself; Alloy says so when it starts, which is too late."""
    with pytest.raises(ValueError, match=r"."):
        through(['{"level": "INFO"}'], config=changed(tmp_path, right, wrong))


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("(not .message)", ".metrics"),
        ('{metrics_only=\\"yes\\"}', '{metrics_only=\\"no\\"}'),
        ('metrics        = "_aws"', 'metrics        = "aws"'),
    ],
    ids=["drops the webhooks'", "drops events", "drops nothing"],
)
def test_another_choice_of_lines_would_be_seen(told: Told, tmp_path: Path, right: str, wrong: str) -> None:
    """The check itself, where Alloy would be content and the logs would not."""
    lines = written(told)
    choice: list[list[Any]] = [
        [each is None for each in through(lines, config=config)] for config in (CONFIG, changed(tmp_path, right, wrong))
    ]
    assert choice[0] != choice[1]
