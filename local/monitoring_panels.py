"""Every Prometheus query of the committed dashboards, asked of a real Prometheus as Grafana asks it.

Grafana itself is not here: what a panel would be given is, for the variables' values that a person would type.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx

from local.monitoring import SHIPPED
from local.monitoring_judge import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from local.monitoring import Chain
    from local.monitoring_judge import Proof
    from local.monitoring_scenarios import Scenes

SPAN_SECONDS: Final = 1_800
STEP_SECONDS: Final = 10
_PATIENCE: Final = 60.0
_BY_DEFAULT: Final = "or vector(0)"

# What rightly shows nothing after a run in which the exporter worked, with the reason.
EMPTY: Final[Mapping[tuple[str, str], str]] = {
    (
        "account",
        "Age of the bank's data",
    ): "nobody asks for fresh data in these scenes, and so nothing is known of their age",
    ("cost", "Exporter errors"): "the exporter has no such series before CloudWatch refuses something",
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """One query of one panel, its variables filled in; `single` where the panel shows one number."""

    board: str
    panel: str
    expression: str
    instant: bool
    single: bool


@dataclass(frozen=True, kw_only=True)
class Line:
    """A series that came back: its labels, and (seconds since 1970, value) of each point that is a number."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


def questions(variables: Mapping[str, str]) -> Iterator[Question]:
    """All queries for Prometheus, as committed.

    Raises:
        KeyError: a dashboard has a variable of text that `variables` does not.
    """
    for path in sorted((SHIPPED / "grafana").glob("*.json")):
        document: dict[str, Any] = json.loads(path.read_text())
        names = [each["name"] for each in document["templating"]["list"] if each["type"] == "textbox"]
        for panel in document["panels"]:
            if panel["datasource"]["type"] != "prometheus":
                continue
            for target in panel["targets"]:
                expression = target["expr"]
                for name in names:
                    expression = expression.replace(f"${name}", variables[name])
                yield Question(
                    board=path.stem,
                    panel=panel["title"],
                    expression=expression,
                    instant=bool(target.get("instant")),
                    single=panel["type"] == "stat",
                )


def ask(chain: Chain, question: Question) -> list[Line]:
    """What the panel would be given now: of one instant, or of the last half hour.

    Raises:
        httpx.HTTPStatusError: Prometheus does not take the query.
    """
    if question.instant:
        now = time.time()
        rows = [(labels, [(now, value)]) for labels, value in chain.query(question.expression)]
    else:
        rows = chain.query_range(question.expression, seconds=SPAN_SECONDS, step=STEP_SECONDS)
    numbers = [
        Line(labels=labels, points=tuple(point for point in points if not math.isnan(point[1])))
        for labels, points in rows
    ]
    return [line for line in numbers if line.points]


def complaint(chain: Chain, question: Question) -> str | None:
    """Why this query is not as it must be after a run that has something for it; None when it is."""
    try:
        lines = ask(chain, question)
    except httpx.HTTPStatusError as refused:
        return f"refused: {refused.response.text[:200]}"
    shows = bool(lines)
    if question.expression.endswith(_BY_DEFAULT):  # 0 is what it shows of nothing
        shows = any(value > 0 for line in lines for _, value in line.points)
    if (question.board, question.panel) in EMPTY:
        return "shows something, and is listed as rightly empty" if shows else None
    if not shows:
        return "shows nothing"
    return f"{len(lines)} numbers where there is place for one" if question.single and len(lines) > 1 else None


def complaints(chain: Chain, asked: list[Question]) -> list[str]:
    """All complaints, as lines for people."""
    told = ((question, complaint(chain, question)) for question in asked)
    return [f"{one.board} / {one.panel}: {why}: {one.expression}" for one, why in told if why is not None]


def judge_panels(proof: Proof, chain: Chain, scenes: Scenes, *, take: Callable[[], object]) -> None:
    """Runs end well and badly while the database is watched; then every panel must show something.

    `take` hands the functions' log lines on to the stand-in for CloudWatch.
    """
    counted = "taxpoynt_mono_pipeline_account_runs_total"
    wait_for(lambda: bool(chain.query(f'count_over_time({counted}{{status="failed"}}[1m]) > 1')), seconds=_PATIENCE)
    scenes.healthy(rounds=1)
    scenes.failures()
    take()
    one = scenes.accounts[0]
    asked = list(questions({"account_id": one, "canary": one, "correlation_id": ".*"}))
    wait_for(lambda: not complaints(chain, asked), seconds=_PATIENCE)
    told = complaints(chain, asked)
    proof.note(
        "dashboards-panels",
        f"queries of panels that show what there is (rightly nothing: {', '.join(panel for _, panel in EMPTY)})",
        f"{len(asked) - len(told)} of {len(asked)}" + "".join(f"\n     {each}" for each in told),
        goal=f"{len(asked)} of {len(asked)}",
        ok=not told and bool(asked),
    )
