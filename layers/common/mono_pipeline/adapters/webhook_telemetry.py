"""One JSON line a webhook, log event and EMF metric at once, written without the libraries that take time to load."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from mono_pipeline.adapters.emf import ERRORS, WEBHOOKS, Sample, emf_record, write_line
from mono_pipeline.core.webhook_outcome import WebhookOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from mono_pipeline.core.webhook_outcome import WebhookConclusion, WebhookReason

STAGE: Final = "webhook"
LINES_A_SECOND: Final = 10  # of one reason of refusal; who has no secret must not fill the log
_LEVELS: Final = {
    WebhookOutcome.ACCEPTED: "INFO",
    WebhookOutcome.IGNORED: "INFO",
    WebhookOutcome.REFUSED: "WARNING",
    WebhookOutcome.UNAVAILABLE: "ERROR",
}


class WebhookTelemetry:
    """Writes to standard output, which Lambda hands to CloudWatch.

    Every value is a word of a closed list, an id or a sentence of ours. Of a flood of refusals ten lines a second are
    written, and what lies between them is counted by the next one.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._second = 0
        self._written: Counter[WebhookReason] = Counter()
        self._untold: Counter[WebhookReason] = Counter()

    def record(self, conclusion: WebhookConclusion, correlation_id: str) -> None:
        """Write the line of one webhook, or keep its count for the next line of its reason."""
        now = self._clock()
        reason = conclusion.reason
        self._untold[reason] += 1
        if conclusion.outcome is WebhookOutcome.REFUSED and not self._may_write(reason, int(now)):
            return
        write_line(_line(conclusion, correlation_id, now, count=self._untold.pop(reason)))

    def _may_write(self, reason: WebhookReason, second: int) -> bool:
        if second != self._second:
            self._second = second
            self._written.clear()
        self._written[reason] += 1
        return self._written[reason] <= LINES_A_SECOND


def _line(conclusion: WebhookConclusion, correlation_id: str, now: float, *, count: int) -> dict[str, Any]:
    """What is down on our side counts as an error of the stage `webhook` besides: the alerts on errors see it."""
    outcome, reason, event = conclusion.outcome, conclusion.reason, conclusion.event
    samples = [Sample(metric=WEBHOOKS, value=count, words={"outcome": outcome, "reason": reason})]
    if outcome is WebhookOutcome.UNAVAILABLE:
        samples.append(Sample(metric=ERRORS, value=count, words={"stage": STAGE, "reason": reason}))
    line: dict[str, Any] = {
        "level": _LEVELS[outcome],
        "message": f"mono.webhook.{outcome}",
        "timestamp": datetime.fromtimestamp(now, tz=UTC).isoformat(timespec="milliseconds"),
    }
    if event is not None:
        line["event"] = event.name
    if conclusion.detail is not None:
        line["detail"] = conclusion.detail
    ids = {"correlation_id": correlation_id, "account_id": event.account_id if event else None}
    return {**line, **emf_record(*samples, at=now, ids=ids)}
