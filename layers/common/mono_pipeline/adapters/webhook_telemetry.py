"""One JSON line a webhook, log event and EMF metric at once, written without the libraries that take time to load."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.core.webhook_outcome import WebhookOutcome

if TYPE_CHECKING:
    from mono_pipeline.core.webhook_outcome import WebhookConclusion

NAMESPACE: Final = "TaxPoynt"
SERVICE: Final = "mono-pipeline"
WEBHOOKS: Final = "taxpoynt_mono_pipeline_webhooks_total"
ERRORS: Final = "taxpoynt_mono_pipeline_errors_total"
STAGE: Final = "webhook"
LEVELS: Final = {
    WebhookOutcome.ACCEPTED: "INFO",
    WebhookOutcome.IGNORED: "INFO",
    WebhookOutcome.REFUSED: "WARNING",
    WebhookOutcome.UNAVAILABLE: "ERROR",
}


def record(conclusion: WebhookConclusion, correlation_id: str) -> None:
    """Write the line of one webhook to standard output.

    Every value is a word of a closed list, an id or a sentence of ours. What is down on our side counts as an error
    of the stage `webhook` besides, so that the alerts on errors see it.
    """
    sys.stdout.write(json.dumps(_line(conclusion, correlation_id, time.time())) + "\n")


def _line(conclusion: WebhookConclusion, correlation_id: str, now: float) -> dict[str, Any]:
    outcome = conclusion.outcome
    line: dict[str, Any] = {
        "level": LEVELS[outcome],
        "message": f"mono.webhook.{outcome}",
        "timestamp": datetime.fromtimestamp(now, tz=UTC).isoformat(timespec="milliseconds"),
        "service": SERVICE,
        "correlation_id": correlation_id,
        "outcome": outcome,
        "reason": conclusion.reason,
        WEBHOOKS: 1,
    }
    if conclusion.event is not None:
        line |= {"event": conclusion.event.name, "account_id": conclusion.event.account_id}
    if conclusion.detail is not None:
        line["detail"] = conclusion.detail
    directives = [_directive(WEBHOOKS, ["service", "outcome", "reason"])]
    if outcome is WebhookOutcome.UNAVAILABLE:
        line |= {"stage": STAGE, ERRORS: 1}
        directives.append(_directive(ERRORS, ["service", "stage", "reason"]))
    return {**line, "_aws": {"Timestamp": int(now * 1000), "CloudWatchMetrics": directives}}


def _directive(name: str, dimensions: list[str]) -> dict[str, Any]:
    return {"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": [{"Name": name, "Unit": "Count"}]}
